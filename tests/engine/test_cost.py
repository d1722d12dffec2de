"""Multiply-adds done against those needed, worked out from the shape alone."""

from dataclasses import dataclass

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from interp_lab.engine import sweep
from interp_lab.interventions import Ablation, ablations, patches
from interp_lab.metrics import log_probability, next_token_loss
from interp_lab.types import Site
from tests.engine.compare import difference, require_literal
from tests.engine.models import LLAMA, PARALLEL, diverging, left_padding, prompts
from tests.tiny import tiny_model

SHAPE = {"n_layers": 4, "d_model": 64, "d_head": 16, "n_heads": 4, "d_mlp": 256, "d_vocab": 600, "n_ctx": 32}
KINDS = {
    "gpt2": {"normalization_type": "LN"},
    "llama": {**LLAMA, "n_key_value_heads": 2},
    "neox": {**PARALLEL, "normalization_type": "LN", "rotary_dim": 8},
    "attention only": {"normalization_type": "LN", "attn_only": True},
}
N, LENGTH, BOUND = 6, 20, 1.15


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return tiny_model(**SHAPE, **KINDS[request.param])


@dataclass(frozen=True)
class Need:
    """Multiply-adds that no exact method can do without.

    A token in a layer needs its projections (queries and outputs for all heads, keys and values for the key / value
    heads), its MLP, and scores and mixing over the keys up to the last position that is read.
    """

    model: object
    n_columns: int
    last: int = LENGTH - 1
    """Last position that is read."""
    n_read: int = 1

    def layer(self):
        cfg = self.model.cfg
        d, inner = cfg.d_model, cfg.n_heads * cfg.d_head
        shared = (cfg.n_key_value_heads or cfg.n_heads) * cfg.d_head
        mlp = 0 if cfg.attn_only else (3 if cfg.gated_mlp else 2) * d * cfg.d_mlp
        return 2 * d * inner + 2 * d * shared + mlp + 2 * (self.last + 1) * inner

    def answers(self):
        return self.n_read * self.n_columns * self.model.cfg.d_model

    def base(self, n=N, length=None):
        """One pass over all tokens that can matter, and the answers."""
        return n * ((length or self.last + 1) * self.model.cfg.n_layers * self.layer() + self.answers())

    def one(self, layer, first):
        """One intervention on one prompt: from the first token that changes, from the patched layer up."""
        if first > self.last:
            return 0
        return (self.last + 1 - first) * (self.model.cfg.n_layers - layer) * self.layer() + self.answers()

    def sweep(self, cells):
        """cells: (layer, first position that changes), one for each intervention and prompt."""
        return self.base() + sum(self.one(layer, first) for layer, first in cells)


class StrictNeed(Need):
    """Besides: in the last layer only rows that are read go on behind keys and values; a head's output is patched
    behind the projections and the pattern of its layer, and a parallel MLP does not see it."""

    def parts(self):
        cfg = self.model.cfg
        inner, shared = cfg.n_heads * cfg.d_head, (cfg.n_key_value_heads or cfg.n_heads) * cfg.d_head
        mlp = 0 if cfg.attn_only else (3 if cfg.gated_mlp else 2) * cfg.d_model * cfg.d_mlp
        projection = cfg.d_model * inner
        return {
            "kv": 2 * cfg.d_model * shared,
            "q": projection + 2 * (self.last + 1) * inner,
            "o": projection,
            "mlp": mlp,
        }

    def layers(self, n, rows):
        part = self.parts()
        behind = part["q"] + part["o"] + part["mlp"]
        return n * rows * part["kv"] + (n - 1) * rows * behind + min(rows, self.n_read) * behind if n else 0

    def base(self, n=N, length=None):
        return n * (self.layers(self.model.cfg.n_layers, length or self.last + 1) + self.answers())

    def head_output(self, layer, first):
        part, n_layers, rows = self.parts(), self.model.cfg.n_layers, self.last + 1 - first
        here = part["o"] + (0 if self.model.cfg.parallel_attn_mlp else part["mlp"])
        return (
            (rows if layer < n_layers - 1 else self.n_read) * here
            + self.layers(n_layers - 1 - layer, rows)
            + self.answers()
        )

    def residual(self, layer, first):
        return self.layers(self.model.cfg.n_layers - layer, self.last + 1 - first) + self.answers()


def counted(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 2


def require_bound(model, interventions, needed, *, metric=None, tokens=None, mask=None):
    tokens = prompts(model, n=N, length=LENGTH) if tokens is None else tokens
    metric = difference(model, tokens)[0] if metric is None else metric
    done = counted(lambda: sweep(model, tokens, interventions, metric, mask=mask))
    assert done <= BOUND * needed, f"{done / needed:.2f} times what is needed"
    assert done > 0.7 * Need(model, n_columns=2, last=11).base(), "the count missed even the shared pass"
    return done / needed


SHARED = [12, 3, 15, 8, 12, 17]


def pair(model, shared=SHARED):
    base = prompts(model, n=N, length=LENGTH)
    return base, diverging(base, shared, n_tokens=600)


def heads():
    return [(layer, head) for layer in range(4) for head in range(4)]


def test_the_count_of_one_plain_pass_is_the_models(model):
    """The need is checked against the model itself, with everything unembedded."""
    base = prompts(model, n=N, length=LENGTH)
    with torch.no_grad():
        done = counted(lambda: model(base))
    assert done == pytest.approx(Need(model, n_columns=600, n_read=LENGTH).base(), rel=0.02)


class TestTheBound:
    def test_every_head_over_prefixes_of_different_lengths(self, model):
        base, source = pair(model)
        made = patches(model, [[Site.of_head(*index)] for index in heads()], source, base=base)
        needed = Need(model, n_columns=2).sweep([(layer, first) for layer, _ in heads() for first in SHARED])
        require_bound(model, made, needed)

    def test_every_head_over_one_prefix(self, model):
        base, source = pair(model, [12] * N)
        made = patches(model, [[Site.of_head(*index)] for index in heads()], source, base=base)
        needed = Need(model, n_columns=2).sweep([(layer, 12) for layer, _ in heads()] * N)
        require_bound(model, made, needed)

    @pytest.mark.parametrize("shared", [SHARED, [12] * N, [0] * N], ids=["ragged", "one prefix", "no prefix"])
    def test_layer_by_position(self, model, shared):
        base, source = pair(model, shared)
        cells = [(layer, at) for layer in range(4) for at in range(LENGTH)]
        made = patches(
            model, [[Site(f"blocks.{layer}.hook_resid_pre", position=at)] for layer, at in cells], source, base=base
        )
        each = [(layer, max(at, start)) for layer, at in cells for start in shared if at >= start]
        needed = Need(model, n_columns=2).sweep(each)
        require_bound(model, made, needed)

    def test_even_of_the_strict_need(self, model):
        base, source = pair(model)
        need = StrictNeed(model, n_columns=2)
        made = patches(model, [[Site.of_head(*index)] for index in heads()], source, base=base)
        require_bound(
            model, made, need.base() + sum(need.head_output(layer, at) for layer, _ in heads() for at in SHARED)
        )
        cells = [(layer, at) for layer in range(4) for at in range(LENGTH)]
        groups = [[Site(f"blocks.{layer}.hook_resid_pre", position=at)] for layer, at in cells]
        each = sum(need.residual(layer, at) for layer, at in cells for start in SHARED if at >= start)
        require_bound(model, patches(model, groups, source, base=base), need.base() + each)

    def test_neurons_of_one_layer(self, model):
        if model.cfg.attn_only:
            pytest.skip("no neurons")
        base, source = pair(model)
        made = patches(model, [[Site("blocks.2.mlp.hook_post", latent=n)] for n in range(40)], source, base=base)
        needed = Need(model, n_columns=2).sweep([(2, first) for first in SHARED] * 40)
        require_bound(model, made, needed)

    def test_no_prefix_to_share(self, model):
        made = ablations(model, [[Site.of_head(*index)] for index in heads()], kind=Ablation.ZERO)
        needed = Need(model, n_columns=2).sweep([(layer, 0) for layer, _ in heads()] * N)
        require_bound(model, made, needed)

    def test_each_prompt_at_its_own_position(self, model):
        base, source = pair(model, [2] * N)
        positions = torch.tensor([4, 19, 11, 7, 16, 9])
        groups = [[Site(f"blocks.{layer}.hook_resid_pre")] for layer in range(4)] * 4
        made = patches(model, groups, source, base=base, positions=positions)
        needed = Need(model, n_columns=2).sweep([(layer, int(at)) for layer in range(4) for at in positions] * 4)
        require_bound(model, made, needed)

    def test_what_comes_after_the_last_position_read(self, model):
        base, source = pair(model, [5] * N)
        made = patches(model, [[Site.of_head(*index)] for index in heads()], source, base=base)
        needed = Need(model, n_columns=2, last=11).sweep([(layer, 5) for layer, _ in heads()] * N)
        require_bound(model, made, needed, metric=difference(model, base, [11] * N)[0])

    def test_padding(self, model):
        """A prompt's padding is nothing that could change; the interventions touch what is real."""
        lengths = [20, 8, 14, 11, 20, 6]
        base, mask = prompts(model, n=N, length=LENGTH), left_padding(lengths, length=LENGTH)
        source = diverging(base, [max(LENGTH - length, 4) for length in lengths], n_tokens=600)
        made = patches(model, [[Site.of_head(*index)] for index in heads()], source, base=base, mask=mask)
        each = [(layer, max(LENGTH - length, 4)) for layer, _ in heads() for length in lengths]
        require_bound(model, made, Need(model, n_columns=2).sweep(each), mask=mask)

    def test_unembedding_no_more_rows_than_are_read(self, model):
        base, source = pair(model)
        made = patches(model, [[Site.of_head(3, head)] for head in range(4)], source, base=base)
        right = torch.arange(N)
        needed = Need(model, n_columns=600).sweep([(3, first) for first in SHARED] * 4)
        require_bound(model, made, needed, metric=log_probability(right))

    def test_a_metric_that_reads_everything(self, model):
        """The loss of every token: rows before the first change are the untouched model's."""
        base, source = pair(model, [12] * N)
        made = patches(model, [[Site.of_head(*index)] for index in heads()], source, base=base)
        plain = Need(model, n_columns=600, n_read=LENGTH - 1)
        after = Need(model, n_columns=600, n_read=LENGTH - 12)
        needed = plain.base() + sum(after.one(layer, 12) for layer, _ in heads()) * N
        require_bound(model, made, needed, metric=next_token_loss(base))

    def test_sets_over_layers_start_at_the_lowest(self, model):
        base, source = pair(model)
        groups = [[Site.of_head(layer, head) for layer in (1, 3)] for head in range(4)] * 3
        made = patches(model, groups, source, base=base)
        require_bound(model, made, Need(model, n_columns=2).sweep([(1, first) for first in SHARED] * 12))


class Operations(TorchDispatchMode):
    """Counts matrix products, and reads of a tensor's value, which on a GPU wait for the device."""

    PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "_scaled_dot_product", "linear")
    READS = ("_local_scalar_dense", "nonzero", "equal", "is_nonzero")

    def __init__(self):
        super().__init__()
        self.products = self.reads = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.products += name.startswith(self.PRODUCTS)
        self.reads += name in self.READS
        return func(*args, **(kwargs or {}))


def operations(model, base, made):
    with Operations() as counted:
        sweep(model, base, made, difference(model, base)[0], memory_budget=2**33)
    return counted


class TestStacking:
    """Interventions are stacked: more of them are larger tensors, not more operations."""

    def test_matrix_products_do_not_grow_with_the_interventions(self, model):
        base, source = pair(model, [12] * N)
        few, many = (
            patches(
                model,
                [[Site.of_head(layer, head)] for layer in range(4) for head in range(2)] * times,
                source,
                base=base,
            )
            for times in (1, 8)
        )
        assert 0 < operations(model, base, many).products <= operations(model, base, few).products

    def test_blocks_do_not_run_more_often_for_more_interventions(self, model):
        base, source = pair(model, [12] * N)
        calls = []
        handle = model.blocks[3].register_forward_hook(lambda *_: calls.append(1))
        attention = model.blocks[3].attn.register_forward_hook(lambda *_: calls.append(1))
        try:
            numbers = []
            for times in (1, 8):
                calls.clear()
                groups = [[Site.of_head(layer, head)] for layer in range(4) for head in range(2)] * times
                sweep(
                    model,
                    base,
                    patches(model, groups, source, base=base),
                    difference(model, base)[0],
                    memory_budget=2**33,
                )
                numbers.append(len(calls))
        finally:
            handle.remove()
            attention.remove()
        assert numbers[0] == numbers[1] > 0

    def test_reads_of_values_do_not_grow_with_the_interventions(self, model):
        base, source = pair(model, [12] * N)
        few, many = (
            patches(
                model,
                [[Site.of_head(layer, head)] for layer in range(4) for head in range(2)] * times,
                source,
                base=base,
            )
            for times in (1, 8)
        )
        assert operations(model, base, many).reads <= operations(model, base, few).reads


def test_the_models_of_this_file_are_swept_exactly_too(model):
    base, source = pair(model)
    made = patches(model, [[Site.of_head(*index)] for index in heads()], source, base=base)
    require_literal(model, base, made, atol=1e-4)
