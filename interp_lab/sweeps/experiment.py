"""A sweep as the registry knows it, so that reports read its result as any other; it is carried out by its driver."""

from pathlib import Path

from interp_lab.experiment import Progress, Tracker, silent
from interp_lab.runs.recorded import RecordedExperiment
from interp_lab.sweeps.config import SweepConfig
from interp_lab.sweeps.result import NAME, SOURCES, SweepResult
from interp_lab.types import HookedModel


class Sweep(RecordedExperiment[SweepConfig, SweepResult]):
    """The record of a sweep. A config of it says what was asked, and is not run."""

    name = NAME
    result = SweepResult
    sources = SOURCES

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> SweepResult:
        """Refuse: a sweep is many runs, which `interp-lab sweep` starts.

        Raises: ValueError, always.
        """
        raise ValueError(_WAY_OUT)

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> SweepResult:
        """Refuse, as `carry_out`.

        Raises: ValueError, always.
        """
        raise ValueError(_WAY_OUT)


_WAY_OUT = (
    "this is the record of a sweep, which is not run as one experiment; start its definition (sweep.yaml in the folder "
    "of the sweep) with: interp-lab sweep sweep.yaml --out FOLDER"
)
