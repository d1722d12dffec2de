"""Direct logit attribution: parts sum to the metric on every shape, folded or not, and are what others find."""

import numpy as np
import pytest
import torch

from interp_lab.metrics import log_probability, logit_difference, rank, user_metric
from interp_lab.patching.direct_logit_attribution import direct_logit_attribution
from interp_lab.patching.logit_reading import through_frozen_norm
from interp_lab.types import Site
from tests.models.fixtures import SHAPES as DIRECTORIES
from tests.oracles import attribution as literal
from tests.organisms.compiled.building import known
from tests.patching.models import (
    ANSWERS,
    SHAPES,
    WRONG,
    directory_pairs,
    metric,
    model_of,
    on_both_backends,
    pairs,
)
from tests.tiny import tiny_model

NORMS = ("LN", "LNPre", "RMS", "RMSPre", None)


@pytest.fixture(scope="module", params=SHAPES)
def model(request):
    return model_of(request.param)


def values_of(found):
    return dict(zip(found.names, found.values, strict=True))


class TestSumsToTheMetric:
    @pytest.mark.parametrize("heads", [True, False], ids=["heads", "attention"])
    @pytest.mark.parametrize("neurons", [True, False], ids=["neurons", "MLPs"])
    def test_on_every_shape_with_padding_and_in_batches(self, model, heads, neurons):
        clean, _, mask = pairs()
        found = direct_logit_attribution(
            model, clean, metric=metric(), heads=heads, neurons=neurons, mask=mask, batch_size=2
        )
        with torch.no_grad():
            expected = metric()(model(clean, attention_mask=mask.long()))
        assert np.allclose(found.values.sum(0), expected, atol=1e-4)
        assert np.abs(found.values).max() > 0.1

    @pytest.mark.parametrize("norm", NORMS)
    def test_with_every_norm_folded_or_not(self, norm):
        model = model_of("GPT-2", normalization_type=norm)
        if norm in ("LN", "RMS"):
            with torch.no_grad():  # far from the ones and zeros that a folded norm would have
                model.ln_final.w += torch.linspace(-2, 2, 16)
        clean, _, _ = pairs()
        found = values_of(direct_logit_attribution(model, clean, metric=metric()))
        assert np.allclose(sum(found.values()), metric()(model(clean)).detach(), atol=1e-4)
        assert (np.abs(found["final norm bias"]).max() > 0.1) == (norm == "LN")

    def test_where_the_metric_reads_several_tokens_at_each_prompts_own_position(self, model):
        clean, _, _ = pairs()
        score = logit_difference([[1, 2, 3], [4], [5, 6]], [[7], [8, 9], [10]], positions=torch.tensor([2, 4, -2]))
        found = direct_logit_attribution(model, clean, metric=score)
        assert np.allclose(found.values.sum(0), score(model(clean)).detach(), atol=1e-4)

    def test_for_a_combination_over_all_positions_and_tokens(self):
        model = model_of("GPT-2")
        clean, _, _ = pairs()
        weights = torch.randn(7, 24, generator=torch.Generator().manual_seed(1)) / 24
        score = user_metric(lambda logits: (logits * weights).sum((1, 2)), name="weighted", unit="logits")
        found = direct_logit_attribution(model, clean, metric=score, neurons=True)
        assert np.allclose(found.values.sum(0), score(model(clean)).detach(), atol=1e-4)


class TestEachPart:
    @pytest.mark.parametrize("norm", NORMS)
    def test_equals_the_literal_version(self, norm):
        """One vector at a time through the norm at the scale of the whole, and onto one token's column at a time."""
        model = model_of("GPT-2", normalization_type=norm)
        clean, _, _ = pairs()
        found = values_of(direct_logit_attribution(model, clean, metric=metric(), neurons=True))
        weight = model.ln_final.w if norm in ("LN", "RMS") else torch.ones(16)
        kind = None if norm is None else norm.removesuffix("Pre")
        for row in range(3):
            _, cache = model.run_with_cache(clean[row : row + 1])
            z, post = cache["blocks.1.attn.hook_z"][0, -1], cache["blocks.0.mlp.hook_post"][0, -1]
            vectors = {
                "embedding": cache["hook_embed"][0, -1],
                "position embedding": cache["hook_pos_embed"][0, -1],
                "1.2": z[2] @ model.blocks[1].attn.W_O[2],
                "attention bias 1": model.blocks[1].attn.b_O,
                "neuron 0.5": post[5] * model.blocks[0].mlp.W_out[5],
                "MLP bias 0": model.blocks[0].mlp.b_out,
            }
            final = cache["blocks.1.hook_resid_post"][0, -1]
            for name, vector in vectors.items():
                with torch.no_grad():
                    effects = [
                        literal.direct_effect(vector, final, (kind, weight, None, model.cfg.eps), model.W_U, token[row])
                        for token in (ANSWERS, WRONG)
                    ]
                assert found[name][row] == pytest.approx(effects[0] - effects[1], abs=1e-4), name

    @pytest.mark.parametrize("shape", ["gpt2", "llama"])
    def test_equals_transformer_lens_on_folded_models(self, shape):
        from transformer_lens.tools.analysis import direct_logit_attribution as theirs

        model, tokens = on_both_backends(shape)[0], directory_pairs()[0]
        heads = direct_logit_attribution(model, tokens, metric=metric()).of_kind("head").values
        layers = values_of(direct_logit_attribution(model, tokens, metric=metric(), heads=False))
        for row in range(2):
            given = tokens[row : row + 1], ANSWERS[row : row + 1], WRONG[row : row + 1]
            with torch.no_grad():
                by_head, by_part = (theirs(model, *given, unit=unit) for unit in ("head", "component"))
            found = dict(zip(by_head.labels, by_head.attribution.flatten().tolist(), strict=True))
            assert heads[:, row] == pytest.approx([found[f"L{at}H{h}"] for at in (0, 1) for h in range(4)], abs=1e-4)
            found = dict(zip(by_part.labels, by_part.attribution.flatten().tolist(), strict=True))
            names = {"embedding": "embed", "attention 0": "0_attn_out", "MLP 1": "1_mlp_out"}
            for ours, name in names.items():
                assert layers[ours][row] == pytest.approx(found[name], abs=1e-4)

    def test_equals_the_metric_where_transformer_lens_does_not_because_the_norm_is_not_folded(self):
        model, tokens = on_both_backends("gpt2", "raw")[0], directory_pairs()[0]
        ours = direct_logit_attribution(model, tokens, metric=metric(), heads=False).values.sum(0)
        logits, cache = model.run_with_cache(tokens)
        assert np.allclose(ours, metric()(logits).detach(), atol=1e-4)
        stack = cache.decompose_resid(layer=-1, pos_slice=-1)
        theirs = cache.logit_attrs(stack, ANSWERS, pos_slice=-1, incorrect_tokens=WRONG).sum(0).detach()
        assert np.abs(theirs - ours).max() > 0.5


class TestByHand:
    def test_on_the_linear_model(self):
        compiled, model = known("compiled/linear")
        clean, corrupted, answers, wrong = compiled.sample_pairs(4, 5)
        for prompts, sign in ((clean, 1), (corrupted, -1)):
            found = values_of(direct_logit_attribution(model, prompts, metric=logit_difference(answers, wrong)))
            for name, effect in {
                "embedding": 1.0,
                "0.0": -0.5,
                "1.0": 4.0,
                "1.1": -1.5,
                "1.2": 1.0,
                "1.3": 0.0,
            }.items():
                assert np.allclose(found[name], sign * effect, atol=1e-6), name

    def test_through_a_frozen_norm(self):
        """Stream (1, 3): centred (-1, 1), scale 1; root mean square sqrt 5. Direction (4, 2): centred (1, -1)."""
        direction, final = torch.tensor([[[4.0, 2.0]]]), torch.tensor([[[1.0, 3.0]]])
        kinds = {"LN": (1.0, -1.0), "RMS": (4 / 5**0.5, 2 / 5**0.5), None: (4.0, 2.0)}
        for kind, expected in kinds.items():
            found = through_frozen_norm(direction, final, kind=kind, eps=0.0)
            assert found.flatten().tolist() == pytest.approx(expected)


class TestNames:
    def test_say_where_each_part_can_be_ablated(self):
        found = direct_logit_attribution(model_of("GPT-2"), pairs()[0], metric=metric(), neurons=True)
        named = dict(zip(found.names, zip(found.kinds, found.sites, strict=True), strict=True))
        assert named["1.3"] == ("head", Site.of_head(1, 3))
        assert named["neuron 0.31"] == ("neuron", Site("blocks.0.mlp.hook_post", latent=31))
        assert named["embedding"] == ("embedding", Site("hook_embed"))
        assert named["unembedding bias"] == ("bias", None)
        assert len(found.names) == len(set(found.names)) == 2 + 2 * (4 + 1 + 32 + 1) + 2
        assert found.of_kind("neuron").values.shape == (64, 3)
        with pytest.raises(ValueError, match="no part is of kind 'MLP'; there are position embedding"):
            found.of_kind("MLP")


class TestBridge:
    @pytest.mark.parametrize(
        ("shape", "processing"), [*((shape, "folded") for shape in DIRECTORIES), ("gpt2", "raw"), ("llama", "raw")]
    )
    def test_gives_the_same_numbers(self, shape, processing):
        tokens, _, mask = directory_pairs()
        hooked, bridge = (
            values_of(direct_logit_attribution(model, tokens, metric=metric(), neurons=True, mask=mask))
            for model in on_both_backends(shape, processing)
        )
        for name, values in hooked.items():
            assert np.allclose(values, bridge.get(name, 0.0), atol=1e-4), name
        assert set(bridge) <= set(hooked)  # a bridge has no bias where the original has none; there it is 0


class TestBadInput:
    @pytest.mark.parametrize(
        "score", [log_probability(torch.tensor([1, 2, 3])), rank(torch.tensor([1, 2, 3]))], ids=lambda score: score.name
    )
    def test_a_metric_that_is_no_combination_of_logits(self, score):
        with pytest.raises(ValueError, match=rf"'{score.name}' is not a fixed combination .* use metrics.logit_diff"):
            direct_logit_attribution(model_of("GPT-2"), pairs()[0], metric=score)

    def test_a_mask_for_other_prompts(self):
        mask = torch.ones(3, 6, dtype=torch.bool)
        with pytest.raises(ValueError, match=r"mask has shape \(3, 6\) and the prompts \(3, 7\)"):
            direct_logit_attribution(model_of("GPT-2"), pairs()[0], metric=metric(), mask=mask)

    def test_capped_logits(self):
        with pytest.raises(ValueError, match=r"capped at 3.0, .* ablating or patching"):
            direct_logit_attribution(tiny_model(output_logits_soft_cap=3.0), pairs()[0], metric=metric())

    def test_a_norm_behind_attention_is_refused_for_heads_and_no_hindrance_for_layers(self):
        model = tiny_model(use_normalization_before_and_after=True, normalization_type="RMS")
        with pytest.raises(ValueError, match=r"parts sum to .* not what its parts write .* try heads=False"):
            direct_logit_attribution(model, pairs()[0], metric=metric())
        found = direct_logit_attribution(model, pairs()[0], metric=metric(), heads=False)
        assert np.allclose(found.values.sum(0), metric()(model(pairs()[0])).detach(), atol=1e-4)

    def test_experts_have_no_neurons_of_the_model(self):
        model = tiny_model(num_experts=2, experts_per_token=1, gated_mlp=True, act_fn="silu")
        with pytest.raises(ValueError, match=r"have no neurons of their own .* use neurons=False"):
            direct_logit_attribution(model, pairs()[0], metric=metric(), neurons=True)
