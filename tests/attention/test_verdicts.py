"""One vocabulary of how looks and acts agree, case by case."""

import pytest

from interp_lab.attention.verdicts import Verdict, counted, verdict_metrics, verdict_of
from interp_lab.claims import Evidence, Split
from interp_lab.types import Interval


def effect(estimate: float) -> Evidence:
    interval = Interval(estimate, estimate - 0.1, estimate + 0.1)
    return Evidence("w", "nats", interval, interval, 0.001, "c", Split.REPORT, 32)


UP, DOWN, NONE = effect(1.0), effect(-1.0), effect(0.0)


@pytest.mark.parametrize(
    ("of", "looks", "backed_up", "worse", "verdict"),
    [
        (UP, True, False, 1, "looks and acts"), (DOWN, True, False, -1, "looks and acts"),
        (UP, False, True, 1, "acts only"), (DOWN, False, False, -1, "acts only"),
        (DOWN, True, True, 1, "in the way"), (UP, False, False, -1, "in the way"),
        (NONE, True, False, 1, "looks only"), (NONE, True, True, 1, "backed up"), (UP, True, True, 1, "looks and acts"),
        (NONE, False, True, -1, "neither"), (None, True, True, 1, "not asked"), (None, False, False, 1, "not asked"),
    ],
)  # fmt: skip
def test_verdict(of, looks, backed_up, worse, verdict):
    assert verdict_of(of, looks=looks, worse=worse, backed_up=backed_up, alpha=0.05) == verdict


def test_what_is_not_clear_does_not_act():
    assert verdict_of(UP, looks=True, worse=1, backed_up=False, alpha=0.0005) is Verdict.LOOKS_ONLY


def test_counts():
    told = [Verdict.LOOKS_ONLY, Verdict.IN_THE_WAY, Verdict.LOOKS_ONLY, Verdict.NEITHER]
    assert counted(told) == "2 looks only, 1 in the way, 1 neither"
    metrics = verdict_metrics(told)
    assert metrics["n_looks_only"] == 2
    assert {name for name, value in metrics.items() if value} == {"n_looks_only", "n_in_the_way"}
    assert not {"n_neither", "n_not_asked"} & metrics.keys()
