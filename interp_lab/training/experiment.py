"""Experiments that train a model: they need a folder for weights and checkpoints."""

from abc import abstractmethod
from pathlib import Path

from interp_lab.experiment import Progress, Tracker
from interp_lab.runs.keep import ConfigT, ResultT
from interp_lab.runs.recorded import RecordedExperiment


class TrainingExperiment(RecordedExperiment[ConfigT, ResultT]):
    """An experiment that writes half-precision weights and their card into its run folder, and measures those."""

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> ResultT:
        """Train into `run_dir`.

        Raises: ValueError, without a folder; as `train`.
        """
        if run_dir is None:
            raise ValueError("training writes weights and checkpoints: give it a run_dir")
        return self.train(tracker, run_dir, progress=progress)

    @abstractmethod
    def train(self, tracker: Tracker, run_dir: Path, *, progress: Progress) -> ResultT:
        """Train, going on from the checkpoint in `run_dir` if there is one; what was written is measured.

        Raises: DivergedError, as `loop.train`.
        """
