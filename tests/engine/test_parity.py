"""A sweep equals one literal forward pass per intervention: at every site, with every operation, on every shape."""

import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.hooks import capture
from interp_lab.interventions import Intervention, Op, patches
from interp_lab.models import is_bridge
from interp_lab.types import Site
from tests.engine.compare import every_metric, plain, require_literal
from tests.engine.drawn import Draw, editable_hooks
from tests.engine.models import BRIDGES, KINDS, bridge, d_vocab, diverging, hooked, left_padding, prompts
from tests.oracles import patching as oracle

# Bridges say that editing a norm's scale rounds differently; the tolerance allows for it.
pytestmark = pytest.mark.filterwarnings("ignore:A forward hook edited hook_scale")

SHAPES_OF_BRIDGES = [kind for kind in BRIDGES if kind not in ("native gpt2", "native grouped", "qwen2")]
"""One of each shape; the others are like one of these."""
SHARED = [3, 0, 6, 1]
LENGTHS = [9, 6, 4, 8]
FIRST = torch.tensor([0, 3, 5, 1])


UNPADDED_TOO = ("gpt2", "llama", "neox", "bidirectional")
CASES = [
    *((f"hooked: {kind}", "left-padded") for kind in KINDS),
    *((f"hooked: {kind}", "unpadded") for kind in UNPADDED_TOO),
    *((f"bridge: {kind}", "left-padded") for kind in SHAPES_OF_BRIDGES),
]
"""Padded prompts are the harder case."""


@pytest.fixture(scope="module", params=CASES, ids=", ".join)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def model(case, tmp_path_factory):
    backend, kind = case[0].split(": ")
    return hooked(kind) if backend == "hooked" else bridge(kind, tmp_path_factory.mktemp("models"))


@pytest.fixture
def mask(case):
    return left_padding(LENGTHS, length=9) if case[1] == "left-padded" else None


def pair(model, mask=None):
    """Corrupted prompts, and clean ones that share a prefix (after the padding) with them."""
    base = prompts(model)
    shared = SHARED if mask is None else [3, 4, 6, 1]
    return base, diverging(base, shared, n_tokens=min(d_vocab(model), 20))


def several_sites(model, tokens):
    """At each kind of hook point, in one of the layers: the whole, one position, a head or a neuron."""
    hooks = {}
    for hook in editable_hooks(model, tokens):
        hooks.setdefault(hook.split(".", 2)[-1], []).append(hook)
    sites = []
    for nth, same_kind in enumerate(hooks.values()):
        hook = same_kind[nth % len(same_kind)]
        head = 1 if Site(hook).has_head_axis else None
        latent = 5 if ".mlp." in hook else None
        sites += [Site(hook), Site(hook, position=6, head=head), Site(hook, latent=latent, head=head)]
    return list(dict.fromkeys(sites))


def require_patches(model, base, source, sites, *, mask, positions=None):
    """The payloads are the source's activations, and the sweep what comes of them."""
    made = patches(model, [[site] for site in sites], source, base=base, mask=mask, positions=positions)
    at, cache = None if positions is None else positions.tolist(), oracle.literal_cache(model, source, mask=mask)
    for site, patch in zip(sites, made, strict=True):
        where = [(site.hook, site.head, site.position, site.latent)]
        (expected,) = oracle.literal_patch(cache, base, where, positions=at)
        (ours,) = plain(patch, len(base))
        torch.testing.assert_close(torch.stack(ours["payload"]), torch.stack(expected["payload"]), atol=1e-5, rtol=1e-5)
    found = require_literal(model, base, made, mask=mask, moves=False)
    assert (
        abs(found.changes).max(1) > 1e-6
    ).mean() > 0.6  # positions are the same in both runs, and so is their embedding


def test_patching_every_hook_point(model, mask):
    base, source = pair(model, mask)
    require_patches(model, base, source, several_sites(model, base), mask=mask)


def test_patching_each_prompt_at_its_own_position(model, mask):
    base, source = pair(model, mask)
    sites = [site for site in several_sites(model, base) if site.position is None]
    require_patches(model, base, source, sites, mask=mask, positions=torch.tensor([4, 8, 6, 3]))


def test_a_patch_is_the_sources_activation_and_nothing_less(model, mask):
    """Skipping a shared prefix is right only where what comes later cannot reach it."""
    base, source = pair(model, mask)
    at = 3 if mask is None else 6  # no padding in any prompt
    sites = [Site("blocks.1.hook_resid_pre"), Site("blocks.1.hook_attn_out", position=at), Site.of_head(1, 0, at="q")]
    made, cache = (
        patches(model, [[site] for site in sites], source, base=base, mask=mask),
        oracle.literal_cache(model, source, mask=mask),
    )
    metric, function = every_metric(model, base, first=None if mask is None else FIRST)["next-token loss"]
    literal = [oracle.literal_patch(cache, base, [(s.hook, s.head, s.position, s.latent)]) for s in sites]
    expected, _ = oracle.literal_sweep(model, base, literal, function, mask=mask)
    torch.testing.assert_close(
        torch.tensor(sweep(model, base, made, metric, mask=mask).values), expected.double(), atol=1e-5, rtol=1e-5
    )


def test_interventions_drawn_at_random(model, mask):
    base = prompts(model)
    first_real = 0 if mask is None else 5
    several = ["logit difference at the end", "KL everywhere"]
    for seed, metrics in enumerate(several[:1] if is_bridge(model) else several):
        if mask is not None and metrics == "KL everywhere":
            metrics = "next-token loss"
        drawn = Draw(model, base, seed=seed, first_real=first_real).interventions(10)
        first = FIRST if mask is not None else None
        atol = 1e-6 if next(iter(model.parameters())).dtype == torch.float64 else 3e-5
        metric = every_metric(model, base, first=first)[metrics]
        require_literal(model, base, drawn, metric, mask=mask, moves=False, atol=atol)


@pytest.mark.parametrize("metric", every_metric(hooked("gpt2"), prompts(hooked("gpt2"))))
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_whatever_the_metric_reads(kind, metric):
    model = hooked(kind)
    base, source = pair(model)
    groups = [[Site.of_head(layer, 1)] for layer in range(3)] + [
        [Site("blocks.1.hook_resid_pre", position=at)] for at in (2, 6)
    ]
    made = patches(model, groups, source, base=base)
    require_literal(model, base, made, every_metric(model, base)[metric], moves=False, atol=1e-7)


class TestSetsOfSites:
    """Order matters where two sites overlap; later layers see what earlier ones did."""

    kinds = pytest.mark.parametrize("kind", ["gpt2 folded", "llama", "neox", "attention only"])

    @kinds
    @pytest.mark.parametrize("op", Op)
    def test_over_layers_and_hook_points(self, kind, op):
        model, base = hooked(kind), prompts(hooked(kind))
        sites = (
            Site("blocks.2.hook_resid_pre"),
            Site.of_head(0, 2),
            Site.of_head(1, 0, at="q", position=5),
            Site("blocks.0.hook_attn_out", position=1),
            Site("blocks.2.attn.hook_v", position=-1),
        )
        generator = torch.Generator().manual_seed(3)
        payloads = tuple(
            torch.rand(16 if "hook_z" not in s.hook and "attn.hook_" not in s.hook else 4, generator=generator)
            for s in sites
        )
        require_literal(model, base, [Intervention(sites, op, payloads, str(op))])

    @kinds
    def test_the_same_hook_point_twice_in_the_order_given(self, kind):
        model, base = hooked(kind), prompts(hooked(kind))
        whole, one = Site("blocks.1.attn.hook_z"), Site("blocks.1.attn.hook_z", position=8)
        one_head = Site("blocks.1.attn.hook_z", position=8, head=2)
        ones, twos, threes = (torch.full((4,), value) for value in (1.0, 2.0, 3.0))
        orders = [
            Intervention((whole, one, one_head), Op.REPLACE, (ones, twos, threes), "narrowing"),
            Intervention((one_head, one, whole), Op.REPLACE, (threes, twos, ones), "widening"),
            Intervention((one, whole, one_head), Op.REPLACE, (twos, ones, threes), "mixed"),
        ]
        found = require_literal(model, base, orders)
        assert len({round(float(value), 6) for value in found.values[:, 0]}) == 3

    @kinds
    def test_patched_groups(self, kind):
        model = hooked(kind)
        base, source = pair(model)
        heads = [Site.of_head(layer, head) for layer in range(3) for head in range(4)]
        groups = [
            heads,
            heads[::-1],
            heads[4:8],
            [Site("hook_embed"), *heads[8:]],
            [Site("blocks.2.hook_resid_pre"), *heads[:2]],
        ]
        made = patches(model, groups, source, base=base)
        require_literal(model, base, made)


class TestAttention:
    """What is written into a pattern need not be causal; the engine may not assume that it is."""

    @pytest.mark.parametrize("kind", ["gpt2", "llama", "alibi", "local"])
    @pytest.mark.parametrize("hook", ["attn.hook_pattern", "attn.hook_attn_scores"])
    def test_that_looks_ahead(self, kind, hook):
        model, base = hooked(kind), prompts(hooked(kind))
        full = torch.rand(9, 9, generator=torch.Generator().manual_seed(0))
        made = [
            Intervention((Site(f"blocks.{layer}.{hook}", head=1),), Op.REPLACE, (full,), f"layer {layer}")
            for layer in range(3)
        ] + [Intervention((Site(f"blocks.0.{hook}", position=2),), Op.REPLACE, (full[2],), "one query")]
        require_literal(model, base, made, every_metric(model, base)["logit difference in the middle"])

    @pytest.mark.parametrize("kind", ["gpt2", "llama"])
    def test_that_looks_ahead_at_what_the_same_intervention_changed(self, kind):
        model, base = hooked(kind), prompts(hooked(kind))
        ahead = torch.zeros(9)
        ahead[8] = 1.0
        sites = (Site("blocks.0.hook_resid_pre", position=8), Site("blocks.1.attn.hook_pattern", position=3))
        made = Intervention(sites, Op.REPLACE, (torch.ones(()), ahead), "from the end to the middle")
        require_literal(model, base, [made], every_metric(model, base)["logit difference in the middle"])


class TestStarts:
    """`since`, gates and prompts of one batch that have nothing in common."""

    @pytest.mark.parametrize("kind", ["gpt2", "llama", "shortformer", "neox"])
    def test_interventions_with_and_without_a_start_in_one_sweep(self, kind):
        model = hooked(kind)
        base, source = pair(model)
        groups = [[Site.of_head(1, head)] for head in range(4)] + [
            [Site("blocks.0.mlp.hook_post", latent=n)] for n in range(3)
        ]
        patched = patches(model, groups, source, base=base)
        assert all(patch.since is not None and patch.since.tolist() == SHARED for patch in patched)
        generator = torch.Generator().manual_seed(0)
        resid = capture(model, base, ["blocks.1.hook_resid_pre"])["blocks.1.hook_resid_pre"].clone()
        late = resid.clone()
        late[:, 7:] += torch.randn(late[:, 7:].shape, generator=generator)
        sites = (Site("blocks.1.hook_resid_pre"),)
        others = [
            Intervention(sites, Op.REPLACE, (late,), "from 7", per_example=True, since=torch.full((4,), 7)),
            Intervention(sites, Op.REPLACE, (resid + 1,), "from the start", per_example=True),
            Intervention(sites, Op.ADD, (torch.ones(16),), "gated", gate=torch.tensor([True, False, True, False])),
            Intervention(sites, Op.ADD, (torch.ones(16),), "at", positions=torch.tensor([8, 0, 3, 5])),
        ]
        mixed = [others[0], *patched[:4], others[1], others[2], *patched[4:], others[3]]
        for metric in ("logit difference at the end", "logit difference in the middle", "KL everywhere"):
            require_literal(model, base, mixed, every_metric(model, base)[metric], moves=False)

    def test_a_change_after_everything_that_is_read_changes_nothing(self):
        model, base = hooked("gpt2"), prompts(hooked("gpt2"))
        late = Intervention((Site("blocks.0.hook_resid_pre", position=8),), Op.ADD, (torch.ones(16),), "late")
        found = require_literal(
            model, base, [late], every_metric(model, base)["logit difference in the middle"], moves=False
        )
        assert abs(found.changes).max() == 0
