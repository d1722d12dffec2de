"""What a verdict asks of the intervals of a cell."""

from dataclasses import replace

import pytest

from interp_lab.steering.side_effects.matrix import Cell, Verdict
from interp_lab.types import UNMEASURED, Interval


def cell(effect, versus=None, *, odds=(0.0, 0.0), of_own=(0.0, 0.0), p=0.01, random=(-0.1, 0.1)):
    def interval(ends):
        return Interval(sum(ends) / 2, *ends)

    return Cell(
        sign=1, steered=0, effect=interval(effect), log_odds=interval(odds), of_own=interval(of_own), size=0.1,
        random=interval(random), random_size=0.1, exceeded=3, versus_random=interval(versus or effect),
        p_adjusted=p, odds_versus_random=interval(odds), odds_p_adjusted=p, odds_random=interval(random),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (cell((0.2, 0.4)), Verdict.MOVED),
        (cell((-0.4, -0.2)), Verdict.MOVED),
        (cell((0.2, 0.4), p=0.2), Verdict.NOT_TOLD),
        (cell((0.2, 0.4), (-0.1, 0.3)), Verdict.NOT_TOLD),
        (cell((0.2, 0.4), (-0.4, -0.2)), Verdict.NOT_TOLD),
        (cell((0.2, 0.4), random=(-0.1, 0.31)), Verdict.NOT_TOLD),
        (cell((0.01, 0.4)), Verdict.NOT_TOLD),
        (cell((-0.04, 0.04)), Verdict.LEFT_ALONE),
        (cell((-0.04, 0.06)), Verdict.NOT_TOLD),
        (cell((0.0, 0.01), odds=(1.0, 2.0), of_own=(0.2, 0.4)), Verdict.PUSHED),
        (cell((0.0, 0.01), odds=(1.0, 2.0), of_own=(0.2, 0.4), random=(-2.0, 2.0)), Verdict.LEFT_ALONE),
        (cell((0.0, 0.01), odds=(1.0, 2.0), of_own=(0.02, 0.4)), Verdict.LEFT_ALONE),
        (cell((0.0, 0.01), odds=(-1.0, 2.0), of_own=(0.2, 0.4)), Verdict.LEFT_ALONE),
        (cell((0.0, 0.01), odds=(1.0, 2.0), of_own=(0.2, 0.4), p=0.2), Verdict.LEFT_ALONE),
    ],
    ids=[
        "beyond the margin", "the other way", "not after correction", "as under random directions",
        "random directions go further",
        "some random directions go as far", "reaches into the margin", "within it", "just beyond it",
        "sure of its answers", "some random directions move odds as far", "odds move a little",
        "odds move as under random directions",
        "odds not after correction",
    ],
)  # fmt: skip
def test_verdict(one, verdict):
    assert one.verdict(0.05, odds_margin=0.1) is verdict


def test_nothing_is_told_of_odds_without_a_yardstick():
    one = replace(cell((0.0, 0.01), odds=(1.0, 2.0)), of_own=UNMEASURED)
    assert one.verdict(0.05, odds_margin=0.1) is Verdict.NOT_TOLD
