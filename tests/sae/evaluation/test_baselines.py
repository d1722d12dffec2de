"""Baselines: principal components are the best there is, random directions are searched as the textbook says."""

import pytest
import torch

from interp_lab.sae.evaluation.baselines import Constant, PrincipalComponents, RandomDecoder, pursue, random_directions
from interp_lab.sae.evaluation.reconstruction import r_squared
from tests.oracles.evaluation import orthogonal_matching_pursuit
from tests.sae.evaluation.small import IDENTITY, RESID, measured


def _seeded(seed):
    return torch.Generator().manual_seed(seed)


def stretched(n=400):
    """Tokens with variances 8, 4, 2, 1, 1 along the axes, exactly, and a mean."""
    drawn = torch.randn(n, 5, generator=_seeded(0)).double()
    orthonormal, _ = torch.linalg.qr(drawn - drawn.mean(0))
    return n**0.5 * orthonormal * torch.tensor([8.0, 4.0, 2.0, 1.0, 1.0]).double().sqrt() + 3.0


class TestPrincipalComponents:
    @pytest.mark.parametrize(("n", "share"), [(1, 8 / 16), (2, 12 / 16), (3, 14 / 16), (5, 1.0), (9, 1.0)])
    def test_explain_their_share_of_the_variance(self, n, share):
        x = stretched()
        codec = PrincipalComponents.of(x.mean(0), torch.cov(x.T), n=n)
        assert r_squared(x, codec.decode(codec.encode(x))) == pytest.approx(share)
        assert codec.encode(x).shape == (400, min(n, 5))

    def test_of_an_evaluation_are_those_of_its_train_side(self):
        found = measured({"identity": IDENTITY}, baselines=("pca",), pca_components=(2, 20, 500))
        r2 = {name: found.interval(name, "r2").estimate for name in found.names}
        assert found.names == ("identity", "pca_128", "pca_2", "pca_20", "pca_500", "mean", "zero")
        assert found.baselines == {"identity": ("pca_128",)}
        assert 0 < r2["pca_2"] < r2["pca_20"] < r2["pca_128"]
        assert r2["pca_128"] == pytest.approx(1.0, abs=1e-4) == r2["pca_500"]
        assert found.interval("pca_20", "l0").estimate == 20


class TestPursuit:
    def test_is_orthogonal_matching_pursuit_one_by_one(self):
        directions = random_directions(30, 8, seed=0).double()
        targets = torch.randn(5, 8, generator=_seeded(1)).double()
        chosen, codes = pursue(targets, directions, n_active=4, rounds=4)
        for nth, target in enumerate(targets):
            expected, rest = orthogonal_matching_pursuit(target.tolist(), directions.tolist(), 4)
            assert chosen[nth].tolist() == expected
            torch.testing.assert_close(
                target - codes[nth] @ directions[chosen[nth]], torch.tensor(rest).double(), rtol=0, atol=1e-4
            )

    def test_finds_a_sparse_sum_again(self):
        directions = random_directions(200, 64, seed=0)
        target = (2 * directions[7] + directions[150])[None]
        chosen, codes = pursue(target, directions, n_active=2)
        assert dict(zip(chosen[0].tolist(), codes[0].tolist(), strict=True)) == pytest.approx({7: 2, 150: 1}, abs=1e-3)

    def test_fewer_rounds_are_nearly_as_good(self):
        directions, x = random_directions(256, 64, seed=0), torch.randn(64, 64, generator=_seeded(1))
        left = {}
        for rounds in (4, 8):
            chosen, codes = pursue(x, directions, n_active=8, rounds=rounds)
            assert all(len(set(row)) == 8 for row in chosen.tolist())
            left[rounds] = float((x - (codes[:, None] @ directions[chosen])[:, 0]).square().mean())
        assert left[8] < left[4] < 1.1 * left[8]

    def test_asks_for_no_more_than_there_are(self):
        chosen, _ = pursue(torch.randn(3, 4, generator=_seeded(0)), random_directions(9, 4, seed=0), n_active=7)
        assert chosen.shape == (3, 4)


class TestRandomDecoder:
    def test_has_as_many_active_as_it_should(self):
        codec = RandomDecoder.drawn(torch.zeros(16), 64, n_active=5, seed=0)
        latents = codec.encode(torch.randn(2, 3, 16, generator=_seeded(0)))
        assert latents.shape == (2, 3, 64)
        assert (latents != 0).sum(-1).eq(5).all()
        torch.testing.assert_close(codec.directions.norm(dim=-1), torch.ones(64))

    def test_same_seed_same_directions(self):
        assert torch.equal(random_directions(5, 3, seed=4), random_directions(5, 3, seed=4))
        assert not torch.equal(random_directions(5, 3, seed=4), random_directions(5, 3, seed=5))

    def test_are_not_what_an_autoencoder_of_the_same_seed_began_with(self):
        begun = torch.randn(5, 3, generator=_seeded(4))
        assert not torch.allclose(random_directions(5, 3, seed=4), begun / begun.norm(dim=-1, keepdim=True))


def test_a_constant_has_no_latents():
    codec = Constant(torch.arange(3.0))
    latents = codec.encode(torch.zeros(2, 4, 3))
    assert latents.shape == (2, 4, 0)
    assert codec.decode(latents)[1, 2].tolist() == [0, 1, 2]


def test_the_mean_comes_from_the_train_side():
    found = measured({"identity": IDENTITY}, RESID, baselines=())
    r2 = found.interval("mean", "r2")
    assert r2.estimate < 0 or r2.estimate == pytest.approx(0, abs=1e-12)  # no constant beats the text's own mean
