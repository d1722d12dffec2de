"""Directions from wherever they are kept: a file of ours, a control vector, or an artefact of another run."""

from dataclasses import dataclass
from pathlib import Path

from interp_lab.config import RunRef
from interp_lab.directions.from_run import BUNDLED, from_run, made_on
from interp_lab.directions.gguf import from_gguf, gguf_made_on
from interp_lab.directions.saved import load_directions
from interp_lab.directions.vectors import Directions
from interp_lab.identity import WeightProcessing
from interp_lab.models import identity_of
from interp_lab.types import HookedModel

GGUF = ".gguf"
RAW = WeightProcessing.named("raw")


@dataclass(frozen=True)
class DirectionSource:
    """Where directions are kept."""

    path: Path
    """A file that `save_directions` wrote, a control vector (`.gguf`), or a folder as `from_run` has it."""
    artefact: str | None = None
    """What is meant in a folder; see `from_run`."""

    def __post_init__(self) -> None:
        is_folder = self.path.is_dir() or (BUNDLED / self.path.name).is_dir()
        if is_folder and self.artefact is None:
            raise ValueError(
                f"{self.path} is a folder; give the artefact that is meant: the name of a file in its folder "
                "directions, LABEL of a run of probes, or #LATENT of an autoencoder"
            )
        if not is_folder and self.artefact is not None:
            raise ValueError(
                f"{self.path} is no folder, and artefact {self.artefact!r} is looked for in one; give the folder of a "
                "run, or leave the artefact out"
            )

    def made_on(self) -> tuple[str | None, WeightProcessing]:
        """Return the name of the model that they were made on, and the weight processing.

        A control vector that others wrote is of a model as it is on the hub, and does not say which (`None`).

        Raises: ValueError, as `load_directions`, `from_gguf` and `from_run`.
        """
        if self.artefact is not None:
            return made_on(RunRef(run=self.path, artefact=self.artefact))
        if self.path.suffix != GGUF:
            model = load_directions(self.path).model
            return model.name, model.processing
        model = gguf_made_on(self.path)
        return (None, RAW) if model is None else (model.name, model.processing)

    def read(self, model: HookedModel) -> Directions:
        """Return the directions, for a model in memory.

        Raises: ValueError, as `made_on`, or for another model, weight processing or hook points than the model's.
        """
        if self.artefact is not None:
            return from_run(RunRef(run=self.path, artefact=self.artefact), model)
        if self.path.suffix == GGUF:
            found = from_gguf(self.path, model=identity_of(model))
        else:
            found = load_directions(self.path)
        found.require_fits(model)
        return found
