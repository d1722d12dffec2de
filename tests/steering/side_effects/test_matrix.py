"""What a verdict asks of the intervals of a cell."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.steering.side_effects.matrix import Cell, Verdict, _adjusted, cells
from interp_lab.steering.side_effects.on_trait import OnTrait
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
        (cell((0.0, 0.01), odds=(1.0, 2.0), of_own=(0.2, 0.4), random=(-2.0, 2.0)), Verdict.ANSWERS_STAY),
        (cell((0.0, 0.01), odds=(1.0, 2.0), of_own=(0.02, 0.4)), Verdict.ANSWERS_STAY),
        (cell((0.0, 0.01), odds=(1.0, 2.0), of_own=(-0.09, 0.09)), Verdict.LEFT_ALONE),
        (cell((0.0, 0.01), odds=(-1.0, 2.0), of_own=(-0.2, 0.4)), Verdict.ANSWERS_STAY),
        (cell((0.0, 0.01), odds=(-1.0, 2.0), of_own=(0.2, 0.4)), Verdict.ANSWERS_STAY),
        (cell((0.0, 0.01), odds=(1.0, 2.0), of_own=(0.2, 0.4), p=0.2), Verdict.ANSWERS_STAY),
    ],
    ids=[
        "beyond the margin", "the other way", "not after correction", "as under random directions",
        "random directions go further",
        "some random directions go as far", "reaches into the margin", "within it", "just beyond it",
        "sure of its answers", "some random directions move odds as far", "odds move, by how much is not known",
        "odds move by little", "nothing is known of odds", "odds move as under random directions",
        "odds not after correction",
    ],
)  # fmt: skip
def test_verdict(one, verdict):
    assert one.verdict(0.05, odds_margin=0.1) is verdict


def test_nothing_is_told_of_odds_without_a_yardstick():
    one = replace(cell((0.0, 0.01), odds=(1.0, 2.0)), of_own=UNMEASURED)
    assert one.verdict(0.05, odds_margin=0.1) is Verdict.ANSWERS_STAY


def test_prompts_that_move_both_ways_have_a_size_and_no_effect_and_each_direction_its_own_random_ones():
    rng = np.random.default_rng(0)
    both_ways = np.tile([2.0, -2.0], 8)
    random = np.stack([np.full((5, 16), 1.0), np.full((5, 16), 3.0)]) + rng.normal(size=(2, 5, 16)) * 1e-3
    one = OnTrait(
        "x", np.zeros(16), np.stack([both_ways, both_ways])[None], random, both_ways[None], both_ways[None, None],
        tuple("aabbccddeeffgghh"),
    )  # fmt: skip
    first, second = cells([one, one], level=0.95, seed=0)[0]
    assert first.effect.estimate == pytest.approx(0.0, abs=1e-12)
    assert first.size == pytest.approx(np.tanh(1.0))
    assert first.random_size == pytest.approx(np.tanh(0.5), abs=1e-3)
    assert (first.odds_random.estimate, second.odds_random.estimate) == pytest.approx((1.0, 3.0), abs=1e-2)


class TestCorrection:
    """What a direction does to its own trait is there to be clear, and must not make the rest pass more easily."""

    def test_own_effects_and_those_on_others_are_corrected_apart(self):
        own = np.array([[True, False, True, False], [False, True, False, True]])
        p = np.where(own, 1e-6, 0.04)
        p[0, 1] = 0.01
        # of the four on others: 0.01 * 4 / 1 and 0.04 * 4 / 4; with the four of their own it would be 0.01 * 8 / 5
        found = _adjusted(p, own)
        assert found[0].tolist() == pytest.approx([1e-6, 0.04, 1e-6, 0.04])
        assert found[1].tolist() == pytest.approx([0.04, 1e-6, 0.04, 1e-6])

    def test_which_are_its_own(self):
        """Two traits in eight templates: each direction moves its own by about 1, and the other is all noise."""
        rng = np.random.default_rng(0)

        def measured(nth):
            alone = rng.normal(size=(2, 2, 16)) * 0.3
            alone[0, nth] += 1.0
            alone[1, nth] -= 1.0
            return OnTrait(
                str(nth), np.zeros(16), alone, rng.normal(size=(2, 20, 16)) * 0.3, alone[0, :1], alone[0, :1][:, None],
                tuple("abcdefgh" * 2),
            )  # fmt: skip

        rows = cells([measured(0), measured(1)], level=0.95, seed=0)
        for nth, row in enumerate(rows):
            assert [one.p_adjusted < 0.05 for one in row] == [one.steered == nth for one in row]
