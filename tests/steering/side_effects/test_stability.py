"""Directions from few pairs: the known formula for Gaussian noise, and draws that share nothing."""

import numpy as np
import pytest

from interp_lab.steering.side_effects.cosines import cosine
from interp_lab.steering.side_effects.made_again import made_again
from interp_lab.steering.side_effects.stability import (
    Stability,
    between_draws,
    draws_of,
    expected_cosine,
    filled,
    noise_of,
    over_draws,
)
from tests.steering.side_effects import planted
from tests.steering.side_effects.planted import HOOK, WIDTH, axes

D, SIGMA, GAP = 256, 0.7, 3.0
NOISE = 2 * D * SIGMA**2 / GAP**2
"""Of a pair's difference, over the squared gap: about 28."""


def sides(n, seed, *, d=D):
    rng = np.random.default_rng(seed)
    gap = np.zeros(d)
    gap[0] = GAP
    return [(half * gap + rng.normal(size=(n, d)) * SIGMA)[None] for half in (0.5, -0.5)]


class TestFormula:
    @pytest.mark.parametrize("n", [8, 32, 128])
    def test_is_what_gaussian_pairs_give(self, n):
        truth = np.zeros(D)
        truth[0] = 1.0
        drawn = [np.subtract(*(side.mean(1) for side in sides(n, seed)))[0] for seed in range(40)]
        found = np.mean([cosine(one, truth) for one in drawn])
        assert found == pytest.approx(1 / np.sqrt(1 + 2 * D * SIGMA**2 / (n * GAP**2)), abs=0.02)
        assert expected_cosine(n, NOISE) == pytest.approx(found, abs=0.02)

    @pytest.mark.parametrize("n", [8, 32])
    def test_of_two_draws_is_its_square(self, n):
        drawn = np.stack([np.subtract(*(side.mean(1) for side in sides(n, seed))) for seed in range(30)])
        assert between_draws(drawn).mean() == pytest.approx(expected_cosine(n, NOISE) ** 2, abs=0.02)

    @pytest.mark.parametrize("paired", [True, False])
    def test_noise_is_found_from_the_pairs(self, paired):
        assert noise_of(*sides(4000, 0), paired=paired)[0] == pytest.approx(NOISE, rel=0.05)

    def test_noise_of_few_pairs_is_not_too_small(self):
        """The plain squared gap of 64 pairs is larger than the true one by what noise adds: 28 / 64 of it."""
        found = np.mean([noise_of(*sides(64, seed), paired=True)[0] for seed in range(20)])
        assert found == pytest.approx(NOISE, rel=0.1)

    def test_what_partners_share_is_no_noise(self):
        one, other = sides(500, 0, d=8)
        shared = np.random.default_rng(1).normal(size=one.shape) * 20.0
        paired, apart = (noise_of(one + shared, other + shared, paired=paired)[0] for paired in (True, False))
        assert paired == pytest.approx(2 * 8 * SIGMA**2 / GAP**2, rel=0.15)
        assert apart > 100 * paired


class TestDraws:
    def test_share_no_pair_as_long_as_there_are_two_sets(self):
        rows, apart = draws_of(100, 30, n_draws=8, seed=0)
        assert apart
        assert rows.shape == (3, 30)
        assert len(set(rows.ravel())) == 90

    def test_are_parts_of_the_pool_beyond_that(self):
        rows, apart = draws_of(100, 60, n_draws=8, seed=0)
        assert not apart
        assert rows.shape == (8, 60)
        assert all(len(set(row)) == 60 for row in rows)
        assert len({tuple(sorted(row)) for row in rows}) == 8

    def test_are_the_same_for_the_same_seed_only(self):
        first, again, other = (draws_of(50, 10, n_draws=3, seed=seed)[0] for seed in (4, 4, 5))
        assert (first == again).all()
        assert (first != other).any()

    def test_more_than_there_are_is_refused(self):
        with pytest.raises(ValueError, match="60 pairs cannot be drawn from 50"):
            draws_of(50, 60, n_draws=3, seed=0)


class TestMadeAgain:
    @pytest.fixture(scope="class")
    def found(self):
        """200 further pairs with noise of standard deviation 1 on every axis; the gap is 2 along the first."""
        made, gap = planted.model(), np.array(axes(2.0), dtype=np.float64)
        full = planted.gaussian(made, gap, n=400, noise=np.ones(WIDTH), seed=0)
        pool = planted.gaussian(made, gap, n=200, noise=np.ones(WIDTH), seed=1)
        one = planted.material(made, "first", (full.positive.mean(1) - full.negative.mean(1))[0], answers=1, found=full)
        return made_again(
            planted.applying(made), planted.again(one, pool), layers=(HOOK,), coefficient=1.0,
            config=planted.config(sizes=[8, 32, 512], n_draws=6, depth_pairs=32), seed=0,
        )  # fmt: skip

    def test_leaves_out_sizes_that_the_texts_do_not_allow(self, found):
        assert found.sizes.tolist() == [8, 32]
        assert found.disjoint.tolist() == [True, True]

    def test_cosines_are_those_expected(self, found):
        # variance 2 a pair on each of 32 axes over a squared gap of 4: 64 / 4
        assert found.noise[0] == pytest.approx(16.0, rel=0.1)
        assert np.nanmean(found.to_full[0]) == pytest.approx(found.expected(0, 8.0), abs=0.06)
        assert np.nanmean(found.to_full[1]) == pytest.approx(found.expected(0, 32.0), abs=0.03)

    def test_effects_are_the_cosine_times_the_length(self, found):
        """The readout is the first axis and the last, and every direction is as long as the full one."""
        length, full = 2.0, (found.full - found.clean).mean()
        drawn = (found.drawn - found.clean)[:, :, 0]
        assert full == pytest.approx(length, abs=0.3)
        assert np.nanmean(drawn[1]) == pytest.approx(length * expected_cosine(32, 16.0), abs=0.3)
        assert np.nanstd(drawn[0]) > np.nanstd(drawn[1])

    def test_depth_is_measured_at_its_own_size(self, found):
        assert found.depth_pairs == 32
        assert found.by_layer[0] == pytest.approx(found.full)
        assert found.between_by_layer.shape == (1, 6 * 5 // 2)
        assert found.drawn_by_layer.shape[1] == 6
        assert found.random_by_layer.shape[1] == 5
        assert np.abs(found.random_by_layer - found.clean).mean() < (found.full - found.clean).mean()

    def test_comes_back_from_arrays(self, found):
        again = Stability.from_arrays("x", found.arrays("x"))
        assert again.trait == "first"
        assert again.n_full == 400
        assert np.array_equal(again.drawn, found.drawn, equal_nan=True)


def test_arrays_are_filled_up_with_nan():
    full = filled([np.ones((2, 3)), np.zeros((1, 3))])
    assert full.shape == (2, 2, 3)
    assert np.isnan(full[1, 1]).all()
    assert not np.isnan(full[0]).any()


def test_the_interval_is_over_directions():
    # mean 0.2, standard error 0.1 / sqrt(3), Student with two degrees of freedom: 4.3027
    found = over_draws(np.array([0.1, 0.2, 0.3, np.nan]), level=0.95, seed=0)
    assert found.estimate == pytest.approx(0.2)
    assert found.high - found.estimate == pytest.approx(4.3027 * 0.1 / np.sqrt(3), rel=1e-4)
    assert np.isnan(over_draws(np.array([0.1, np.nan]), level=0.95, seed=0).low)
