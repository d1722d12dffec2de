"""Runs on disk: folders that are written atomically, resumed, checked when read, and never half-read.

A run folder holds `run.json` (format, experiment, status, checksums), `config.yaml` (which `interp-lab run` takes),
`provenance.json`, `metrics.jsonl`, `tables/*.parquet` and `arrays.safetensors`; what else a run made (weights, say) is
noted in `artefacts.json`. No pickle.
"""

from interp_lab.runs.files import RunError, write_atomic
from interp_lab.runs.folder import RunFolder, read_run
from interp_lab.runs.formats import scalars
from interp_lab.runs.keep import keep, run_experiment, save_result
from interp_lab.runs.recorded import RecordedExperiment
from interp_lab.runs.trackers import JsonlTracker, Trackers
from interp_lab.runs.writer import RunWriter, open_run

__all__ = [
    "JsonlTracker",
    "RecordedExperiment",
    "RunError",
    "RunFolder",
    "RunWriter",
    "Trackers",
    "keep",
    "open_run",
    "read_run",
    "run_experiment",
    "save_result",
    "scalars",
    "write_atomic",
]
