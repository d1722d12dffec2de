"""AtP*: exact where attention saturates and the rest is linear, equal to the literal version, and past cancelling."""

import numpy as np
import pytest
import torch

from interp_lab.metrics import logit_difference
from interp_lab.patching.atp_star import atp_star
from interp_lab.patching.attention_patches import effects_of_single_keys
from interp_lab.patching.attribution import attribution
from interp_lab.types import Site
from tests.models.fixtures import SHAPES as DIRECTORIES
from tests.oracles import attribution as literal
from tests.organisms.compiled.building import build, known
from tests.patching.models import (
    SHAPES,
    directory_pairs,
    literal_metric,
    metric,
    model_of,
    on_both_backends,
    pairs,
)
from tests.tiny import tiny_model

ALL = slice(None)


def saturated(**changes):
    """One layer of attention at 25 times its usual sharpness; everything behind its pattern is linear."""
    settings = {"n_layers": 1, "attn_only": True, "normalization_type": None, **changes}
    model = tiny_model(seed=5, **settings)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("W_Q", "W_K")):
                weight *= 5
    return model


POSITIONS = {
    "standard": {},
    "grouped": {"n_key_value_heads": 2},
    "rotary, grouped": {"positional_embedding_type": "rotary", "n_key_value_heads": 2},
    "ALiBi": {"positional_embedding_type": "alibi"},
    "capped": {"attn_scores_soft_cap": 20.0},
    "windowed": {"use_local_attn": True, "attn_types": ["local"], "window_size": 3},
}


class TestSaturatedAttention:
    @pytest.mark.parametrize(
        ("kind", "direction"), [*((kind, "denoise") for kind in POSITIONS), ("rotary, grouped", "noise")]
    )
    def test_the_correction_equals_the_patch_and_the_gradient_does_not(self, kind, direction):
        model = saturated(**POSITIONS[kind])
        clean, corrupted, mask = pairs()
        clean[:, 6], corrupted[:, 6] = torch.tensor([1, 2, 3]), torch.tensor([9, 8, 7])  # the query that is read, too
        key_heads = getattr(model.cfg, "n_key_value_heads", None) or 4
        hooks = {part: f"blocks.0.attn.hook_{part}" for part in "qk"}
        nodes = {Site(hooks["q"], head=h, position=6): (hooks["q"], (6, h)) for h in range(4)}
        nodes |= {Site(hooks["k"], head=h): (hooks["k"], (ALL, h)) for h in range(key_heads)}
        nodes |= {Site(hooks["k"], head=h, position=p): (hooks["k"], (p, h)) for h in range(key_heads) for p in (3, 6)}
        options = {
            "corrupted": corrupted,
            "groups": [[site] for site in nodes],
            "metric": metric(),
            "direction": direction,
            "mask": mask,
        }
        corrected = atp_star(model, clean, **options, grad_drop=False).estimates
        first_order = attribution(model, clean, **options).estimates
        base, donor = (corrupted, clean) if direction == "denoise" else (clean, corrupted)
        exact = np.array([
            [
                literal.patched_effect(model, base[row], donor[row], [node], literal_metric, row, mask[row])
                for row in (0, 2)
            ]
            for node in nodes.values()
        ])  # fmt: skip
        assert np.allclose(corrected[:, [0, 2]], exact, atol=1e-4)
        assert np.abs(exact).max() > 0.5
        assert np.abs(first_order[:, [0, 2]] - exact).max() > 0.5
        assert np.abs(exact[-len(nodes) + 4 + key_heads :]).max() > 0.1  # single keys matter, too

    def test_a_head_that_moved_from_one_token_to_another_is_credited_although_its_gradient_is_zero(self):
        """The attention of 1.0 in the model for induction rounds to 1 or 0: no gradient, full effect."""
        compiled, model = known("compiled/induction")
        clean, corrupted, answers, wrong = compiled.sample_pairs(4, 5)
        head = Site.of_head(1, 0, at="k")
        options = {"corrupted": corrupted, "groups": [[head]], "metric": logit_difference(answers, wrong)}
        assert np.allclose(attribution(model, clean, **options).estimates, 0)
        corrected = atp_star(model, clean, **options, grad_drop=False).estimates[0]
        node = (head.hook, (ALL, 0))
        for row in range(4):
            exact = literal.patched_effect(
                model, corrupted[row], clean[row], [node], lambda out, r: out[-1, answers[r]] - out[-1, wrong[r]], row
            )
            assert corrected[row] == pytest.approx(exact, abs=1e-4)
            assert abs(exact) > 5


class TestSingleKeys:
    @pytest.mark.parametrize("sharpness", [1.0, 30.0, 300.0])
    def test_equal_the_softmax_taken_anew(self, sharpness):
        generator = torch.Generator().manual_seed(0)
        scores, patched, worth = (torch.randn(2, 5, 5, generator=generator) for _ in range(3))
        future = torch.ones(5, 5).triu(1).bool()
        scores, patched = ((sharpness * part).masked_fill(future, -torch.inf) for part in (scores, patched))
        found = effects_of_single_keys(scores, patched, worth)
        for key in range(5):
            changed = scores.clone()
            changed[:, :, key] = patched[:, :, key]
            expected = ((changed.softmax(-1) - scores.softmax(-1)) * worth).sum((-2, -1))
            assert torch.allclose(found[:, key], expected, atol=1e-5)

    def test_of_a_key_that_takes_all_the_attention_away_by_hand(self):
        scores = torch.tensor([[500.0, 0.0, -torch.inf]])
        patched = torch.tensor([[-500.0, 1000.0, -torch.inf]])
        worth = torch.tensor([[3.0, 7.0, 100.0]])
        assert effects_of_single_keys(scores, patched, worth).tolist() == [4.0, 4.0, 0.0]

    def test_of_a_query_that_sees_padding_alone_are_zero(self):
        nothing = torch.full((1, 3), -torch.inf)
        assert effects_of_single_keys(nothing, nothing, torch.ones(1, 3)).tolist() == [0.0, 0.0, 0.0]


class TestEqualsTheLiteralVersion:
    @pytest.fixture(scope="class", params=SHAPES)
    def model(self, request):
        return model_of(request.param)

    nodes = {  # noqa: RUF012 - read only
        Site.of_head(0, 2, at="q", position=5): ("blocks.0.attn.hook_q", (5, 2)),
        Site.of_head(1, 1, at="q"): ("blocks.1.attn.hook_q", (ALL, 1)),
        Site.of_head(0, 1, at="k", position=3): ("blocks.0.attn.hook_k", (3, 1)),
        Site.of_head(1, 0, at="k"): ("blocks.1.attn.hook_k", (ALL, 0)),
    }
    others = {  # noqa: RUF012
        Site.of_head(0, 1): ("blocks.0.attn.hook_z", (ALL, 1)),
        Site.of_head(1, 2, at="v", position=6): ("blocks.1.attn.hook_v", (6, 1)),
        Site("blocks.0.hook_attn_out", position=3): ("blocks.0.hook_attn_out", (3,)),
    }

    def test_for_queries_and_keys(self, model):
        clean, corrupted, mask = pairs()
        options = {"corrupted": corrupted, "metric": metric(), "mask": mask}
        found = atp_star(model, clean, groups=[[site] for site in self.nodes], grad_drop=False, **options).estimates
        for nth, node in enumerate(self.nodes.values()):
            for row in (0, 2):
                prompts = corrupted[row], clean[row]
                expected = literal.attention_fix(model, *prompts, node, literal_metric, row, mask[row])
                assert found[nth, row] == pytest.approx(expected, abs=1e-4), node

    def test_with_dropped_gradients(self, model):
        clean, corrupted, mask = pairs()
        others = dict(list(self.others.items())[::2])
        groups = [[site] for site in [*self.nodes, *others]]
        found = atp_star(model, clean, corrupted=corrupted, metric=metric(), mask=mask, groups=groups).estimates
        for row in (0, 2):
            prompts = corrupted[row], clean[row]
            fixed = [
                sum(
                    abs(literal.attention_fix(model, *prompts, node, literal_metric, row, mask[row], dropped=layer))
                    for layer in range(2)
                    if layer != int(node[0].split(".")[1])  # its own layer leaves it no gradient
                )
                for node in self.nodes.values()
            ]
            plain = [
                literal.gradient_dropped(model, *prompts, node, literal_metric, row, mask[row])
                for node in others.values()
            ]
            assert np.allclose(found[:, row], [*fixed, *plain], atol=1e-4)

    def test_other_sites_are_as_in_attribution_patching(self, model):
        clean, corrupted, mask = pairs()
        groups = [[Site.of_head(0, 1)], [Site("blocks.1.hook_resid_pre", position=3)]]
        options = {"corrupted": corrupted, "metric": metric(), "mask": mask, "groups": groups}
        corrected, plain = atp_star(model, clean, grad_drop=False, **options), attribution(model, clean, **options)
        assert np.allclose(corrected.estimates, plain.estimates, atol=1e-6)
        assert np.allclose(corrected.residual, plain.residual, atol=1e-5)
        assert np.array_equal(corrected.total, plain.total)


class TestGradDrop:
    """On the linear model, denoising doubles what heads add: 0.0 adds -1 directly and +8 through 1.0."""

    def found(self, model, groups, **options):
        compiled, _ = known("compiled/linear")
        clean, corrupted, answers, wrong = compiled.sample_pairs(3, 5)
        score = logit_difference(answers, wrong)
        return atp_star(model, clean, corrupted=corrupted, groups=groups, metric=score, **options)

    def test_is_the_mean_over_the_other_layers_by_hand(self):
        heads = [[Site.of_head(*head)] for head in ((0, 0), (1, 0), (1, 1), (1, 2), (0, 1))]
        found = self.found(known("compiled/linear")[1], heads)
        # 0.0: with layer 1 dropped -1 is left. Layer 1: with layer 0 dropped, each keeps what it does.
        assert np.allclose(found.estimates, np.array([1.0, 8.0, 3.0, 2.0, 0.0])[:, None], atol=1e-6)
        assert found.residual is None

    def test_is_the_mean_over_all_layers_where_none_silences(self):
        groups = [[Site("hook_embed")], [Site("blocks.1.hook_resid_pre")], [Site.of_head(0, 0), Site.of_head(1, 1)]]
        found = self.found(known("compiled/linear")[1], groups)
        # Embedding: 2 directly; +2 -1 +8 -3 through heads. Without layer 0: 2 + 2 - 3 = 1; without layer 1: 2 - 1 = 1.
        # Stream before layer 1: all of 8 without layer 0 (it is above that); 2 - 1 = 1 without layer 1.
        # The pair: 0 - 3 without layer 0; -1 - 0 without layer 1.
        assert np.allclose(found.estimates, np.array([1.0, 4.5, 2.0])[:, None], atol=1e-6)

    def test_sees_a_head_whose_effects_cancel(self):
        """With 1.0 at an eighth of its strength, what goes through it (+1) cancels what 0.0 does directly (-1)."""
        model = build(known("compiled/linear")[0])
        model.blocks[1].attn.W_O.data[0] /= 8
        group = [[Site.of_head(0, 0)]]
        assert np.allclose(self.found(model, group, grad_drop=False).estimates, 0, atol=1e-6)
        assert np.allclose(self.found(model, group).estimates, 1, atol=1e-6)


class TestBridge:
    @pytest.mark.parametrize("shape", DIRECTORIES)
    def test_gives_the_same_numbers(self, shape):
        clean, corrupted, mask = directory_pairs()
        groups = [[Site.of_head(layer, 1, at=part)] for layer in range(2) for part in "qk"]
        groups += [[Site.of_head(1, 0, at="k", position=4)], [Site.of_head(0, 2)]]
        options = {"corrupted": corrupted, "groups": groups, "metric": metric(), "mask": mask}
        models = on_both_backends(shape)
        for grad_drop in (False, True):
            hooked, bridge = (atp_star(model, clean, grad_drop=grad_drop, **options).estimates for model in models)
            assert np.allclose(hooked, bridge, atol=2e-4)
            # Queries of layer 0 reach the last token through layer 1 only, so GradDrop leaves them nothing.
            assert (np.abs(hooked).max(1) > 1e-4).tolist() == [not grad_drop, *[True] * 5]


class TestPositions:
    def test_keys_at_each_prompts_own_position(self):
        model = model_of("Llama")
        clean, corrupted, mask = pairs()
        options = {"corrupted": corrupted, "metric": metric(), "mask": mask, "grad_drop": False}
        hook = "blocks.1.attn.hook_k"
        own = atp_star(model, clean, groups=[[Site(hook, head=1)]], positions=torch.tensor([5, 3, -1]), **options)
        every = atp_star(model, clean, groups=[[Site(hook, head=1, position=p)] for p in range(7)], **options)
        assert np.allclose(own.estimates[0], every.estimates[[5, 3, 6], [0, 1, 2]], atol=1e-6)

    def test_batches_do_not_matter(self):
        model = model_of("GPT-2")
        clean, corrupted, mask = pairs()
        groups = [[Site.of_head(1, 1, at=part)] for part in "qkz"]
        options = {"corrupted": corrupted, "metric": metric(), "mask": mask, "groups": groups}
        together, apart = (atp_star(model, clean, batch_size=size, **options).estimates for size in (3, 1))
        assert np.allclose(together, apart, atol=1e-5)


class TestCost:
    def test_is_two_runs_one_for_queries_one_for_keys_and_a_gradient_per_layer(self, monkeypatch):
        model = model_of("GPT-2")
        clean, corrupted, _ = pairs()
        counted = {"forward": 0, "backward": 0}
        differentiate = torch.autograd.grad

        def count(name):
            counted[name] += 1

        def grad(*args, **kwargs):
            count("backward")
            return differentiate(*args, **kwargs)

        monkeypatch.setattr(torch.autograd, "grad", grad)
        groups = [
            [Site.of_head(layer, h, at=at, position=p)]
            for layer in (0, 1)
            for h in range(4)
            for at in "qkz"
            for p in range(7)
        ]
        with model.hooks([("blocks.0.hook_resid_pre", lambda activation, hook: count("forward"))]):
            atp_star(model, clean, corrupted=corrupted, groups=groups, metric=metric())
        assert counted == {"forward": 4, "backward": 2}


class TestBadInput:
    def call(self, model, **changes):
        clean, corrupted, _ = pairs()
        options = {"corrupted": corrupted, "groups": [[Site.of_head(0, 0, at="q")]], "metric": metric(), **changes}
        return atp_star(model, clean, **options)

    def test_one_layer_has_no_other_to_drop(self):
        with pytest.raises(ValueError, match="has one layer; use grad_drop=False"):
            self.call(saturated())

    def test_one_dimension_of_a_key(self):
        with pytest.raises(ValueError, match=r"is one dimension of a query or key, .* leave latent out"):
            self.call(model_of("GPT-2"), groups=[[Site("blocks.0.attn.hook_k", head=1, latent=2)]])

    def test_an_attention_that_is_no_softmax_of_its_scores(self):
        model = tiny_model(seed=5, use_attention_sinks=True, n_layers=2)
        with pytest.raises(ValueError, match=r"in layer 0 the pattern is not the softmax .* use attribution"):
            self.call(model, groups=[[Site.of_head(0, 0, at="k", position=3)]])

    def test_a_query_head_on_shared_keys(self):
        with pytest.raises(ValueError, match=r"head 3 .*keys and values are shared"):
            self.call(model_of("Llama"), groups=[[Site.of_head(0, 3, at="k")]])
