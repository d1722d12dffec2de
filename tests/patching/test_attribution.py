"""Estimates to first order: equal to literal ones, exact where the model is linear, and no dearer than two runs."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from interp_lab.gradients import gradients_of
from interp_lab.metrics import logit_difference, rank
from interp_lab.patching.attribution import attribution
from interp_lab.types import Site
from tests.models.fixtures import SHAPES as DIRECTORIES
from tests.oracles import attribution as literal
from tests.organisms.compiled.building import known
from tests.patching.models import (
    SHAPES,
    directory_pairs,
    literal_metric,
    metric,
    model_of,
    on_both_backends,
    pairs,
)

ALL = slice(None)
NODES = {
    Site("hook_embed", position=3): ("hook_embed", (3,)),
    Site("blocks.0.hook_resid_pre"): ("blocks.0.hook_resid_pre", ()),
    Site("blocks.1.hook_resid_pre", position=-1): ("blocks.1.hook_resid_pre", (6,)),
    Site("blocks.0.hook_attn_out", position=5, latent=2): ("blocks.0.hook_attn_out", (5, 2)),
    Site.of_head(0, 1): ("blocks.0.attn.hook_z", (ALL, 1)),
    Site.of_head(1, 2, position=6): ("blocks.1.attn.hook_z", (6, 2)),
    Site.of_head(1, 3, at="q"): ("blocks.1.attn.hook_q", (ALL, 3)),
    Site.of_head(0, 1, at="k", position=3): ("blocks.0.attn.hook_k", (3, 1)),
    Site.of_head(1, 0, at="v"): ("blocks.1.attn.hook_v", (ALL, 0)),
    Site.of_head(1, 2, at="pattern", position=6): ("blocks.1.attn.hook_pattern", (2, 6)),
    Site("blocks.0.attn.hook_attn_scores", head=2): ("blocks.0.attn.hook_attn_scores", (2,)),
}
NEURON = {Site("blocks.0.mlp.hook_post", latent=7): ("blocks.0.mlp.hook_post", (ALL, 7))}


def nodes_of(model):
    return NODES if model.cfg.attn_only else {**NODES, **NEURON}


class TestEqualsTheLiteralVersion:
    @pytest.mark.parametrize(
        ("shape", "direction"), [*((shape, "denoise") for shape in SHAPES), ("GPT-2", "noise"), ("Llama", "noise")]
    )
    def test_one_gradient_for_all_nodes(self, shape, direction):
        model = model_of(shape)
        clean, corrupted, mask = pairs()
        nodes = nodes_of(model)
        found = attribution(
            model,
            clean,
            corrupted=corrupted,
            groups=[[site] for site in nodes],
            metric=metric(),
            direction=direction,
            mask=mask,
            batch_size=2,
        )
        base, donor = (corrupted, clean) if direction == "denoise" else (clean, corrupted)
        for nth, node in enumerate(nodes.values()):
            if node[0].endswith("attn_scores"):
                continue  # minus infinity minus itself is NaN in the literal version; see the finite part below
            for row in (0, 2):
                expected = literal.attribution(model, base[row], donor[row], node, literal_metric, row, mask[row])
                assert found.estimates[nth, row] == pytest.approx(expected, abs=1e-4, rel=1e-4), node
        for row in range(3):
            with torch.no_grad():
                logits = [literal.run(model, prompts[row], mask=mask[row]) for prompts in (base, donor)]
            values = [float(literal_metric(part, row)) for part in logits]
            assert found.baseline[row] == pytest.approx(values[0], abs=1e-4)
            assert found.total[row] == pytest.approx(values[1] - values[0], abs=1e-4)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_integrated_gradients(self, shape):
        model = model_of(shape)
        clean, corrupted, _ = pairs()
        nodes = dict(list(nodes_of(model).items())[:8])
        found = attribution(
            model, clean, corrupted=corrupted, groups=[[site] for site in nodes], metric=metric(), steps=3
        )
        for nth, node in enumerate(nodes.values()):
            expected = literal.integrated_gradients(model, corrupted[1], clean[1], node, literal_metric, 1, steps=3)
            assert found.estimates[nth, 1] == pytest.approx(expected, abs=1e-4, rel=1e-4), node

    def test_masked_scores_contribute_what_their_finite_part_does(self):
        model = model_of("GPT-2")
        clean, corrupted, _ = pairs()
        sites = [Site("blocks.0.attn.hook_attn_scores", head=0, position=6, latent=key) for key in range(7)]
        found = attribution(model, clean, corrupted=corrupted, groups=[[site] for site in sites], metric=metric())
        scores = [
            literal.activations(model, prompts[0], [sites[0].hook])[sites[0].hook] for prompts in (corrupted, clean)
        ]
        gradient = literal.gradient(model, corrupted[0], sites[0].hook, literal_metric, 0)
        expected = ((scores[1] - scores[0]) * gradient)[0, 6]
        assert np.allclose(found.estimates[:, 0], expected, atol=1e-5)
        assert np.abs(expected).max() > 1e-3


class TestOnALinearModel:
    """Heads 0.0, 1.0, 1.1, 1.2 add -1/2, +4, -3/2 and +1 to the clean logit difference, and the opposite when
    corrupted; the +4 of 1.0 passes through 0.0, and the embedding adds 1 (see organisms/compiled/linear.py)."""

    heads = ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2))

    def found(self, groups, **options):
        compiled, model = known("compiled/linear")
        clean, corrupted, answers, wrong = compiled.sample_pairs(6, 5)
        return attribution(
            model,
            clean,
            corrupted=corrupted,
            groups=groups,
            metric=logit_difference(answers, wrong),
            **options,
        )

    @pytest.mark.parametrize(("direction", "sign"), [("denoise", 1), ("noise", -1)])
    @pytest.mark.parametrize("steps", [1, 4])
    def test_equals_the_effects_worked_by_hand_with_their_sign(self, direction, sign, steps):
        found = self.found([[Site.of_head(*head)] for head in self.heads], direction=direction, steps=steps)
        expected = sign * np.array([7.0, 0.0, 8.0, -3.0, 2.0])[:, None] * np.ones(6)
        assert np.allclose(found.estimates, expected, atol=1e-6)
        assert np.allclose(found.baseline, -4 * sign, atol=1e-6)
        assert np.allclose(found.total, 8 * sign, atol=1e-6)

    def test_equals_activation_patching_at_every_node(self):
        compiled, model = known("compiled/linear")
        clean, corrupted, answers, wrong = compiled.sample_pairs(1, 5)

        def score(logits, row):
            return logits[-1, answers[row]] - logits[-1, wrong[row]]

        nodes = {
            Site(f"blocks.{layer}.attn.hook_{part}", head=head, position=position): (
                f"blocks.{layer}.attn.hook_{part}",
                (position, head),
            )
            for layer in range(2) for part in "zv" for head in range(4) for position in (6, 7, 8)
        }  # fmt: skip
        found = attribution(
            model,
            clean,
            corrupted=corrupted,
            groups=[[site] for site in nodes],
            metric=logit_difference(answers, wrong),
        )
        for nth, node in enumerate(nodes.values()):
            exact = literal.patched_effect(model, corrupted[0], clean[0], [node], score, 0)
            assert found.estimates[nth, 0] == pytest.approx(exact, abs=1e-6)

    def test_sources_sum_to_the_total(self):
        sources = [[Site("hook_embed", position=position)] for position in range(9)]
        found = self.found(sources)
        assert np.allclose(found.estimates.sum(0), found.total, atol=1e-6)
        assert np.allclose(found.residual, 0, atol=1e-6)

    def test_groups_add_up_what_their_sites_do(self):
        found = self.found([[Site.of_head(1, 0), Site.of_head(1, 1)], [Site.of_head(1, 2)]])
        assert np.allclose(found.estimates, np.array([5.0, 2.0])[:, None], atol=1e-6)
        assert found.names == ("1.0+1.1", "1.2")


class TestIntegratedGradients:
    @pytest.mark.parametrize("shape", ["GPT-2", "Llama"])
    def test_sum_to_the_total_with_enough_steps_where_one_gradient_does_not(self, shape):
        clean, corrupted, mask = pairs()
        options = {"corrupted": corrupted, "groups": [[Site("hook_embed")]], "metric": metric(), "mask": mask}
        one, many = (attribution(model_of(shape), clean, **options, steps=steps) for steps in (1, 16))
        assert np.abs(one.residual).max() > 0.05
        assert np.abs(many.residual).max() < np.abs(one.residual).max() / 30
        assert np.allclose(many.estimates[0], many.total + many.residual, atol=1e-6)


class TestWhatItReads:
    def test_rows_do_not_mix(self):
        model = model_of("GPT-2")
        clean, corrupted, mask = pairs()
        groups = [[Site.of_head(0, head)] for head in range(4)]
        options = {"corrupted": corrupted, "groups": groups, "metric": metric(), "mask": mask}
        together, apart = (attribution(model, clean, **options, batch_size=size).estimates for size in (3, 1))
        assert np.allclose(together, apart, atol=1e-5)

    def test_each_prompt_at_its_own_position(self):
        model = model_of("Llama")
        clean, corrupted, _ = pairs()
        where = torch.tensor([3, -2, 6])
        options = {"corrupted": corrupted, "metric": metric()}
        hooks = ["blocks.1.hook_resid_pre", "blocks.0.attn.hook_pattern"]
        heads = [None, 2]
        own = attribution(
            model,
            clean,
            groups=[[Site(h, head=i)] for h, i in zip(hooks, heads, strict=True)],
            positions=where,
            **options,
        )
        every = attribution(
            model,
            clean,
            groups=[[Site(h, head=i, position=p)] for h, i in zip(hooks, heads, strict=True) for p in range(7)],
            **options,
        ).estimates.reshape(2, 7, 3)
        assert np.allclose(own.estimates, every[:, [3, 5, 6], [0, 1, 2]], atol=1e-6)
        assert np.abs(own.estimates[0]).min() > 1e-4

    def test_latents_of_a_codec_are_neurons_where_the_codec_permutes(self):
        @dataclass(frozen=True)
        class Reverse:
            def encode(self, activation):
                return activation.flip(-1) * 2

            def decode(self, latents):
                return latents.flip(-1) / 2

        model = model_of("GPT-2")
        clean, corrupted, _ = pairs()
        hook, options = "blocks.0.mlp.hook_post", {"corrupted": corrupted, "metric": metric()}
        groups = [[Site(hook, position=5, latent=i)] for i in range(32)]
        neurons = attribution(model, clean, groups=groups, **options).estimates
        latents = attribution(model, clean, groups=groups, codecs={hook: Reverse()}, **options).estimates
        assert np.allclose(latents, neurons[::-1], atol=1e-6)

    def test_a_lossy_codec_is_credited_with_what_it_decodes_only(self):
        @dataclass(frozen=True)
        class FirstTwo:
            def encode(self, activation):
                return activation[..., :2]

            def decode(self, latents):
                return torch.nn.functional.pad(latents, (0, 14))

        model = model_of("GPT-2")
        clean, corrupted, _ = pairs()
        hook, options = "blocks.1.hook_resid_pre", {"corrupted": corrupted, "metric": metric()}
        parts = attribution(model, clean, groups=[[Site(hook, latent=0), Site(hook, latent=1)]], **options)
        whole = attribution(model, clean, groups=[[Site(hook)]], codecs={hook: FirstTwo()}, **options)
        assert np.allclose(parts.estimates, whole.estimates, atol=1e-6)

    def test_leaves_the_model_as_it_was(self):
        model = model_of("GPT-2")
        clean, corrupted, _ = pairs()
        with torch.inference_mode():
            before = model(clean)
            attribution(model, clean, corrupted=corrupted, groups=[[Site.of_head(0, 0)]], metric=metric(), steps=2)
            assert torch.equal(model(clean), before)
        assert all(parameter.grad is None for parameter in model.parameters())
        assert not any(point.fwd_hooks or point.bwd_hooks for point in model.hook_dict.values())

    def test_frozen_weights_do_not_matter(self):
        clean, corrupted, _ = pairs()
        options = {"corrupted": corrupted, "groups": [[Site.of_head(0, 1)]], "metric": metric()}
        frozen = model_of("GPT-2").requires_grad_(False)
        assert np.array_equal(
            attribution(frozen, clean, **options).estimates, attribution(model_of("GPT-2"), clean, **options).estimates
        )


class TestCost:
    @pytest.mark.parametrize(("steps", "forward", "backward"), [(1, 2, 1), (5, 7, 5)])
    def test_is_two_runs_and_a_gradient_however_many_nodes(self, monkeypatch, steps, forward, backward):
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
        groups = [[Site.of_head(layer, head, position=p)] for layer in range(2) for head in range(4) for p in range(7)]
        with model.hooks([("blocks.0.hook_resid_pre", lambda activation, hook: count("forward"))]):
            attribution(model, clean, corrupted=corrupted, groups=groups, metric=metric(), steps=steps)
        assert counted == {"forward": forward, "backward": backward}


class TestBridge:
    @pytest.mark.parametrize("shape", DIRECTORIES)
    def test_gives_the_same_numbers(self, shape):
        clean, corrupted, mask = directory_pairs()
        groups = [[Site.of_head(layer, 1, at=part)] for layer in range(2) for part in "zqkv"]
        groups += [[Site("blocks.1.hook_resid_pre", position=4)], [Site("blocks.0.mlp.hook_post", latent=3)]]
        groups += [[Site("blocks.0.hook_mlp_out")], [Site("blocks.1.hook_attn_out")]]
        options = {"corrupted": corrupted, "groups": groups, "metric": metric(), "mask": mask, "steps": 2}
        hooked, bridge = (attribution(model, clean, **options) for model in on_both_backends(shape))
        assert np.allclose(hooked.estimates, bridge.estimates, atol=2e-4)
        assert np.allclose(hooked.residual, bridge.residual, atol=2e-4)
        assert (np.abs(hooked.estimates).max(1) > 1e-4).all()


HEAD, OTHER = Site.of_head(0, 0), Site.of_head(1, 0)


def with_one_equal():
    clean, corrupted, _ = pairs()
    corrupted[1] = clean[1]
    return corrupted


class TestBadInput:
    def call(self, **changes):
        clean, corrupted, _ = pairs()
        options = {"corrupted": corrupted, "groups": [[Site.of_head(0, 0)]], "metric": metric(), **changes}
        return attribution(model_of("GPT-2"), options.pop("clean", clean), **options)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"corrupted": torch.ones(3, 6, dtype=torch.long)},
                r"\(3, 7\) and corrupted ones \(3, 6\); pairs must be al",
            ),
            ({"corrupted": pairs()[0]}, "the same prompt in pair 0"),
            ({"corrupted": with_one_equal()}, "the same prompt in pair 1"),
            ({"groups": []}, "no sites to attribute to"),
            ({"groups": [[]]}, "group 0 is empty"),
            ({"groups": [[Site.of_head(0, 0), Site.of_head(0, 0)]]}, "group 0 names 0.0 twice"),
            ({"groups": [[HEAD, Site.of_head(0, 0, position=3)]]}, "names 0.0 and 0.0@3, which overlap in 7 tokens"),
            ({"groups": [[Site.of_head(0, 0, position=at) for at in (3, -4)]]}, "names 0.0@3 and 0.0@-4, which"),
            ({"groups": [[HEAD], [Site.of_head(0, 1)], [HEAD]]}, "groups 0 and 2 are the same, .*give it once"),
            ({"groups": [[Site.of_head(0, 0, position=at)] for at in (3, -4)]}, "groups 0 and 1 are the same"),
            ({"groups": [[HEAD, OTHER], [OTHER, HEAD]]}, "groups 0 and 1 are the same"),
            ({"groups": [[Site.of_head(0, 4)]]}, "head 4 is out of range"),
            ({"groups": [[Site.of_head(0, 0, position=7)]]}, "is 7, outside the 7 there are"),
            ({"groups": [[Site("blocks.0.mlp.hook_post", latent=32)]]}, "is 32, outside the 32 there are"),
            ({"positions": torch.tensor([1, 2])}, "2 positions for 3 prompts"),
            ({"positions": torch.tensor([1, 2, 7])}, "position 7 is outside prompts of 7 tokens"),
            (
                {"positions": torch.tensor([1, 2, 3]), "groups": [[Site.of_head(0, 0, position=1)]]},
                "has one of its own; give one or the other",
            ),
            ({"mask": torch.ones(3, 6, dtype=torch.bool)}, "mask has shape"),
            ({"steps": 0}, "steps=0"),
            ({"metric": rank(torch.tensor([1, 2, 3]))}, "'rank' has no gradient"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_is_refused_by_name(self, changes, message):
        with pytest.raises(ValueError, match=message):
            self.call(**changes)

    def test_a_silent_hook_point(self):
        with pytest.raises(ValueError, match="never fires until"):
            self.call(groups=[[Site("blocks.0.hook_q_input", head=0)]])

    def test_an_activation_that_the_metric_does_not_depend_on(self):
        read, unread = (torch.ones(2, requires_grad=True) for _ in range(2))
        with pytest.raises(ValueError, match="nothing that the metric reads depends on 'unread'"):
            gradients_of(2 * read, {"read": read, "unread": unread})
