"""Experiments on a model that exists: a subclass has a config and a result, and says what is measured."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interp_lab.bibliography import Source
from interp_lab.experiment import Progress, Provenance, Tracker, provenance, silent
from interp_lab.models.identity import identity_of
from interp_lab.models.load import load_model
from interp_lab.runs.keep import ConfigT, ResultT
from interp_lab.runs.recorded import RecordedExperiment
from interp_lab.types import HookedModel


class ModelExperiment(RecordedExperiment[ConfigT, ResultT]):
    """An experiment on one model, which its config names.

    The config has the fields `model`, `device`, `dtype`, `processing` and `backend`, as `load_model` takes them, and
    `seed`. With `name`, `result`, `sources` and `measure` a subclass is a whole experiment.
    """

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> ResultT:
        """Load the model and measure.

        Raises: as `measure`; ValueError, as `load_model`.
        """
        return self.measure(model_named_by(self.config), progress=progress)

    @abstractmethod
    def measure(self, model: HookedModel, *, progress: Progress = silent) -> ResultT:
        """Measure on a model already in memory; tests and notebooks start here."""

    def provenance(self, model: HookedModel) -> Provenance:
        """Return where a result measured on `model` comes from."""
        config: Any = self.config
        return provenance_on(model, self.name, seed=config.seed, sources=self.sources)


def model_named_by(config: Any) -> HookedModel:  # noqa: ANN401 - a Config with these five fields
    """Load the model that a config names.

    Raises: ValueError, as `load_model`.
    """
    return load_model(
        config.model, config.device, dtype=config.dtype, processing=config.processing, backend=config.backend
    )


def provenance_on(model: HookedModel, experiment: str, *, seed: int, sources: Sequence[Source] = ()) -> Provenance:
    """Return the provenance of what an experiment finds on a model: its identity, device and dtype are read off it.

    Raises: ValueError, for a model without identity (see `identity_of`).
    """
    weight = next(iter(model.parameters()))
    dtype = str(weight.dtype).removeprefix("torch.")
    return provenance(
        experiment, identity_of(model), seed=seed, device=str(weight.device), dtype=dtype, sources=sources
    )
