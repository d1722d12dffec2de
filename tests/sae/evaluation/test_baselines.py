"""Baselines: principal components are the best there is, random directions are searched as the textbook says."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import orthogonal_mp

from interp_lab.sae.activations.reading import pieces
from interp_lab.sae.evaluation import fitting
from interp_lab.sae.evaluation.baselines import (
    Constant,
    PrincipalComponents,
    SearchedDirections,
    pursue,
    random_directions,
    unit,
)
from interp_lab.sae.evaluation.reconstruction import r_squared
from tests.oracles.evaluation import orthogonal_matching_pursuit
from tests.sae.evaluation.small import IDENTITY, RESID, bundled, config, measured, model


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

    def test_is_that_of_scikit_learn(self):
        directions = random_directions(60, 20, seed=3).double()
        targets = torch.randn(12, 20, generator=_seeded(2)).double()
        chosen, codes = pursue(targets, directions, n_active=6)
        expected = orthogonal_mp(directions.T.numpy(), targets.T.numpy(), n_nonzero_coefs=6).T
        found = torch.zeros(12, 60).double().scatter_(1, chosen, codes)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
        assert (found < 0).any()
        assert (found > 0).any()

    def test_a_direction_counts_whichever_way_it_points(self):
        directions = random_directions(50, 16, seed=1)
        flipped = directions * torch.where(torch.arange(50) % 2 == 0, 1.0, -1.0)[:, None]
        x = torch.randn(9, 16, generator=_seeded(5))
        chosen, codes = pursue(x, directions, n_active=4)
        again, turned = pursue(x, flipped, n_active=4)
        assert torch.equal(chosen, again)
        torch.testing.assert_close(codes.abs(), turned.abs(), rtol=1e-3, atol=1e-4)

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


class TestDirections:
    def test_has_as_many_active_as_it_should(self):
        codec = SearchedDirections(torch.full((16,), 3.0), random_directions(64, 16, seed=0), 5)
        torch.testing.assert_close(codec.decode(torch.zeros(1, 64)), torch.full((1, 16), 3.0))
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


def test_rows_of_no_length_are_no_directions():
    torch.testing.assert_close(unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]])), torch.tensor([[0.6, 0.8]]))


def train_side_rows(hook, own):
    reading = fitting.reading_config(model(), hook, config=own, fit=True)
    return torch.cat([piece.activations(model(), reading)[hook] for piece in pieces(model(), reading)])


class TestInAnEvaluation:
    """Every searched baseline, done again by scikit-learn on the tokens that are measured on."""

    @pytest.fixture(scope="class")
    def found(self):
        sae = bundled()
        return sae, measured({"sae": sae}, sae.hook, n_tokens=80, n_fit_tokens=150)

    @pytest.fixture(scope="class")
    def rows(self, found):
        sae, one = found
        reading = fitting.reading_config(model(), sae.hook, config=one.config, fit=False)
        held_out = torch.cat([piece.activations(model(), reading)[sae.hook] for piece in pieces(model(), reading)])
        return held_out, train_side_rows(sae.hook, one.config)

    @staticmethod
    def searched(x, origin, directions, *, n=16):
        around = (x - origin).double()
        codes = orthogonal_mp(directions.double().T.numpy(), around.T.numpy(), n_nonzero_coefs=n).T
        return torch.from_numpy(codes @ directions.double().numpy()) + origin.double()

    def test_random_has_as_many_directions_as_the_autoencoder_and_as_many_active(self, found, rows):
        sae, one = found
        (name,) = (name for name in one.baselines["sae"] if name.startswith("random"))
        assert name == "random_1024_16"
        assert one.interval(name, "l0").estimate == 16
        assert len(one.fired[name]) == 1024
        x, fit = rows
        rebuilt = self.searched(x, fit.mean(0), random_directions(sae.n_latents, sae.d_in, seed=0))
        assert one.interval(name, "r2").estimate == pytest.approx(r_squared(x, rebuilt), abs=2e-3)

    def test_data_are_activations_of_the_train_side_none_twice(self, found, rows):
        _, one = found
        (name,) = (name for name in one.baselines["sae"] if name.startswith("data"))
        x, fit = rows
        assert name == "data_150_16"  # there are no more
        assert (
            "150 train-side activations as directions, 16 per token chosen by orthogonal"
            in dict(zip(one.names, one.described, strict=True))[name]
        )
        rebuilt = self.searched(x, fit.mean(0), unit(fit - fit.mean(0)))
        assert one.interval(name, "r2").estimate == pytest.approx(r_squared(x, rebuilt), abs=2e-3)

    def test_own_are_the_autoencoders_directions_and_nothing_is_claimed_on_them(self, found, rows):
        sae, one = found
        x, _ = rows
        assert "own_sae" in one.names
        assert "own_sae" not in one.baselines["sae"]
        assert not any("own_sae" in claim.effect.control for claim in one.claims())
        rebuilt = self.searched(x, sae.sae.b_dec.detach(), unit(sae.sae.W_dec.detach()))
        assert one.interval("own_sae", "r2").estimate == pytest.approx(r_squared(x, rebuilt), abs=2e-3)
        assert one.interval("own_sae", "r2").estimate > one.interval("sae", "r2").estimate
        assert "leaves on the table" in one.sections()[1].suggests

    def test_what_decodes_in_no_straight_line_has_no_own(self):
        found = measured({"identity": IDENTITY}, n_tokens=60, n_fit_tokens=60, baselines=("own",))
        assert found.names == ("identity", "mean", "zero")

    def test_as_many_activations_as_there_are_latents_are_drawn_by_the_seed(self):
        own = config(baselines=("data",), n_fit_tokens=400)
        first, again, other = (
            fitting.fit(model(), {"identity": IDENTITY}, RESID, config=own.overlaid({"seed": seed})).drawn
            for seed in (0, 0, 1)
        )
        rows = train_side_rows(RESID, own)
        where = [int((rows == row).all(-1).nonzero()[0]) for row in first]
        assert len(first) == 128 == len(set(map(tuple, first.tolist())))
        assert max(where) > 300
        assert where != sorted(where)
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    def test_fewer_rounds_are_told(self):
        found = measured({"identity": IDENTITY}, n_tokens=60, n_fit_tokens=60, baselines=("random",), search_rounds=4)
        told = dict(zip(found.names, found.described, strict=True))["random_128_128"]
        assert "128 per token chosen by orthogonal matching pursuit in 4 rounds, codes of either sign" in told


def test_a_constant_has_no_latents():
    codec = Constant(torch.arange(3.0))
    latents = codec.encode(torch.zeros(2, 4, 3))
    assert latents.shape == (2, 4, 0)
    assert codec.decode(latents)[1, 2].tolist() == [0, 1, 2]


def test_the_mean_comes_from_the_train_side():
    found = measured({"identity": IDENTITY}, RESID, baselines=())
    r2 = found.interval("mean", "r2")
    assert r2.estimate < 0 or r2.estimate == pytest.approx(0, abs=1e-12)  # no constant beats the text's own mean
