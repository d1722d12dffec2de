"""What every experiment class has in common: `run`, which keeps what was found."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic

from interp_lab.bibliography import Source
from interp_lab.experiment import Progress, Tracker, silent
from interp_lab.folds import visible
from interp_lab.runs.keep import ConfigT, ResultT, run_experiment


@dataclass(frozen=True)
class RecordedExperiment(ABC, Generic[ConfigT, ResultT]):
    """An experiment that is kept in a run folder: a subclass names itself and its result, and carries itself out.

    It needs no decorator: it is a frozen dataclass of the config, as this one is.

    Experiments on a model that exists are `models.experiment.ModelExperiment`, those that train one
    `training.experiment.TrainingExperiment`.
    """

    name: ClassVar[str]
    """In the registry, and at the head of every config file."""
    result: ClassVar[type[Any]]
    """Class of the result; its `from_arrays` rebuilds one from config, provenance and arrays."""
    sources: ClassVar[Sequence[Source]]
    """What it stands on, for `interp-lab cite`."""

    config: ConfigT
    """What it is asked to do."""

    def run(
        self,
        tracker: Tracker | None = None,
        run_dir: Path | None = None,
        *,
        resume: bool = False,
        progress: Progress = silent,
    ) -> ResultT:
        """Carry out, keep the result in `run_dir` if there is one, and tell the tracker.

        Args:
            resume: go on with the run in `run_dir`; one that is complete is read, not made again.

        Raises: as `carry_out`; RunError, if `run_dir` holds something else; ValueError, for `resume` without a folder.
        """
        with self.in_fold():
            return run_experiment(
                self.name,
                self.config,
                measure=lambda told: self.carry_out(told, run_dir, progress=progress),
                rebuild=self.result.from_arrays,
                tracker=tracker,
                run_dir=run_dir,
                resume=resume,
            )

    def in_fold(self) -> AbstractContextManager[None]:
        """Return what lets nothing be drawn but the fold that the config names; all, where it has no such field.

        `run`, and `measure` of experiments on models, are within; whoever makes parts of the work elsewhere enters it.
        """
        return visible(getattr(self.config, "fold", "all"))

    @abstractmethod
    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> ResultT:
        """Do the work; what is logged on the way goes to the folder, if there is one, and to the caller's tracker."""
