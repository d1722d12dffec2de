"""What is added along directions: equal to the dictionary's own intervention, and nothing where nothing changes."""

import numpy as np
import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.hooks import capture
from interp_lab.interventions import Intervention, Op
from interp_lab.metrics import logit_difference
from interp_lab.sae.causal.directions import Directions, Prompts
from interp_lab.types import Site
from tests.engine.models import hooked, prompts
from tests.engine.test_latents import LinearCodec

HOOK, HEADS = "blocks.1.hook_resid_post", "blocks.1.attn.hook_z"


def on(kind, hook=HOOK):
    model, base = hooked(kind), prompts(hooked(kind))
    metric = logit_difference(torch.zeros(len(base)).long(), torch.ones(len(base)).long())
    return Prompts(model, hook, base, torch.ones_like(base, dtype=torch.bool), metric)


@pytest.mark.parametrize("hook", [HOOK, HEADS], ids=["stream", "heads side by side"])
@pytest.mark.parametrize("kind", ["gpt2 folded", "llama"])
class TestAdding:
    def test_equals_ablating_latents_through_the_dictionary(self, kind, hook):
        run, codec = on(kind, hook), LinearCodec(16)
        latents = codec.encode(capture(run.model, run.tokens, [hook])[hook].clone().flatten(2))
        found = run.measured(run.adding(codec.down, (-latents).unbind(-1), what="silent"))
        literal = [
            Intervention((Site(hook, latent=nth),), Op.REPLACE, (torch.zeros(()),), "zero", codec=codec)
            for nth in range(7)
        ]
        expected = sweep(run.model, run.tokens, literal, run.metric).changes
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert np.abs(found).max() > 1e-2

    def test_vectors_equal_rows(self, kind, hook):
        run, row = on(kind, hook), torch.linspace(-1, 1, 16, dtype=torch.float64)
        change = torch.zeros(run.tokens.shape, dtype=torch.float64)
        change[1, 3], change[2, 5] = 2.0, -1.0
        rows = run.measured(run.adding(row[None], [change], what="row"))
        vectors = run.measured([run.adding_vectors(change[..., None] * row, what="vectors")])
        np.testing.assert_allclose(rows, vectors, atol=1e-9)
        assert (rows[0, [0, 3]] == 0).all()
        assert np.abs(rows[0, [1, 2]]).min() > 1e-6


class TestNothingToAdd:
    def test_is_no_intervention_and_changes_nothing(self):
        run = on("llama")
        nothing = torch.zeros(run.tokens.shape, dtype=torch.float64)
        made = run.adding(torch.ones(2, 16, dtype=torch.float64), [nothing, nothing + 1], what="x")
        assert made[0] is None
        found = run.measured(made)
        assert (found[0] == 0).all()
        assert np.abs(found[1]).min() > 1e-6

    def test_leaves_prompts_and_tokens_before_the_first_change_out(self):
        run, change = on("llama"), torch.zeros(4, 9, dtype=torch.float64)
        change[2, 6:] = 1.0
        (made,) = run.adding(torch.ones(1, 16, dtype=torch.float64), [change], what="x")
        assert made.gate.tolist() == [False, False, True, False]
        assert made.since.tolist()[2] == 6


def test_directions_read_nothing():
    codec = Directions(torch.eye(3))
    assert codec.encode(torch.randn(2, 5, 3)).abs().sum() == 0
    assert codec.decode(torch.tensor([1.0, 2, 3])).tolist() == [1, 2, 3]
