"""First-order methods are exact on the linear model, and are not on one whose attention moves."""

import pytest
import torch

from tests.oracles.edges import logit_difference
from tests.organisms.compiled.building import known


def patched(name, hook, index):
    """Change of the logit difference [batch] when a clean activation is put into the corrupted run at an index."""
    compiled, model = known(name)
    clean, corrupted, answers, wrong = compiled.sample_pairs(10, 5)
    _, cache = model.run_with_cache(clean)

    def replace(activation, hook):
        activation = activation.clone()
        activation[index] = cache[hook.name][index]
        return activation

    logits = model.run_with_hooks(corrupted, fwd_hooks=[(hook, replace)])
    return logit_difference(logits, answers, wrong) - logit_difference(model(corrupted), answers, wrong)


def attributed(name, hook, index):
    """The same to first order: gradient at the corrupted run times the difference of the activations."""
    compiled, model = known(name)
    clean, corrupted, answers, wrong = compiled.sample_pairs(10, 5)
    _, cache = model.run_with_cache(clean)
    kept = {}

    def keep(activation, hook):
        kept["value"] = activation.detach().requires_grad_(True)
        return kept["value"]

    logits = model.run_with_hooks(corrupted, fwd_hooks=[(hook, keep)])
    (gradient,) = torch.autograd.grad(logit_difference(logits, answers, wrong).sum(), kept["value"])
    terms = gradient * (cache[hook] - kept["value"].detach())
    chosen = torch.zeros_like(terms)
    chosen[index] = terms[index]
    return chosen.flatten(1).sum(-1)


EVERYWHERE = slice(None)
HEADS = [
    (f"blocks.{layer}.attn.hook_{part}", (EVERYWHERE, EVERYWHERE, head))
    for layer in range(2) for part in "zv" for head in range(4)
]  # fmt: skip
POSITIONS = [
    (f"blocks.{layer}.hook_resid_{part}", (EVERYWHERE, position))
    for layer in range(2) for part in ("pre", "post") for position in range(5, 9)
]  # fmt: skip


class TestAttributionOnTheLinearModel:
    @pytest.mark.parametrize(("hook", "index"), HEADS + POSITIONS)
    def test_equals_patching(self, hook, index):
        by_gradient, by_patch = attributed("compiled/linear", hook, index), patched("compiled/linear", hook, index)
        assert torch.allclose(by_gradient, by_patch, atol=1e-6, rtol=0)

    @pytest.mark.parametrize(
        ("layer", "head", "effect"), [(0, 0, 7.0), (0, 1, 0.0), (1, 0, 8.0), (1, 1, -3.0), (1, 2, 2.0)]
    )
    def test_is_twice_the_total_effect_worked_by_hand(self, layer, head, effect):
        site = f"blocks.{layer}.attn.hook_z", (EVERYWHERE, EVERYWHERE, head)
        assert patched("compiled/linear", *site) == pytest.approx(torch.full((10,), effect).numpy(), abs=1e-6)

    def test_is_not_exact_on_the_induction_model_whose_saturated_attention_has_no_gradient(self):
        site = "blocks.0.attn.hook_z", (EVERYWHERE, EVERYWHERE, 0)
        assert torch.equal(attributed("compiled/induction", *site), torch.zeros(10))
        assert torch.equal(patched("compiled/induction", *site), torch.full((10,), 10.0))  # the match is lost: -10 to 0
