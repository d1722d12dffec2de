"""Experiments on a model that exists: a subclass has a config and a result, and says what is measured."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from interp_lab.bibliography import Source
from interp_lab.experiment import Progress, Provenance, Tracker, provenance, silent
from interp_lab.models.held import model_named_by
from interp_lab.models.identity import identity_of
from interp_lab.runs.keep import ConfigT, ResultT
from interp_lab.runs.recorded import RecordedExperiment
from interp_lab.types import HookedModel


class ModelExperiment(RecordedExperiment[ConfigT, ResultT]):
    """An experiment on one model, which its config names.

    The config has the fields `model`, `device`, `dtype`, `processing` and `backend`, as `load_model` takes them, and
    `seed`, and `fold`: nothing else is drawn by `run` or `measure`, which a subclass has no part in. With `name`,
    `result`, `sources` and `measure` a subclass is a whole experiment.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:  # noqa: ANN401 - what `type` takes
        """Put the subclass's `measure` within its fold."""
        super().__init_subclass__(**keywords)
        if "measure" in vars(cls):
            cls.measure = _within_fold(cls.measure)  # ty: ignore[invalid-assignment] - it takes and returns the same

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


def _within_fold(measure: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(measure)
    def measured(self: ModelExperiment, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - as `measure` takes and returns
        with self.in_fold():
            return measure(self, *given, **named)

    return measured


def provenance_on(model: HookedModel, experiment: str, *, seed: int, sources: Sequence[Source] = ()) -> Provenance:
    """Return the provenance of what an experiment finds on a model: its identity, device and dtype are read off it.

    Raises: ValueError, for a model without identity (see `identity_of`).
    """
    weight = next(iter(model.parameters()))
    dtype = str(weight.dtype).removeprefix("torch.")
    return provenance(
        experiment, identity_of(model), seed=seed, device=str(weight.device), dtype=dtype, sources=sources
    )
