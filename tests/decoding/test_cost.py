"""Multiply-adds: a cached step runs one token, a prefill unembeds one position."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from interp_lab.decoding import DecodingSettings, Steer, decode, stream
from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site
from tests.tiny import tiny_model

SHAPE = {"n_layers": 3, "d_model": 48, "d_head": 12, "n_heads": 4, "d_mlp": 192, "d_vocab": 500, "n_ctx": 200}
KINDS = {
    "standard": {},
    "rotary": {"positional_embedding_type": "rotary"},
    "alibi": {"positional_embedding_type": "alibi"},
}
BATCH, LENGTH, N_NEW = 4, 60, 8


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return tiny_model(normalization_type="LNPre", **SHAPE, **KINDS[request.param])


def prompts():
    return torch.randint(500, (BATCH, LENGTH), generator=torch.Generator().manual_seed(0))


def flops_of_each_step(model, **options):
    settings = DecodingSettings(max_new_tokens=N_NEW, stop_tokens=())
    under_way, counted = stream(model, prompts(), settings, **options), []
    for _ in range(N_NEW):
        with FlopCounterMode(display=False) as counter:
            next(under_way)
        counted.append(counter.get_total_flops())
    return counted


def needed(n_tokens, *, context):
    """Flops (two per multiply-add) to run some tokens that look at a context, and to unembed one position."""
    weights = SHAPE["n_layers"] * (4 * 48 * 48 + 2 * 48 * 192)
    attention = SHAPE["n_layers"] * 2 * 48 * context
    return 2 * BATCH * (n_tokens * (weights + attention) + 48 * 500)


def test_a_cached_step_costs_what_one_token_needs(model):
    for nth, counted in enumerate(flops_of_each_step(model)[1:], start=1):
        assert needed(1, context=LENGTH + nth) <= counted <= 1.15 * needed(1, context=LENGTH + nth)


def test_the_prefill_unembeds_the_last_position_only(model):
    counted = flops_of_each_step(model)[0]
    assert counted <= 1.15 * needed(LENGTH, context=LENGTH)
    everywhere = 2 * BATCH * (LENGTH - 1) * 48 * 500
    assert counted < 1.15 * needed(LENGTH, context=LENGTH) < needed(LENGTH, context=LENGTH) + everywhere


def test_without_a_cache_every_step_runs_everything(model):
    counted = flops_of_each_step(model, cache=False)
    assert counted[-1] > 0.9 * needed(LENGTH + N_NEW - 1, context=LENGTH)
    assert counted[-1] > 20 * flops_of_each_step(model)[-1]


def test_a_steered_step_costs_no_more(model):
    """Adding and auditing are elementwise: no multiply-adds in matrix products."""
    steer = Steer(Intervention((Site("blocks.1.hook_resid_post"),), Op.ADD, (torch.ones(48).cumsum(0),), "steer"))
    assert flops_of_each_step(model, steers=[steer]) == flops_of_each_step(model)


def test_rows_that_have_stopped_cost_nothing(model):
    def total(lengths):
        settings = [DecodingSettings(max_new_tokens=n, stop_tokens=()) for n in lengths]
        with FlopCounterMode(display=False) as counter:
            decode(model, prompts()[: len(lengths)], settings)
        return counter.get_total_flops()

    assert total([1, 1, 1, N_NEW]) == 3 * total([1]) + total([N_NEW])
