"""What the final metrics of a trial are worth to the sweep."""

import math
from collections.abc import Mapping, Sequence

from interp_lab.sweeps.ledger import Closed
from interp_lab.sweeps.space import SweepError
from interp_lab.types import nearest


def scored(
    number: int, seconds: float, metrics: Mapping[str, int | float], *, metric: str, may_lack: bool = False
) -> Closed:
    """Close a trial that ran to its end; one whose metric is missing or no finite number has failed.

    Args:
        may_lack: whether the metric may be missing where there is nothing to measure: another trial had it, or the
            user was told and goes on.

    Raises: SweepError, if no trial so far has such a metric, for then it is likely misspelt: the nearest are in the
        message.
    """
    if metric not in metrics and may_lack:
        reason = f"it ended without the metric {metric}"
        return Closed(trial=number, state="failed", metrics=dict(metrics), seconds=seconds, reason=reason)
    if metric not in metrics:
        raise SweepError(
            f"trial {number} ended without the sweep's metric {metric!r}{nearest(metric, metrics)}; "
            f"it has {', '.join(sorted(metrics))}. Correct metric.name in the file and take another folder; if only "
            "this trial has none, the same command with --resume goes on without it"
        )
    value = float(metrics[metric])
    if math.isfinite(value):
        return Closed(trial=number, state="complete", metric=value, metrics=dict(metrics), seconds=seconds)
    reason = f"its metric {metric} is {value}"
    return Closed(trial=number, state="failed", metrics=dict(metrics), seconds=seconds, reason=reason)


def stopped_early(number: int, seconds: float, values: Sequence[float]) -> Closed:
    """Close a trial that early termination gave up, with the last value that it logged."""
    last = values[-1] if math.isfinite(values[-1]) else None
    reason = f"worse than others after {len(values)} values"
    return Closed(trial=number, state="stopped early", metric=last, seconds=seconds, reason=reason)
