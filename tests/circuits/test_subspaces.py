"""Subspaces: an illusion built by hand is called one, and the organism's decision is no illusion."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.circuits.subspaces import (
    Interchange,
    learned_subspace,
    neurons_read_by,
    random_subspaces,
    readable_part,
    subspace_finding,
)
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.tasks import pairs_for
from interp_lab.types import Site
from tests.tiny import tiny_model

NEURONS = Site("blocks.0.mlp.hook_post")


@pytest.fixture(scope="module")
def illusion():
    """Token 1 or 2 decides for answer 1 or 2, by the skip connection alone.

    Neuron 0 is 2 for token 1 and 0 for token 2, and nothing reads it. Neuron 1 is 1 whatever comes, and three times
    what it deviates is added to the logit difference. So neither carries the variable, and a direction between them,
    exchanged, moves neuron 1 by half of what neuron 0 differs.
    """
    model = tiny_model(
        n_layers=1, n_heads=1, d_model=4, d_head=4, d_mlp=2, d_vocab=3, n_ctx=4, act_fn="relu", normalization_type=None
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.embed.W_E[1, 0], model.embed.W_E[2, 0] = 1.0, -1.0
        model.blocks[0].mlp.W_in[0, 0] = 1.0
        model.blocks[0].mlp.b_in[:] = 1.0
        model.blocks[0].mlp.W_out[1, 3] = 3.0
        model.unembed.W_U[0, 1], model.unembed.W_U[0, 2] = 0.5, -0.5
        model.unembed.W_U[3, 1], model.unembed.W_U[3, 2] = 0.5, -0.5
        model.unembed.b_U[1], model.unembed.b_U[2] = -1.5, 1.5  # neuron 1 at rest
    base = torch.tensor([[0, 1], [0, 2]]).repeat(4, 1)
    return model, base, base.flip(0)


def asked(illusion, site=NEURONS):
    model, base, source = illusion
    metric = logit_difference(source[:, -1], base[:, -1])  # above zero where the source's answer is given
    return Interchange(model, base, source, replace(site, position=1), metric)


class TestIllusion:
    def test_the_direction_between_two_idle_neurons_works_and_is_called_an_illusion(self, illusion):
        here = asked(illusion)
        found = subspace_finding(here, here, dim=1, reading=neurons_read_by(illusion[0], 0), steps=120, seed=0)
        assert found.accuracy == 1.0
        assert found.whole == 0.0, "the whole activation carries nothing"
        assert found.readable == 0.0
        assert found.is_illusion
        """Eight of eight: the lower end is where eight in a row come with 2.5%."""
        assert (found.interval().estimate, found.interval().high) == (1.0, 1.0)
        assert found.interval().low == pytest.approx(0.025 ** (1 / 8))

    def test_by_hand(self, illusion):
        """Half of a difference of 2 moves neuron 1 by 1, and the logit difference by 3 of the 1 that decides."""
        here, between = asked(illusion), torch.full((2, 1), 0.5**0.5)
        np.testing.assert_allclose(here.values(between), 3.0 - 1.0, atol=1e-6)
        np.testing.assert_allclose(here.values(torch.eye(2)[:, :1]), -1.0, atol=1e-6)
        assert readable_part(between, neurons_read_by(illusion[0], 0)).abs().flatten().tolist() == [0.0, 1.0]

    def test_the_residual_stream_carries_it_really(self, illusion):
        here = asked(illusion, Site("blocks.0.hook_resid_post"))
        found = subspace_finding(here, here, dim=1, steps=60, seed=0)
        assert (found.accuracy, found.whole, found.is_illusion) == (1.0, 1.0, False)

    def test_a_subspace_that_nothing_reads(self, illusion):
        with pytest.raises(ValueError, match="nothing of the subspace lies in the row space"):
            readable_part(torch.eye(2)[:, :1], neurons_read_by(illusion[0], 0))


class TestOrganism:
    def test_the_decision_on_a_loan_lies_along_one_direction_before_the_last_layers(self):
        """Learned on some applications, it turns others; random directions turn none."""
        model = load_model("organism")
        pairs = pairs_for(model, "grammar/loans", 64, seed=0)
        turned = replace(pairs, answers=pairs.wrong, wrong=pairs.answers).logit_difference()
        everyone = Interchange(
            model, pairs.clean, pairs.corrupted, Site("blocks.1.hook_resid_post"), turned, pairs.mask,
            positions=pairs.answer_position,
        )  # fmt: skip
        splits = pairs.splits(seed=0)
        found = subspace_finding(
            everyone.rows(splits.select), everyone.rows(splits.report), dim=1, steps=60, n_placebos=5, seed=0
        )
        assert found.whole > 0.9
        assert found.interval().low > 0.6
        assert max(found.placebo) < 0.35
        assert found.values.shape == (len(splits.report),)


class TestLearning:
    def test_is_orthonormal_and_the_same_for_the_same_seed(self, illusion):
        here = asked(illusion, Site("blocks.0.hook_resid_post"))
        told = []
        basis = learned_subspace(here, dim=2, steps=5, seed=1, progress=lambda *step: told.append(step))
        torch.testing.assert_close(basis.mT @ basis, torch.eye(2))
        assert torch.equal(basis, learned_subspace(here, dim=2, steps=5, seed=1))
        assert told[-1] == (5, 5, "steps")

    def test_everything_exchanged_is_the_source_run_from_there(self, illusion):
        here = asked(illusion, Site("blocks.0.hook_resid_post"))
        model, _, source = illusion
        with torch.no_grad():
            expected = here.metric(model(source)).numpy()
        np.testing.assert_allclose(here.values(torch.eye(4)), expected, atol=1e-6)

    def test_placebos_are_orthonormal_and_differ(self):
        first, second = random_subspaces(6, dim=2, n=2, seed=0, like=torch.zeros(1))
        torch.testing.assert_close(first.mT @ first, torch.eye(2))
        assert not torch.allclose(first, second)


class TestBadInput:
    def test_dimensions_sites_and_prompts(self, illusion):
        here = asked(illusion)
        with pytest.raises(ValueError, match="dim=3 must lie between 1 and 2"):
            learned_subspace(here, dim=3)
        with pytest.raises(ValueError, match="n_placebos=0"):
            subspace_finding(here, here, dim=1, n_placebos=0)
        with pytest.raises(ValueError, match="is a part of an activation"):
            asked(illusion, Site.of_head(0, 0))
        model, base, source = illusion
        with pytest.raises(ValueError, match="align them token by token"):
            Interchange(model, base, source[:, 1:], NEURONS, here.metric)
