"""Jobs: command lines in processes of their own, on this machine or a cluster, none of which outlives its driver.

    with executor("local", workers=2, preload=("torch",)) as workers:
        outcomes = run_all([Job("first", ("interp-lab", "run", ...), log)], workers, retries=2)

Driver -> nursery (imports once, forks) -> keeper (one per job: lock, time limit, end) -> job (own session). Each ends
what is below it when what is above it is gone, however that went.
"""

from interp_lab.jobs.executor import Backend, Executor, executor, run_all
from interp_lab.jobs.job import Ended, Job, Outcome, n_cores

__all__ = ["Backend", "Ended", "Executor", "Job", "Outcome", "executor", "n_cores", "run_all"]
