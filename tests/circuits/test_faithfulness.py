"""Shares of behaviour: worked by hand, in both orders of averaging, and refused where they mean nothing."""

import numpy as np
import pytest

from interp_lab.circuits.faithfulness import faithfulness, folded, share_values
from interp_lab.stats import bootstrap_interval

MEANS, RATIOS = "ratio of means", "mean of ratios"


def of(circuit, whole, empty=None, **options):
    whole = np.array(whole, dtype=float)
    empty = np.zeros_like(whole) if empty is None else np.array(empty, dtype=float)
    return faithfulness(np.array(circuit, dtype=float), whole=whole, empty=empty, **options)


def estimates(found):
    return {order: share.estimate for order, share in found.shares.items()}


class TestShares:
    def test_by_hand(self):
        """Kept 2 of 4 and 8 of 8, twice: together 20 of 24, on average three quarters."""
        found = estimates(of([2, 8, 2, 8], [4, 8, 4, 8]))
        assert found == {MEANS: pytest.approx(10 / 12), RATIOS: pytest.approx(0.75)}

    def test_are_taken_of_what_the_model_gains_over_the_empty_circuit(self):
        found = of([3, 5, 4], [5, 9, 7], [1, 1, 1])
        assert estimates(found) == {MEANS: pytest.approx(0.5), RATIOS: pytest.approx(0.5)}
        assert (found.kept.estimate, found.total.estimate) == (3, 6)

    def test_are_1_for_the_model_and_0_for_the_empty_circuit_whatever_the_prompts(self):
        rng = np.random.default_rng(0)
        whole, empty = rng.normal(5, 1, 20), rng.normal(0, 1, 20)
        for circuit, share in ((whole, 1.0), (empty, 0.0)):
            found = faithfulness(circuit, whole=whole, empty=empty)
            for order in (MEANS, RATIOS):
                np.testing.assert_allclose([found.shares[order].low, found.shares[order].high], share, atol=1e-12)

    def test_do_not_change_with_the_sign_or_unit_of_the_metric(self):
        plain, costs = of([2, 8, 3], [4, 8, 5]), of([-20, -80, -30], [-40, -80, -50])
        assert estimates(plain) == pytest.approx(estimates(costs))
        assert costs.distance.estimate == pytest.approx(10 * plain.distance.estimate)

    def test_of_circuits_that_share_nothing_add_up_to_that_of_both(self):
        """If what they keep does: f is linear in what is kept."""
        whole = np.array([4.0, 8.0, 6.0])
        parts = of([1, 2, 3], whole), of([3, 6, 3], whole)
        for order in (MEANS, RATIOS):
            assert sum(part.shares[order].estimate for part in parts) == pytest.approx(1.0)


class TestIntervals:
    def test_of_the_ratio_of_means_are_those_of_resampling_both(self):
        """The delta method against a literal bootstrap of templates."""
        rng = np.random.default_rng(1)
        clusters = np.repeat(np.arange(40), 5)
        total = rng.normal(4, 1, 200) + rng.normal(0, 1, 40)[clusters]
        kept = 0.7 * total + rng.normal(0, 0.5, 200) + rng.normal(0, 0.3, 40)[clusters]
        found = faithfulness(kept, whole=total, empty=np.zeros(200), clusters=clusters).shares[MEANS]
        drawn = [np.concatenate([np.arange(5) + 5 * c for c in rng.integers(40, size=40)]) for _ in range(4000)]
        low, high = np.quantile([kept[rows].mean() / total[rows].mean() for rows in drawn], [0.025, 0.975])
        assert found.low == pytest.approx(low, abs=0.1 * (high - low))
        assert found.high == pytest.approx(high, abs=0.1 * (high - low))

    def test_treat_repeats_of_a_template_as_one(self):
        rng = np.random.default_rng(2)
        circuit, whole = rng.normal(3, 1, 10), rng.normal(5, 1, 10)
        once, repeated = of(circuit, whole), of(np.tile(circuit, 9), np.tile(whole, 9), clusters=np.tile(range(10), 9))
        assert repeated.shares[MEANS].high == pytest.approx(once.shares[MEANS].high, abs=1e-9)
        assert of(np.tile(circuit, 9), np.tile(whole, 9)).shares[MEANS].high < once.shares[MEANS].high

    def test_of_a_distance_start_at_zero_where_the_difference_covers_it(self):
        values = np.array([[-3.0, -2.0, -4.0, -3.0], [-1.0, 2.0, -2.0, 1.0]])
        apart, near = (folded(bootstrap_interval(values)).at(nth) for nth in (0, 1))
        assert apart.estimate == 3.0
        assert apart.low == pytest.approx(-bootstrap_interval(values).high[0])
        assert (near.estimate, near.low) == (0.0, 0.0)
        assert near.high > 1


class TestGuards:
    def test_a_circuit_clearly_better_than_the_model_is_told(self):
        whole = np.array([3.0, 4.0, 5.0, 4.0])
        assert of(1.3 * whole, whole).exceeds() == (MEANS, RATIOS)
        assert of(whole, whole).exceeds() == ()
        assert of([9, 1, 9, 1], whole).exceeds() == (), "the mean is above 1, and may well be by chance"
        assert of(1.005 * whole, whole).exceeds() == ()
        assert of(1.005 * whole, whole).exceeds(margin=0.001) == (MEANS, RATIOS)

    def test_nothing_to_share_is_refused_and_the_raw_values_are_given(self):
        found = of([1, 1, 1, 1], [3, -3, 2, -2])
        assert found.shares == {}
        assert set(found.refused) == {MEANS, RATIOS}
        assert "covers zero" in found.refused[MEANS]
        assert found.kept.estimate == 1.0
        assert found.distance.estimate == 1.0

    def test_what_rounding_leaves_is_nothing(self):
        assert of([10, 10, 10], [10 + 1e-7] * 3, [10] * 3).shares == {}

    def test_a_prompt_without_a_share_of_its_own_spares_the_ratio_of_means(self):
        found = of([3, 1, 4, 3, 3, 4], [6, 0, 8, 6, 6, 8])
        assert estimates(found) == {MEANS: pytest.approx(18 / 34)}
        assert "on 1 of 6 prompts" in found.refused[RATIOS]

    def test_prompts_that_count_against_are_counted(self):
        assert of([1] * 8, [4, 5, 4, 5, 4, 5, 6, -1]).n_against == 1
        assert of([-1] * 8, [-4, -5, -4, -5, -4, -5, -6, 1]).n_against == 1

    def test_bad_input(self):
        with pytest.raises(ValueError, match=r"measured on \[2, 3, 3\] prompts"):
            of([1, 2], [1, 2, 3])
        with pytest.raises(ValueError, match="metric of a circuit is nan at example 1"):
            of([1, np.nan, 2], [1, 2, 3])
        with pytest.raises(ValueError, match="1 cluster among 3 examples"):
            of([1, 2, 2], [1, 2, 3], clusters=["a"] * 3)


def test_values_whose_mean_is_the_share():
    kept, total = np.array([[2.0, 8.0], [1.0, 1.0]]), np.array([4.0, 8.0])
    np.testing.assert_allclose(share_values(kept, total, order=MEANS).mean(-1), [10 / 12, 2 / 12])
    np.testing.assert_allclose(share_values(kept, total, order=RATIOS), [[0.5, 1.0], [0.25, 0.125]])
