"""Risk by coverage: by hand, ties as the mean over orders, and the spread of the area as resampling has it."""

from itertools import permutations

import numpy as np
import pytest

from interp_lab.stats import bootstrap_interval
from interp_lab.stats.risk_coverage import aurc, aurc_by_example, excess_aurc_by_example, risk_coverage

CONFIDENCE, RIGHT = np.array([0.8, 0.95, 0.6, 0.7]), np.array([0.0, 1.0, 1.0, 0.0])


def literally(confidence, right):
    order = sorted(range(len(right)), key=lambda nth: -confidence[nth])
    risks = [sum(1 - right[nth] for nth in order[:n]) / n for n in range(1, len(order) + 1)]
    return sum(risks) / len(risks)


class TestCurve:
    def test_by_hand(self):
        curve = risk_coverage(CONFIDENCE, RIGHT)
        assert curve["coverage"].tolist() == [0.25, 0.5, 0.75, 1.0]
        assert curve["risk"].tolist() == pytest.approx([0, 1 / 2, 2 / 3, 2 / 4])

    def test_a_constant_has_the_same_risk_everywhere(self):
        assert risk_coverage(np.full(4, 0.7), RIGHT)["risk"].tolist() == pytest.approx([0.5] * 4)


class TestArea:
    def test_is_the_mean_of_the_curve(self):
        assert aurc(CONFIDENCE, RIGHT) == pytest.approx(np.mean([0, 1 / 2, 2 / 3, 2 / 4]))
        rng = np.random.default_rng(0)
        confidence, right = rng.random(60), (rng.random(60) < 0.6).astype(float)
        assert aurc(confidence, right) == pytest.approx(literally(confidence, right))

    def test_ties_are_the_mean_over_all_their_orders(self):
        confidence, right = np.array([0.9, 0.5, 0.5, 0.5, 0.1]), np.array([1.0, 0.0, 1.0, 0.0, 1.0])
        orders = [np.array([0.9, *order, 0.1]) for order in permutations([0.4, 0.5, 0.6])]
        assert aurc(confidence, right) == pytest.approx(np.mean([literally(one, right) for one in orders]))

    def test_nothing_lies_beyond_the_least_where_the_wrong_ones_come_last(self):
        confidence = np.array([0.9, 0.8, 0.2, 0.1])
        assert excess_aurc_by_example(confidence, np.array([1.0, 1.0, 0.0, 0.0])).mean() == pytest.approx(0, abs=1e-12)
        assert excess_aurc_by_example(CONFIDENCE, RIGHT).mean() == pytest.approx(
            aurc(CONFIDENCE, RIGHT) - (0 + 0 + 1 / 3 + 2 / 4) / 4
        )

    @pytest.mark.parametrize(
        ("told", "levels"), [(1.0, None), (0.0, None), (-1.0, None), (1.0, 5), (0.5, 1)],
        ids=["right ones surer", "no difference", "wrong ones surer", "six levels alone", "two levels alone"],
    )  # fmt: skip
    @pytest.mark.parametrize("by_example", [aurc_by_example, excess_aurc_by_example])
    def test_values_spread_as_areas_of_resamples_do(self, told, levels, by_example):
        """Also where many answers are as confident as each other: each passes the others in half of the orders."""
        rng = np.random.default_rng(1)
        confidence = rng.random(300) if levels is None else np.round(rng.random(300) * levels) / levels
        right = (rng.random(300) < 0.5 + told * (confidence - 0.5)).astype(float)
        rows = rng.integers(300, size=(500, 300))
        resampled = np.std([by_example(confidence[at], right[at]).mean() for at in rows])
        assert by_example(confidence, right).std() / np.sqrt(300) == pytest.approx(resampled, rel=0.1)

    def test_its_interval_holds_the_true_area_about_as_often_as_it_says(self):
        rng = np.random.default_rng(2)
        confidence = rng.random((300, 200))
        right = (rng.random((300, 200)) < confidence).astype(float)
        many = rng.random(200_000)
        true = aurc(many, (rng.random(200_000) < many).astype(float))
        values = np.stack([aurc_by_example(*one) for one in zip(confidence, right, strict=True)])
        found = bootstrap_interval(values, method="t")
        assert np.mean((found.low <= true) & (true <= found.high)) > 0.9

    def test_lengths_that_differ(self):
        with pytest.raises(ValueError, match="2 confidences for 1 outcomes; give one each"):
            aurc(np.array([0.1, 0.5]), np.array([1.0]))
