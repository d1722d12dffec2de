"""Importance of parameters: what is active stands out, and what is inert does as seldom as the level says."""

from itertools import combinations

import numpy as np
import pytest

from interp_lab.stats import benjamini_hochberg
from interp_lab.sweeps.importance import FEWEST_TRIALS, Importance, importance_of


def searched(n=36, seed=0):
    """A quadratic in the first of three parameters; the last is one of three choices."""
    rng = np.random.default_rng(seed)
    values = np.column_stack([rng.random(n), rng.random(n), rng.integers(0, 3, n)])
    return values, -((values[:, 0] - 0.3) ** 2) + 0.01 * rng.standard_normal(n)


def measured(values, gains, *, n_choices=(None, None, 3), n_shuffles=199, level=0.95, seed=0):
    n = values.shape[1]
    names = tuple(f"parameter {nth}" for nth in range(n))
    return importance_of(
        values, gains, names=names, n_choices=n_choices[:n], n_shuffles=n_shuffles, level=level, seed=seed
    )


@pytest.fixture(scope="module")
def planted():
    return measured(*searched())


class TestPlanted:
    def test_the_active_one_stands_out_and_no_other(self, planted):
        assert planted.stands_out.tolist() == [True, False, False]
        assert planted.observed[0] > planted.shuffled[:, 0].max()

    def test_an_inert_one_reads_what_it_reads_of_a_shuffled_metric(self, planted):
        assert (planted.observed[1:] < planted.null_high[1:]).all()
        assert (planted.null_median < planted.null_high).all()

    @pytest.mark.parametrize("n_good", [6, 8, 10])
    def test_of_sixteen_trials_a_choice_of_two_that_decides_is_found(self, n_good):
        """Of 12,870 ways to deal out the better half C(10, 8) = 45 are as clear, or two: p is 0.0035 at most."""
        inert = np.random.default_rng(n_good)
        good = np.arange(16) < n_good
        values = np.column_stack([good, inert.permutation(16) % 2, inert.random(16)]).astype(float)
        gains = good + 0.1 * inert.standard_normal(16)
        assert measured(values, gains, n_choices=(2, 2, None)).stands_out.tolist() == [True, False, False]

    def test_what_is_best_is_what_is_highest(self):
        """The better half crowds between 0.45 and 0.55, the worse is everywhere: turned over, less crowds."""
        x = np.concatenate([np.linspace(0.45, 0.55, 15), np.linspace(0, 1, 15)])[:, None]
        gains = np.concatenate([np.arange(100, 115), np.arange(15) * 7 % 15]).astype(float)
        best, worst = (measured(x, sign * gains).observed[0] for sign in (1, -1))
        assert best > 1.5 * worst


class TestInert:
    """Every way to deal out the better half, each as likely as any other if nothing matters: rates are exact."""

    @staticmethod
    def found(values, n_choices):
        n, rates = len(values), []
        for best in combinations(range(n), (n + 1) // 2):
            gains = np.isin(np.arange(n), best).astype(float)
            rates.append(measured(values, gains, n_choices=n_choices, n_shuffles=99, seed=len(rates)).stands_out)
        return np.array(rates)

    @pytest.mark.parametrize("n_good", [3, 5])
    def test_a_choice_of_two_stands_out_no_more_often_than_the_level(self, n_good):
        choice = (np.arange(10) < n_good).astype(float)[:, None]
        assert self.found(choice, (2,)).mean() <= 0.05

    def test_nor_does_any_of_several(self):
        values = np.random.default_rng(0).random((9, 3))
        values[:, 2] = np.arange(9) % 3
        assert 0 < self.found(values, (None, None, 3)).any(axis=1).mean() <= 0.05


class TestRule:
    def test_p_counts_the_trials_as_they_are_among_the_shuffles(self):
        """Of nineteen shuffles 0.05 to 0.95, one is at least 0.95, eleven are at least 0.45, and none is above 1."""
        shuffled = np.tile(np.linspace(0.05, 0.95, 19)[:, None], 3)
        found = Importance(("a", "b", "c"), np.array([0.95, 0.45, 1.0]), shuffled, 0.95)
        assert found.p.tolist() == pytest.approx([2 / 20, 12 / 20, 1 / 20])
        assert found.adjusted_p.tolist() == benjamini_hochberg(found.p).tolist() == pytest.approx([0.15, 0.6, 0.15])
        assert (found.null_median[0], found.null_high[0]) == pytest.approx((0.5, 0.905))

    @pytest.mark.parametrize(("n", "clear"), [(1, True), (2, False)])
    def test_stands_out_by_the_adjusted_p(self, n, clear):
        shuffled = np.zeros((19, n))
        observed = np.array([1.0, 0.0])[:n]
        assert Importance(("a", "b")[:n], observed, shuffled, 0.95).stands_out[0] == clear

    def test_what_differs_by_rounding_is_no_less(self):
        shuffled = np.full((19, 1), 0.3 * (1 - 1e-14))
        assert Importance(("a",), np.array([0.3]), shuffled, 0.95).p == [1.0]

    def test_many_parameters_take_more_shuffles(self):
        values = np.random.default_rng(0).permuted(np.tile(np.arange(12.0)[:, None] % 2, 30), axis=0)
        assert measured(values, np.arange(12.0), n_choices=(2,) * 30, n_shuffles=99).shuffled.shape == (600, 30)


class TestInvariance:
    def test_the_same_seed_gives_the_same_bits(self):
        values, gains = searched(n=12)
        one, two = (measured(values, gains) for _ in range(2))
        assert (one.observed == two.observed).all()
        assert (one.shuffled == two.shuffled).all()
        assert (one.shuffled != measured(values, gains, seed=1).shuffled).any()

    def test_only_the_order_of_the_metric_counts_and_no_parameter_of_another(self):
        values, gains = searched(n=12)
        whole = measured(values, gains)
        alone = measured(values[:, :2], np.exp(5 * gains))
        assert (whole.observed[:2] == alone.observed).all()
        assert (whole.shuffled[:, :2] == alone.shuffled).all()

    def test_arrays_hold_all_of_it(self, planted):
        again = Importance.from_arrays(planted.arrays(), level=0.95)
        assert again is not None
        assert again.names == planted.names
        assert (again.adjusted_p == planted.adjusted_p).all()
        assert (again.observed == planted.observed).all()
        assert Importance.from_arrays({}, level=0.95) is None

    def test_ties_that_fill_the_better_half_tell_nothing(self):
        values, _ = searched(n=12)
        whole = measured(values, np.where(np.arange(12) == 0, -1.0, 0.0))  # eleven of twelve are best
        assert np.isfinite(whole.shuffled).all()
        assert not whole.stands_out.any()


class TestRefusals:
    def test_too_few_trials(self):
        values, gains = searched(n=FEWEST_TRIALS - 1)
        with pytest.raises(ValueError, match="8 trials are too few to say what matters; at least 9"):
            measured(values, gains)

    def test_a_constant_metric(self):
        values, gains = searched(n=12)
        with pytest.raises(ValueError, match="the same for all trials: there is nothing to rank"):
            measured(values, np.full_like(gains, 0.5))

    def test_what_is_not_finite(self):
        values, gains = searched(n=12)
        gains[3] = np.nan
        with pytest.raises(ValueError, match="must be finite; leave out trials that have none"):
            measured(values, gains)
