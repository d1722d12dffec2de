"""Why a claim has no higher grade: nothing is missing exactly where the grade says so, and what is missing is named."""

import numpy as np
import pytest

from interp_lab.claims import Claim, Grade, Split
from interp_lab.reports.reasons import short_of_causal, short_of_replicated
from tests.reports.results import evidence, held_out


def told(reasons) -> str:
    return "; ".join(f"{reason.kind}: {reason.detail}" for reason in reasons)


class TestAgreesWithTheGrade:
    def test_on_a_thousand_random_pieces_of_evidence(self):
        draw, seen = np.random.default_rng(0), set()
        for _ in range(1000):
            claim = Claim("x", "y", some_evidence(draw, Split.REPORT), some_evidence(draw, Split.HELD_OUT))
            assert (short_of_causal(claim) == []) == (claim.grade >= Grade.CAUSAL)
            assert (short_of_replicated(claim) == []) == (claim.grade is Grade.REPLICATED)
            seen.add(claim.grade)
        assert seen == set(Grade)


def some_evidence(draw, split):
    if draw.random() < 0.1:
        return None
    shift = float(draw.choice([-1.0, 1.0], p=[0.2, 0.8]))
    widths = draw.choice([0.2, 1.5], 2, p=[0.8, 0.2]).tolist()
    ends = [(shift, shift - width, shift + width) for width in widths]
    turned = (-ends[1][0], -ends[1][2], -ends[1][1]) if draw.random() < 0.1 else ends[1]
    split = Split.SELECT if draw.random() < 0.05 else split
    return evidence(ends[0], turned, p=float(draw.choice([0.001, 0.2], p=[0.9, 0.1])), split=split)


class TestNames:
    def test_that_nothing_was_tried(self):
        assert told(short_of_causal(Claim("x", "y"))) == "no intervention tests it: "

    def test_the_interval_that_reaches_below_the_margin(self):
        short = told(short_of_causal(Claim("x", "y", evidence((0.6, 0.3, 0.9)))))
        assert "effect 0.600 [0.300, 0.900]; needed: beyond the smallest effect of interest, 0.5 nats" in short
        assert "minus control 1.900" not in short

    def test_zero_where_there_is_no_margin(self):
        short = told(short_of_causal(Claim("x", "y", evidence(control=(0.1, -0.1, 0.3), margin=0.0))))
        assert "covers zero" in short
        assert "effect minus control 0.100 [-0.100, 0.300]; needed: beyond zero" in short

    def test_the_p_value(self):
        assert told(short_of_causal(Claim("x", "y", evidence(p=0.07)))).endswith("p = 0.07, level 0.05")

    def test_a_control_that_does_more(self):
        short = told(short_of_causal(Claim("x", "y", evidence(control=(-2.0, -2.5, -1.5)))))
        assert short.startswith("the control moves the behaviour further than the intervention")

    @pytest.mark.parametrize(
        ("replication", "reason"),
        [
            (None, "not measured on held-out templates"),
            (evidence(), "measured on the report split only"),
            (held_out((0.6, 0.3, 0.9)), "reaches below the smallest effect of interest: effect 0.600"),
            (held_out((-2.0, -2.5, -1.5), (-2.0, -2.5, -1.5)), "opposite sign on held-out templates: -2.000"),
        ],
        ids=["none", "split", "interval", "sign"],
    )
    def test_what_replication_lacks(self, replication, reason):
        assert reason in told(short_of_replicated(Claim("x", "y", evidence(), replication)))
