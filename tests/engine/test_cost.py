"""Multiply-adds done against those needed, worked out from the shape alone.

Needed is what no exact method can do without: of every item only the tokens that can change, from the activation that
changes first; in the last layer, only the rows that are read go on behind keys and values.
"""

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
    """Multiply-adds of one item (an intervention on one prompt) and of the pass over the untouched prompts."""

    model: object
    n_columns: int = 2
    last: int = LENGTH - 1
    """Last position that is read."""
    n_read: int = 1

    def parts(self):
        """Of one token in one layer: projections (queries and outputs for all heads, keys and values for the key /
        value heads), scores and mixing over the keys up to the last position that is read, and MLP."""
        cfg = self.model.cfg
        inner, shared = cfg.n_heads * cfg.d_head, (cfg.n_key_value_heads or cfg.n_heads) * cfg.d_head
        return {
            "kv": 2 * cfg.d_model * shared,
            "q": cfg.d_model * inner,
            "attention": 2 * (self.last + 1) * inner,
            "o": cfg.d_model * inner,
            "mlp": 0 if cfg.attn_only else (3 if cfg.gated_mlp else 2) * cfg.d_model * cfg.d_mlp,
        }

    def of(self, rows, *, layer, behind=("q", "attention", "o", "mlp"), only=None):
        """From inside a layer, where only the parts `behind` are left to do for tokens that have entered, to the end.

        only: count one part.
        """
        part = {name: size for name, size in self.parts().items() if only in (None, name)}
        n_above = self.model.cfg.n_layers - 1 - layer
        going_on = sum(part.get(name, 0) for name in ("q", "attention", "o", "mlp"))
        left, kv = min(rows, self.n_read), part.get("kv", 0)
        here = sum(part.get(name, 0) for name in behind) * (rows if n_above else left)
        here += rows * kv if "q" in behind else 0
        above = n_above * rows * kv + ((n_above - 1) * rows + left) * going_on if n_above else 0
        return here + above + (0 if only else self.answers())

    def answers(self):
        return self.n_read * self.n_columns * self.model.cfg.d_model

    def base(self):
        return N * self.of(self.last + 1, layer=0)

    def residual(self, layer, first):
        return self.of(self.last + 1 - first, layer=layer)

    def head(self, layer, first, *, only=None):
        """A head's output: behind the pattern of its layer; an MLP in parallel does not see it."""
        behind = ("o",) if self.model.cfg.parallel_attn_mlp else ("o", "mlp")
        return self.of(self.last + 1 - first, layer=layer, behind=behind, only=only)

    def heads(self, starts, *, only=None):
        return sum(self.head(layer, first, only=only) for layer, _ in heads() for first in starts)


def counted(call):
    with FlopCounterMode(display=False) as counter:
        call()
    products = {op.__name__.split(".")[0]: n / 2 for op, n in counter.get_flop_counts()["Global"].items()}
    return counter.get_total_flops() / 2, products.get("bmm", 0)


def require_bound(need, interventions, items, *, metric=None, tokens=None, mask=None):
    """items: multiply-adds needed besides the pass over the untouched prompts."""
    model, needed = need.model, need.base() + items
    tokens = prompts(model, n=N, length=LENGTH) if tokens is None else tokens
    metric = difference(model, tokens)[0] if metric is None else metric
    done, attention = counted(lambda: sweep(model, tokens, interventions, metric, mask=mask))
    assert 0.97 * needed <= done <= BOUND * needed, f"{done / needed:.3f} times what is needed"
    return attention


SHARED = [12, 3, 15, 8, 12, 17]


def pair(model, shared=SHARED):
    base = prompts(model, n=N, length=LENGTH)
    return base, diverging(base, shared, n_tokens=600)


def heads():
    return [(layer, head) for layer in range(4) for head in range(4)]


def head_patches(model, source, base, **options):
    return patches(model, [[Site.of_head(*index)] for index in heads()], source, base=base, **options)


def test_the_need_of_one_plain_pass_is_the_models(model):
    """The need is checked against the model itself, with everything read."""
    base = prompts(model, n=N, length=LENGTH)
    with torch.no_grad():
        done, _ = counted(lambda: model(base))
    assert done == pytest.approx(Need(model, n_columns=600, n_read=LENGTH).base(), rel=0.02)


PREFIXES = pytest.mark.parametrize("shared", [SHARED, [12] * N, [0] * N], ids=["ragged", "one prefix", "no prefix"])


class TestTheBound:
    @PREFIXES
    def test_every_head(self, model, shared):
        base, source = pair(model, shared)
        need = Need(model)
        attention = require_bound(need, head_patches(model, source, base), need.heads(shared))
        needed = N * need.of(LENGTH, layer=0, only="attention") + need.heads(shared, only="attention")
        assert attention <= 1.25 * needed, "items of very different lengths are padded to the longest"

    @PREFIXES
    def test_layer_by_position(self, model, shared):
        base, source = pair(model, shared)
        cells = [(layer, at) for layer in range(4) for at in range(LENGTH)]
        groups = [[Site(f"blocks.{layer}.hook_resid_pre", position=at)] for layer, at in cells]
        need = Need(model)
        items = sum(need.residual(layer, at) for layer, at in cells for start in shared if at >= start)
        require_bound(need, patches(model, groups, source, base=base), items)

    @pytest.mark.parametrize("model", [kind for kind in KINDS if kind != "attention only"], indirect=True)
    def test_neurons_of_one_layer(self, model):
        base, source = pair(model)
        made = patches(model, [[Site("blocks.2.mlp.hook_post", latent=n)] for n in range(40)], source, base=base)
        need = Need(model)
        # Of an MLP that is run from its input on; in parallel with attention, both are.
        behind = ("q", "attention", "o", "mlp") if model.cfg.parallel_attn_mlp else ("mlp",)
        require_bound(need, made, 40 * sum(need.of(LENGTH - first, layer=2, behind=behind) for first in SHARED))

    def test_ablations_have_no_prefix_to_share(self, model):
        made, need = ablations(model, [[Site.of_head(*index)] for index in heads()], kind=Ablation.ZERO), Need(model)
        require_bound(need, made, need.heads([0] * N))

    def test_each_prompt_at_its_own_position(self, model):
        base, source = pair(model, [2] * N)
        positions = torch.tensor([4, 19, 11, 7, 16, 9])
        groups = [[Site(f"blocks.{layer}.hook_resid_pre")] for layer in range(4)] * 4
        made, need = patches(model, groups, source, base=base, positions=positions), Need(model)
        require_bound(need, made, 4 * sum(need.residual(layer, int(at)) for layer in range(4) for at in positions))

    def test_what_comes_after_the_last_position_read(self, model):
        base, source = pair(model, [5] * N)
        need = Need(model, last=11)
        made = head_patches(model, source, base) * 4
        require_bound(need, made, 4 * need.heads([5] * N), metric=difference(model, base, [11] * N)[0])

    @pytest.mark.parametrize("kind", ["patches", "ablations"])
    def test_padding_is_nothing_that_matters(self, model, kind):
        lengths = [20, 8, 14, 11, 20, 6]
        base, mask = prompts(model, n=N, length=LENGTH), left_padding(lengths, length=LENGTH)
        starts = [max(LENGTH - length, 4) if kind == "patches" else LENGTH - length for length in lengths]
        if kind == "patches":
            made = head_patches(model, diverging(base, starts, n_tokens=600), base, mask=mask)
        else:
            made = ablations(model, [[Site.of_head(*index)] for index in heads()], kind=Ablation.ZERO)
        need = Need(model)
        require_bound(need, made, need.heads(starts), mask=mask)

    def test_unembedding_no_more_rows_than_are_read(self, model):
        base, source = pair(model)
        made = patches(model, [[Site.of_head(3, head)] for head in range(4)] * 16, source, base=base)
        need = Need(model, n_columns=600)
        require_bound(need, made, 64 * need.head(3, 0) * N, metric=log_probability(torch.arange(N)))

    def test_a_metric_that_reads_everything(self, model):
        """The loss of every token: rows before the first change are the untouched model's."""
        base, source = pair(model, [12] * N)
        whole, after = (Need(model, n_columns=600, last=LENGTH - 2, n_read=n) for n in (LENGTH - 1, LENGTH - 1 - 12))
        require_bound(whole, head_patches(model, source, base), after.heads([12] * N), metric=next_token_loss(base))

    def test_sets_over_layers_start_at_the_lowest(self, model):
        base, source = pair(model)
        groups = [[Site.of_head(layer, head) for layer in (1, 3)] for head in range(4)] * 3
        need = Need(model)
        items = 12 * sum(need.head(1, first) for first in SHARED)
        require_bound(need, patches(model, groups, source, base=base), items)


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


def test_more_interventions_are_larger_tensors_not_more_operations(model):
    base, source = pair(model, [12] * N)
    groups = [[Site.of_head(layer, head)] for layer in range(4) for head in range(2)]
    few, many = (operations(model, base, patches(model, groups * times, source, base=base)) for times in (1, 8))
    assert 0 < many.products <= few.products
    assert many.reads <= few.reads


def test_the_models_of_this_file_are_swept_exactly_too(model):
    base, source = pair(model)
    require_literal(model, base, head_patches(model, source, base), atol=1e-4)
