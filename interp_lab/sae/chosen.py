"""Which autoencoder an experiment is about: a bundled one, one of a run, a folder, or a release of SAE Lens."""

from pathlib import Path

from interp_lab.config import Config, RunRef
from interp_lab.runs.consumed import BUNDLED, IN_RUN, require_usable_in_fold
from interp_lab.sae.training.loading import LoadedSae, load_sae


class SaeChoice(Config):
    """One autoencoder, named."""

    sae: str | RunRef = "organism-2-resid-post"
    """A bundled autoencoder, a folder, a release that SAE Lens knows, or one of a training run (`run` is its folder,
    `artefact` the name of the autoencoder)."""
    sae_id: str | None = None
    """Which of a release."""

    def artefact_meant(self) -> RunRef:
        """Return it as an artefact; see `runs.consumed`."""
        if isinstance(self.sae, RunRef):
            return self.sae
        return RunRef(run=BUNDLED / self.sae if _is_bundled(self.sae) else Path(self.sae), artefact=self.sae_id or "")


def load_chosen(choice: SaeChoice, *, device: str = "cpu", dtype: str = "float32") -> LoadedSae:
    """Load the autoencoder that a config names.

    Raises: as `load_sae`; ValueError, for a run without such an autoencoder, with those it has; FoldError, for one that
        may not be used in the fold in force.
    """
    require_usable_in_fold(choice.artefact_meant())
    if isinstance(choice.sae, RunRef):
        return load_sae(_in_run(choice.sae), device=device, dtype=dtype)
    where = BUNDLED / choice.sae if _is_bundled(choice.sae) else choice.sae
    return load_sae(where, sae_id=choice.sae_id, device=device, dtype=dtype)


def _is_bundled(name: str) -> bool:
    return name in {folder.name for folder in BUNDLED.glob("*")}


def _in_run(reference: RunRef) -> Path:
    there = reference.run / IN_RUN
    names = sorted(folder.name for folder in there.glob("*"))
    if reference.artefact not in names:
        raise ValueError(
            f"{reference.run} has no autoencoder {reference.artefact!r}; it has {', '.join(names) or 'none'}: name one "
            "of those, or a run of sae_training"
        )
    return there / reference.artefact
