"""What reconstructions are worth, worked by hand: rows A to D, on which six formulae for one name part company."""

import numpy as np
import pytest
import torch

from interp_lab.sae.evaluation.reconstruction import (
    VARIANTS,
    cosine,
    length_ratio,
    r_squared,
    squared_error,
    token_sums,
)


def axes(norms, *, d_in=100, mean=0.0):
    """Two tokens per norm, in opposite directions along an axis of their own: their mean is known exactly."""
    x = torch.zeros(2 * len(norms), d_in, dtype=torch.float64)
    for nth, norm in enumerate(norms):
        x[2 * nth, nth], x[2 * nth + 1, nth] = norm, -norm
    return x + mean


def told(name, x, rebuilt):
    return float(VARIANTS[name](x, rebuilt).mean())


class TestRowsOfTheReference:
    """100 tokens in 64 or 100 dimensions, their mean large; what each row must come to follows by arithmetic."""

    mean = torch.zeros(100, dtype=torch.float64).index_fill(0, torch.tensor([0, 1, 2]), 6.0)

    def test_a_predicting_the_mean_is_worth_nothing(self):
        x = axes([1.0] * 50, mean=self.mean)
        rebuilt = self.mean.expand_as(x)
        assert r_squared(x, rebuilt) == pytest.approx(0.0, abs=1e-12)
        assert told("normalised_mse_uncentred", x, rebuilt) < 0.05  # the same, uncentred, looks like 95%

    def test_b_noise_of_a_fifth_of_the_variance(self):
        x = axes([1.0] * 50, mean=self.mean)
        noise = 0.2**0.5 * axes([1.0] * 50).roll(2, 0)  # squared length .2 for each token, of variance 1
        assert r_squared(x, x + noise) == pytest.approx(0.8)

    def test_c_a_constant_bias_is_an_error(self):
        x = axes([(100 / 0.639) ** 0.5] * 50, mean=self.mean)  # variance 100 / .639, of which a shift by one costs 100
        assert r_squared(x, x + 1) == pytest.approx(0.361)
        error = x - (x + 1)
        assert 1 - error.var(0).sum() / x.var(0).sum() == pytest.approx(1.0)  # blind to it

    def test_d_a_few_large_tokens_badly_reconstructed(self):
        x = axes([1.0] * 99 + [20.0], d_in=200)  # of 998 squared, 800 are of two tokens of 200
        share = torch.tensor([0.04] * 198 + [0.2673] * 2, dtype=torch.float64)  # error over squared length
        rebuilt = x * (1 - share.sqrt()[:, None])
        assert r_squared(x, rebuilt) == pytest.approx(1 - (198 * 0.04 + 800 * 0.2673) / 998)
        assert r_squared(x, rebuilt) == pytest.approx(0.778, abs=1e-3)
        assert told("legacy_explained_variance", x, rebuilt) == pytest.approx(1 - (198 * 0.04 + 2 * 0.2673) / 200)
        assert 1 - told("fraction_of_variance_unexplained_batch", x, rebuilt) == pytest.approx(0.778, abs=1e-3)
        assert told("legacy_explained_variance", x, rebuilt) == pytest.approx(0.958, abs=1e-3)  # looks better


class TestRSquared:
    def test_bounds(self):
        x = axes([1.0, 2.0, 3.0], mean=5.0)
        assert r_squared(x, x) == 1.0
        assert r_squared(x, torch.zeros_like(x)) < 0

    def test_does_not_depend_on_batches_where_others_do(self):
        x = axes([1.0, 2.0, 3.0, 4.0], d_in=8, mean=2.0)
        rebuilt = 0.8 * x
        halves = [(x[::2], rebuilt[::2]), (x[1::2], rebuilt[1::2])]
        for name in ("legacy_explained_variance", "fraction_of_variance_unexplained_batch"):
            apart = np.mean([told(name, *half) for half in halves])
            assert apart != pytest.approx(told(name, x, rebuilt), abs=1e-3)

    def test_refuses_equal_activations(self):
        with pytest.raises(ValueError, match="5 equal activations have no variance"):
            r_squared(torch.ones(5, 2), torch.ones(5, 2))


class TestTokens:
    x = torch.tensor([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    rebuilt = torch.tensor([[3.0, 0.0], [0.0, 3.0], [1.0, 0.0]])

    def test_by_hand(self):
        assert squared_error(self.x, self.rebuilt).tolist() == [16.0, 1.0, 1.0]
        torch.testing.assert_close(cosine(self.x, self.rebuilt), torch.tensor([0.6, 1.0, 0.0]))
        torch.testing.assert_close(length_ratio(self.x, self.rebuilt), torch.tensor([0.6, 1.5, 0.0]))

    def test_relative_bias_is_the_factor_that_undoes_shrinkage(self):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(50, 4, generator=generator)
        rebuilt = 0.7 * x + 0.2 * torch.randn(50, 4, generator=generator)
        sums = {name: values.sum() for name, values in token_sums(x, rebuilt).items()}
        bias = float(sums["squared_norm"] / sums["inner"])
        lost = {factor: float(squared_error(x, rebuilt / factor).sum()) for factor in (bias, bias - 0.01, bias + 0.01)}
        assert min(lost, key=lambda factor: lost[factor]) == bias
        assert token_sums(x, 0.5 * x)["squared_norm"].sum() / token_sums(x, 0.5 * x)["inner"].sum() == pytest.approx(
            0.5
        )
