"""Which autoencoder an experiment is about: a bundled one, one of a run, a folder, or a release of SAE Lens."""

from pathlib import Path

from interp_lab.config import Config, RunRef
from interp_lab.sae.training.loading import LoadedSae, load_sae

BUNDLED = Path(__file__).parent / "bundled"
"""Autoencoders that ship with the package, a folder each."""
IN_RUN = "saes"
"""Where a training run keeps its autoencoders, a folder each by name."""


class SaeChoice(Config):
    """One autoencoder, named."""

    sae: str | RunRef = "organism-2-resid-post"
    """A bundled autoencoder, a folder, a release that SAE Lens knows, or one of a training run (`run` is its folder,
    `artefact` the name of the autoencoder)."""
    sae_id: str | None = None
    """Which of a release."""


def load_chosen(choice: SaeChoice, *, device: str = "cpu", dtype: str = "float32") -> LoadedSae:
    """Load the autoencoder that a config names.

    Raises: as `load_sae`; ValueError, for a run without such an autoencoder, with those it has.
    """
    if isinstance(choice.sae, RunRef):
        return load_sae(_in_run(choice.sae), device=device, dtype=dtype)
    bundled = BUNDLED / choice.sae
    known = choice.sae in {folder.name for folder in BUNDLED.glob("*")}
    return load_sae(bundled if known else choice.sae, sae_id=choice.sae_id, device=device, dtype=dtype)


def _in_run(reference: RunRef) -> Path:
    there = reference.run / IN_RUN
    names = sorted(folder.name for folder in there.glob("*"))
    if reference.artefact not in names:
        raise ValueError(
            f"{reference.run} has no autoencoder {reference.artefact!r}; it has {', '.join(names) or 'none'}: name one "
            "of those, or a run of sae_training"
        )
    return there / reference.artefact
