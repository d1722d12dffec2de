"""What a sweep promises besides the numbers: independence of order and budget, nothing left behind, identities."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from interp_lab.engine import Effects, sweep
from interp_lab.hooks import capture
from interp_lab.interventions import Ablation, Intervention, Op, ablations, patches
from interp_lab.metrics import user_metric
from interp_lab.types import Site
from tests.engine.compare import difference, require_literal
from tests.engine.drawn import Draw
from tests.engine.models import diverging, hooked, left_padding, prompts

SHARED = [3, 0, 6, 1]
HEADS = [[Site.of_head(layer, head)] for layer in range(3) for head in range(4)]
RESIDUAL = [[Site(f"blocks.{layer}.hook_resid_pre", position=at)] for layer in range(3) for at in range(9)]


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request):
    return hooked(request.param)


@pytest.fixture
def base(model):
    return prompts(model)


@pytest.fixture
def source(base):
    return diverging(base, SHARED, n_tokens=20)


class TestTheResult:
    def test_keeps_names_units_and_every_prompt(self, model, base, source):
        made = patches(model, HEADS, source, base=base)
        metric, _ = difference(model, base)
        found = sweep(model, base, made, metric)
        assert isinstance(found, Effects)
        assert found.names == tuple(patch.name for patch in made)
        assert all("0.1" in name for name in found.names[1:2])
        assert (found.metric, found.unit) == ("logit difference", "logits")
        assert (found.baseline.shape, found.values.shape) == ((4,), (12, 4))
        np.testing.assert_array_equal(found.changes, found.values - found.baseline)
        assert found.values.dtype == np.float64

    def test_two_of_the_same_name_stay_two(self, model, base):
        up, down = (
            Intervention((Site.of_head(0, 1),), Op.ADD, (torch.full((4,), size),), "push") for size in (1.0, -1.0)
        )
        found = sweep(model, base, [up, down, up], difference(model, base)[0])
        assert found.names == ("push",) * 3
        np.testing.assert_allclose(found.values[0], found.values[2], atol=1e-12)
        assert np.abs(found.values[0] - found.values[1]).min() > 1e-6

    def test_says_how_far_it_is(self, model, base):
        told = []
        made = Draw(model, base, seed=0).interventions(9)
        sweep(model, base, made, difference(model, base)[0], progress=lambda *step: told.append(step))
        done, totals, _ = zip(*told, strict=True)
        assert list(done) == sorted(done)
        assert done[-1] == totals[0] == totals[-1] > 0

    @pytest.mark.parametrize(("n", "length"), [(1, 9), (4, 1), (1, 1)])
    def test_of_one_prompt_and_of_one_token(self, model, n, length):
        base = prompts(model, n=n, length=length)
        made = [Intervention((Site.of_head(layer, 1),), Op.ADD, (torch.ones(4),), f"{layer}") for layer in range(3)]
        require_literal(model, base, made)


class TestIdentities:
    def test_patching_everything_is_the_other_run(self, model, base, source):
        metric, function = difference(model, base)
        groups = [[Site("blocks.0.hook_resid_pre")], [Site("blocks.2.hook_resid_post")], [Site("hook_embed")], HEADS[0]]
        found = sweep(model, base, patches(model, groups, source, base=base), metric)
        with torch.no_grad():
            np.testing.assert_allclose(found.values[:3], function(model(source)).expand(3, -1), atol=1e-9)
        assert np.abs(found.values[3] - found.values[0]).min() > 1e-6

    def test_patching_what_both_runs_share_changes_nothing(self, model, base, source):
        groups = [[Site("blocks.1.hook_resid_pre", position=at)] for at in range(9)]
        found = sweep(model, base, patches(model, groups, source, base=base), difference(model, base)[0])
        shared = np.arange(9)[:, None] < np.array(SHARED)[None]
        assert np.abs(found.changes[shared]).max() < 1e-9
        assert np.abs(found.changes[~shared]).min() > 1e-9

    def test_writing_back_what_is_there_changes_nothing(self, model, base):
        sites = [Site("blocks.1.hook_resid_mid"), Site("blocks.0.attn.hook_pattern"), Site("blocks.2.attn.hook_v")]
        values = capture(model, base, [site.hook for site in sites])
        made = [Intervention((s,), Op.REPLACE, (values[s.hook],), s.hook, per_example=True) for s in sites]
        assert np.abs(sweep(model, base, made, difference(model, base)[0]).changes).max() < 1e-9

    def test_a_closed_gate_changes_nothing_and_an_open_one_everything(self, model, base):
        gate, payload = torch.tensor([True, False, True, False]), (torch.ones(16),)
        gated = Intervention((Site("blocks.1.hook_resid_pre"),), Op.ADD, payload, "gated", gate=gate)
        free = Intervention((Site("blocks.1.hook_resid_pre"),), Op.ADD, payload, "free")
        found = sweep(model, base, [gated, free], difference(model, base)[0])
        np.testing.assert_allclose(found.changes[0], found.changes[1] * gate.numpy(), atol=1e-12)

    def test_a_prompt_does_not_depend_on_its_neighbours(self, model, base):
        mask = left_padding([9, 6, 4, 8], length=9)
        metric, _ = difference(model, base)
        made = Draw(model, base, seed=4, first_real=5).interventions(8)
        together = sweep(model, base, made, metric, mask=mask)
        for row in range(4):
            index = torch.tensor([row])
            acts = [acts_on(each, row) for each in made]
            mine = [each.rows(index) for each, does in zip(made, acts, strict=True) if does]
            alone = sweep(model, base[index], mine, metric.rows(index), mask=mask[index])
            np.testing.assert_allclose(alone.values[:, 0], together.values[acts, row], atol=1e-9)

    def test_padding_is_as_if_it_were_not_there(self):
        """Of a model with relative positions: a padded prompt alone, without its padding, gives the same."""
        model, base = hooked("llama"), prompts(hooked("llama"))
        made = [
            Intervention((Site.of_head(layer, 1),), Op.SCALE, (torch.tensor(2.0),), f"{layer}") for layer in range(3)
        ]
        padded = sweep(model, base, made, difference(model, base)[0], mask=left_padding([9, 6, 4, 8], length=9))
        metric = difference(model, base)[0].rows(torch.tensor([2]))
        alone = sweep(model, base[2:3, 5:], made, metric_at_end(metric))
        np.testing.assert_allclose(padded.values[:, 2], alone.values[:, 0], atol=1e-9)


def acts_on(intervention, row):
    """Whether it acts on a prompt at all of its sites, so that it may be made on that prompt alone."""
    gate, tokens = intervention.gate, intervention.tokens
    if gate is not None and not gate[row]:
        return False
    places = [slice(None) if site.position is None else site.position for site in intervention.sites]
    return tokens is None or all(bool(tokens[row, place].any()) for place in places)


def metric_at_end(metric):
    """The same columns, read at the last position of a shorter prompt."""
    from dataclasses import replace

    return replace(metric, positions=torch.full_like(metric.positions, -1), min_pos=1)


class TestIndependence:
    @pytest.mark.parametrize("budget", [100_000, 2**30])
    def test_of_the_memory_budget(self, model, base, source, budget):
        made = patches(model, HEADS[::2] + RESIDUAL[::4], source, base=base)
        made += Draw(model, base, seed=2).interventions(8)
        metric, _ = difference(model, base)
        usual, other = (sweep(model, base, made, metric, memory_budget=size) for size in (None, budget))
        np.testing.assert_allclose(other.values, usual.values, atol=1e-6)

    def test_of_the_order_of_interventions(self, model, base, source):
        made = patches(model, HEADS, source, base=base) + Draw(model, base, seed=3).interventions(12)
        order = torch.randperm(len(made), generator=torch.Generator().manual_seed(0)).tolist()
        metric, _ = difference(model, base)
        straight, shuffled = sweep(model, base, made, metric), sweep(model, base, [made[i] for i in order], metric)
        assert shuffled.names == tuple(straight.names[i] for i in order)
        np.testing.assert_allclose(shuffled.values, straight.values[order], atol=1e-9)

    def test_no_tensor_outgrows_the_budget(self, model):
        base = prompts(model, n=6, length=20)
        made = ablations(model, HEADS, kind=Ablation.ZERO)
        with Largest() as unbounded:
            sweep(model, base, made, difference(model, base)[0], memory_budget=2**30)
        with Largest() as bounded:
            sweep(model, base, made, difference(model, base)[0], memory_budget=2**17)
        assert bounded.n_bytes <= 2**17 < unbounded.n_bytes


class Largest(TorchDispatchMode):
    """Bytes of the largest tensor that any operation made."""

    n_bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and not func.is_view:
            self.n_bytes = max(self.n_bytes, out.numel() * out.element_size())
        return out


def hooks_on(model):
    return {name: len(part._forward_hooks) + len(part._forward_pre_hooks) for name, part in model.named_modules()}


class TestNothingIsLeftBehind:
    def test_after_a_sweep(self, model, base, source):
        before, weights = hooks_on(model), {name: p.clone() for name, p in model.named_parameters()}
        tokens, state = base.clone(), torch.get_rng_state()
        made = patches(model, HEADS, source, base=base)
        payloads = [patch.payloads[0].clone() for patch in made]
        sweep(model, base, made, difference(model, base)[0])
        assert hooks_on(model) == before
        assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())
        assert all(p.requires_grad and p.grad is None for p in model.parameters())
        assert torch.equal(base, tokens)
        assert torch.equal(torch.get_rng_state(), state)
        assert all(torch.equal(patch.payloads[0], kept) for patch, kept in zip(made, payloads, strict=True))
        assert torch.is_grad_enabled()
        assert not model.training

    def test_after_a_failure_in_the_middle(self, model, base):
        calls = []

        def fails(logits):
            calls.append(len(logits))
            if len(calls) > 1:
                raise ZeroDivisionError
            return logits.mean((1, 2))

        before = hooks_on(model)
        metric = user_metric(fails, name="fails", unit="none")
        with pytest.raises(ZeroDivisionError):
            sweep(model, base, ablations(model, HEADS, kind=Ablation.ZERO), metric)
        assert hooks_on(model) == before

    def test_payloads_made_under_inference_mode_are_fine(self, model, base):
        with torch.inference_mode():
            value = capture(model, base, ["blocks.1.hook_resid_pre"])["blocks.1.hook_resid_pre"] * torch.linspace(
                0, 2, 16
            )
        made = Intervention((Site("blocks.1.hook_resid_pre"),), Op.REPLACE, (value,), "up", per_example=True)
        require_literal(model, base, [made])
