"""Hooks that somebody installed on the model before the sweep."""

import numpy as np
import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.interventions import patches
from interp_lab.types import Site
from tests.engine.compare import difference, plain, require_literal
from tests.engine.models import diverging, hooked, prompts
from tests.oracles import patching as oracle

HEADS = [[Site.of_head(layer, head)] for layer in range(3) for head in range(4)]
RESIDUAL = [[Site("blocks.1.hook_resid_pre", position=at)] for at in (2, 5, 7)]


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request):
    return hooked(request.param)


@pytest.fixture
def base(model):
    return prompts(model)


@pytest.fixture
def source(base):
    return diverging(base, [3, 0, 6, 1], n_tokens=20)


def halved(activation, hook):
    return activation / 2


def moved_at_two(activation, hook):
    activation = activation.clone()
    activation[:, 2] += torch.linspace(-1, 1, activation.shape[-1])  # a constant, a norm would take away
    return activation


def only_the_second_prompt(activation, hook):
    activation = activation.clone()
    activation[1] += torch.linspace(-1, 1, activation.shape[-1])
    return activation


@pytest.fixture
def hooked_by_user(model, request):
    name, function = request.param
    model.add_hook(name, function)
    yield
    model.reset_hooks()


class TestHooksOfTheUser:
    """Whatever was installed on the model takes part, as it does in the oracle."""

    blocks = "blocks.0.hook_resid_post", "blocks.2.hook_attn_out", "blocks.1.attn.hook_z", "blocks.1.hook_resid_pre"

    @pytest.mark.parametrize("hooked_by_user", [(place, halved) for place in (*blocks, "hook_embed")], indirect=True)
    def test_that_act_everywhere_alike(self, hooked_by_user, model, base, source):
        groups = HEADS + RESIDUAL + [[Site("blocks.1.hook_resid_pre")], [Site("blocks.0.hook_resid_post")]]
        require_literal(model, base, patches(model, groups, source, base=base), moves=False)

    @pytest.mark.parametrize("function", [moved_at_two, only_the_second_prompt])
    @pytest.mark.parametrize("place", blocks[:3])
    def test_that_index_positions_or_prompts_take_part_exactly_or_are_refused(
        self, model, base, source, place, function
    ):
        """A sweep shows hooks other batches and fewer positions than the prompts have; it may not do so in silence."""
        made = patches(model, HEADS + RESIDUAL, source, base=base)
        metric, literal = difference(model, base)
        model.add_hook(place, function)
        try:
            expected, baseline = oracle.literal_sweep(model, base, [plain(each, 4) for each in made], literal)
            try:
                found = sweep(model, base, made, metric)
            except ValueError as refusal:
                assert place in str(refusal)  # noqa: PT017 - being right is fine, too
                return
        finally:
            model.reset_hooks()
        np.testing.assert_allclose(found.values, expected.numpy(), atol=1e-9)
        np.testing.assert_allclose(found.baseline, baseline.numpy(), atol=1e-9)

    @pytest.mark.parametrize("part", ["blocks.1", "blocks.1.attn", "blocks.0.mlp", "blocks.1.ln1"])
    @pytest.mark.parametrize("before", [False, True], ids=["behind", "before"])
    def test_on_modules_that_are_no_hook_points(self, model, base, source, part, before):
        module = model.get_submodule(part)
        if before:
            handle = module.register_forward_pre_hook(lambda _, args: tuple(arg * 1.5 for arg in args))
        else:
            handle = module.register_forward_hook(lambda *_: _[-1] * 1.5)
        try:
            require_literal(model, base, patches(model, HEADS[:5], source, base=base), moves=False)
        finally:
            handle.remove()
