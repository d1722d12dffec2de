"""Hooks, interventions, effects and scores give the same numbers on HookedTransformer and on TransformerBridge."""

import numpy as np
import pytest
import torch

from interp_lab.attention import AttentionHeads, AttentionHeadsConfig
from interp_lab.attention.heads import head_scores
from interp_lab.claims import Split
from interp_lab.engine import sweep
from interp_lab.hooks import ablate, capture, require_site
from interp_lab.interventions import Ablation, ablations
from interp_lab.metrics import next_token_loss
from interp_lab.models import load_model
from interp_lab.types import Site
from tests.models.fixtures import SHAPES, random_tokens, save_directory

TOKENS = random_tokens()
TOLERANCE = 1e-5


@pytest.fixture(scope="module", params=SHAPES)
def pair(request, tmp_path_factory):
    directory = save_directory(tmp_path_factory.mktemp("models") / f"tiny-{request.param}", request.param)
    return [load_model(directory, "cpu", backend=backend) for backend in ("hooked", "bridge")]


def test_captured_activations_agree(pair):
    names = ["blocks.0.attn.hook_z", "blocks.1.attn.hook_pattern", "blocks.1.attn.hook_k", "blocks.1.hook_resid_post"]
    hooked, bridge = (capture(model, TOKENS, names) for model in pair)
    for name in names:
        assert torch.allclose(hooked[name], bridge[name], atol=TOLERANCE), name


@pytest.mark.parametrize("kind", Ablation)
def test_effects_of_every_head_agree(pair, kind):
    groups = [[Site.of_head(layer, head)] for layer in range(2) for head in range(4)]
    groups += [[Site("blocks.0.hook_mlp_out")], [Site("blocks.1.hook_resid_pre", position=4)]]
    options = {"reference": random_tokens(seed=5), "n_examples": len(TOKENS)}
    if kind is Ablation.MEAN_BY_TEMPLATE:
        names = [str(row % 2) for row in range(len(TOKENS))]
        options |= {"templates": names, "reference_templates": names[::-1]}
    changes = [
        sweep(
            model,
            TOKENS,
            ablations(model, groups, kind=kind, **options),
            next_token_loss(TOKENS),
        ).changes
        for model in pair
    ]
    assert np.abs(changes[0]).max() > 0.01
    assert np.allclose(*changes, atol=TOLERANCE)


def test_attention_scores_agree(pair):
    hooked, bridge = (head_scores(model, TOKENS) for model in pair)
    assert np.allclose(hooked, bridge, atol=TOLERANCE)


def test_unknown_hook_points_are_refused_although_the_bridge_would_ignore_them(pair):
    for model in pair:
        with pytest.raises(ValueError, match="no hook point"):
            capture(model, TOKENS, ["blocks.0.hook_resid_pots"])
        with pytest.raises(ValueError, match=r"layer 9 .* out of range"):
            require_site(model, Site.of_head(9, 0))


@pytest.mark.parametrize("pair", [shape for shape in SHAPES if shape != "neox"], indirect=True)  # which has no middle
def test_an_edit_that_would_miss_the_skip_connection_is_refused_on_the_bridge(pair):
    hooked, bridge = pair
    site = Site("blocks.0.hook_resid_mid")
    with torch.inference_mode(), ablate(hooked, site):
        hooked(TOKENS)
    with (
        pytest.raises(ValueError, match=r"can be read but not edited .* misses the skip"),
        ablate(bridge, site),
    ):
        pass


def test_the_experiment_finds_the_same_circuit_in_a_compiled_model():
    config = AttentionHeadsConfig(
        model="compiled/induction", period=8, second_period=10, held_out_period=6, n_sequences=32, dtype="float32"
    )
    results = [
        AttentionHeads(config).measure(load_model(config.model, "cpu", backend=backend))
        for backend in ("hooked", "bridge")
    ]
    assert results[0].looks.of_heads == results[1].looks.of_heads
    assert [str(claim.grade) for claim in results[0].claims()] == [str(claim.grade) for claim in results[1].claims()]
    changes = [result.effects[Split.REPORT, "second copy"].changes for result in results]
    assert np.allclose(*changes, atol=1e-4)
