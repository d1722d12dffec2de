"""Multiply-adds: a cached step runs one token, a prefill unembeds one position."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
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


def steering(op, n_layers, **options):
    sites = tuple(Site(f"blocks.{layer}.hook_resid_post") for layer in range(n_layers))
    return Steer(Intervention(sites, op, (torch.ones(48).cumsum(0),) * n_layers, "steer"), **options)


@pytest.mark.parametrize("op", [Op.ADD, Op.CLAMP, Op.PROJECT_OUT])
def test_a_steered_step_costs_no_matrix_product(model, op):
    """In all layers, with a coefficient per row, audited: elementwise, all of it (bounded below)."""
    steer = steering(op, SHAPE["n_layers"], coefficients=torch.linspace(0.1, 1, BATCH))
    assert flops_of_each_step(model, steers=[steer]) == flops_of_each_step(model)


class Written(TorchDispatchMode):
    """Numbers that operations write, views left out."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        views = [part.alias_info is not None and not part.alias_info.is_write for part in func._schema.returns]
        if not any(views) and isinstance(out, torch.Tensor) and out.is_floating_point():
            self.numbers += out.numel()
        return out


def written_per_token(model, steers):
    """Per row, in a step of one token each: the third, when all that is prepared once is there."""
    under_way = stream(model, prompts(), DecodingSettings(max_new_tokens=N_NEW, stop_tokens=()), steers=steers)
    next(under_way), next(under_way)
    with Written() as counter:
        next(under_way)
    return counter.numbers / BATCH


@pytest.mark.parametrize(
    ("op", "vectors"), [(Op.ADD, 3), (Op.PROJECT_OUT, 5), (Op.CLAMP, 5)], ids=["add", "project out", "clamp"]
)
@pytest.mark.parametrize("options", [{}, {"coefficients": torch.linspace(0.1, 1, BATCH)}], ids=["plain", "doses"])
@pytest.mark.parametrize("n_layers", [1, 3])
def test_a_steered_token_writes_a_few_vectors_per_layer(op, vectors, options, n_layers):
    """A copy, the sum (or two products, and the difference) and the change for the audit; and a few numbers."""
    model = tiny_model(normalization_type="LNPre", **SHAPE)
    added = written_per_token(model, [steering(op, n_layers, **options)]) - written_per_token(model, [])
    share = op is Op.PROJECT_OUT and bool(options)  # part of the way is one vector more
    assert 2 * 48 * n_layers <= added <= ((vectors + share) * 48 + 6) * n_layers


def test_rows_that_have_stopped_cost_nothing(model):
    def total(lengths):
        settings = [DecodingSettings(max_new_tokens=n, stop_tokens=()) for n in lengths]
        with FlopCounterMode(display=False) as counter:
            decode(model, prompts()[: len(lengths)], settings)
        return counter.get_total_flops()

    assert total([1, 1, 1, N_NEW]) == 3 * total([1]) + total([N_NEW])
