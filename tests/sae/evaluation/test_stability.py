"""Directions of two dictionaries, matched one to one."""

import itertools

import numpy as np
import pytest
import torch

from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.evaluation.baselines import random_directions
from interp_lab.sae.evaluation.stability import latent_directions, matched_cosines, stability
from tests.sae.evaluation.small import EMBED, Words, measured, model


def shuffled(directions, *, seed=0):
    """The same directions in another order, with other lengths."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(directions), generator=generator)
    return directions[order] * (0.1 + torch.rand(len(directions), 1, generator=generator))


class TestMatchedCosines:
    def test_opposite_directions_are_different_features_but_where_sign_does_not_count(self):
        directions = random_directions(12, 16, seed=0)
        turned = torch.cat([directions[:6], -directions[6:]])
        assert matched_cosines(directions, turned).mean() < 0.8
        np.testing.assert_allclose(matched_cosines(directions, turned, signed=False), 1.0)

    def test_order_and_length_do_not_matter(self):
        directions = random_directions(40, 16, seed=0)
        np.testing.assert_allclose(matched_cosines(directions, shuffled(directions)), 1.0)

    def test_by_hand_no_partner_is_taken_twice(self):
        first = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        second = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
        assert sorted(matched_cosines(first, second).tolist()) == pytest.approx([0.6, 1.0])

    def test_is_the_best_of_all_matchings(self):
        first, second = random_directions(5, 4, seed=1), random_directions(6, 4, seed=2)
        cosines = (first @ second.T).numpy()
        best = max(sum(cosines[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(6), 5))
        assert matched_cosines(first, second).sum() == pytest.approx(best)

    @pytest.mark.parametrize("bad", [torch.zeros(0, 4), torch.zeros(2, 4)], ids=["none", "of no length"])
    def test_refuses_what_has_no_direction(self, bad):
        with pytest.raises(ValueError, match="leave those out"):
            matched_cosines(bad, random_directions(3, 4, seed=0))


class TestControls:
    def test_random_directions_match_at_a_level_of_their_own(self):
        first, second = random_directions(300, 32, seed=11), random_directions(300, 32, seed=12)
        found = stability(("a", "b"), first, second, covariance=torch.eye(32), most=300, seed=0)
        assert found.matched.mean() == pytest.approx(found.isotropic.mean(), abs=0.02)
        assert found.matched.mean() == pytest.approx(found.shaped.mean(), abs=0.02)
        assert 0.3 < found.matched.mean() < 0.8

    def test_what_all_directions_share_is_no_stability(self):
        """Two dictionaries drawn with one large direction in common are like a random one with their covariance."""
        covariance = torch.diag(torch.tensor([30.0] + [1.0] * 31))
        first, second = (random_directions(200, 32, seed=seed) @ covariance.sqrt() for seed in (11, 12))
        found = stability(("a", "b"), first, second, covariance=covariance, most=200, seed=0)
        assert found.matched.mean() > found.isotropic.mean() + 0.1
        assert found.matched.mean() == pytest.approx(found.shaped.mean(), abs=0.02)

    def test_of_many_some_are_drawn(self):
        directions = random_directions(50, 16, seed=0)
        found = stability(("a", "b"), directions, shuffled(directions), covariance=torch.eye(16), most=20, seed=0)
        np.testing.assert_allclose(found.matched, 1.0)
        assert (len(found.matched), found.n_latents, found.n_others) == (20, 50, 50)


def test_directions_of_an_autoencoder_are_its_decoder():
    sae = load_chosen(SaeChoice())
    found = latent_directions(sae, sae.n_latents, device=torch.device("cpu"))
    cosines = torch.nn.functional.cosine_similarity(found, sae.sae.W_dec, dim=-1)
    torch.testing.assert_close(cosines, torch.ones(sae.n_latents))


def test_in_an_evaluation_only_latents_that_fired_are_matched():
    words = model().W_E.detach()
    found = measured(
        {"words": Words(words), "again": Words(words)}, EMBED, baselines=(), stability=[["words", "again"]]
    )
    (one,) = found.stability
    np.testing.assert_allclose(one.matched, 1.0)
    assert one.n_latents == len(words) - found.n_dead("words")
    row = found.tables()["stability"].iloc[0]
    assert row["beyond_shaped_low"] > 0.2
    assert found.metrics()["words.matched_again"] == pytest.approx(1.0)
    assert "have a mean cosine of 1.000" in found.sections()[-1].suggests
    assert "do not say what another pair would give" in found.sections()[-1].does_not_show
