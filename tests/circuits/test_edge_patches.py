"""Exact effects of edges equal a literal forward pass each, and are those that were worked out by hand."""

import numpy as np
import pytest
import torch

from interp_lab.circuits.edge_patches import edge_effects
from interp_lab.circuits.graph import all_edges, sources, targets
from interp_lab.edges import Edge
from interp_lab.hooks import edited
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model, compiled_names
from tests.circuits.models import KINDS, metric_of, pairs_for
from tests.engine.models import bridge
from tests.oracles import edges as oracle
from tests.tiny import tiny_model


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    return pairs_for(request.param)


class TestGraph:
    def test_has_every_edge_once(self, case):
        model, _ = case
        found = [(edge.source, edge.target) for edge in all_edges(model)]
        assert len(set(found)) == len(found)
        assert set(found) == set(oracle.edges_of(model))

    def test_by_hand(self):
        """One layer, two heads: 2 x 3 inputs of 2 sources, an MLP of 4, logits of 5."""
        model = tiny_model(n_layers=1, n_heads=2)
        assert sources(model) == ("embed", "pos_embed", "0.0", "0.1", "m0")
        assert targets(model) == ("0.0.q", "0.1.q", "0.0.k", "0.1.k", "0.0.v", "0.1.v", "m0", "logits")
        assert len(all_edges(model)) == 2 * 6 + 4 + 5

    def test_keys_and_values_that_heads_share_are_one_target(self):
        model = tiny_model(n_layers=1, n_heads=4, n_key_value_heads=2)
        assert [name for name in targets(model) if name.endswith("k")] == ["0.0.k", "0.1.k"]

    def test_parallel_mlps_do_not_read_the_heads_of_their_layer(self):
        model, _ = pairs_for("neox")
        assert Edge("0.0", "m0") not in all_edges(model)
        assert Edge("0.0", "m1") in all_edges(model)


class TestEffects:
    @pytest.mark.parametrize("ablation", ["zero", "resample"])
    def test_equal_a_literal_pass_for_every_edge(self, case, ablation):
        model, pairs = case
        every = all_edges(model)
        other = pairs[1] if ablation == "resample" else None
        found = edge_effects(model, pairs[0], every, metric_of(pairs), ablation=ablation, other=other)
        expected = oracle.edge_effects(model, pairs, ablation)
        literal = np.stack([expected[edge.source, edge.target].numpy() for edge in every])
        assert np.ptp(literal) > 1e-3
        np.testing.assert_allclose(found.changes, literal, atol=1e-8 * max(1, np.abs(literal).max()))

    def test_of_means_take_the_mean_of_the_reference_prompts(self):
        """Mean ablation is resample ablation by a prompt whose writes are the means: here both prompts are the same."""
        model, pairs = pairs_for("gpt2")
        every = all_edges(model)[::7]
        one = pairs[1][:1]
        mean = edge_effects(model, pairs[0], every, metric_of(pairs), ablation="mean", other=one.repeat(4, 1))
        same = edge_effects(model, pairs[0], every, metric_of(pairs), ablation="mean", other=one)
        np.testing.assert_allclose(mean.changes, same.changes, atol=1e-12)
        alone = edge_effects(
            model, pairs[0][:1], every, logit_difference(pairs[2][:1], pairs[3][:1]), ablation="resample", other=one
        )
        np.testing.assert_allclose(mean.changes[:, :1], alone.changes, atol=1e-12)

    def test_come_in_the_order_asked_and_do_not_depend_on_what_fits_into_memory(self, monkeypatch):
        model, pairs = pairs_for("llama")
        every = all_edges(model)[::5]
        whole = edge_effects(model, pairs[0], every, metric_of(pairs), ablation="zero")
        assert whole.names == tuple(map(str, every))
        monkeypatch.setattr("interp_lab.circuits.edge_patches._BUDGET", 1)
        told = []
        turned = edge_effects(
            model, pairs[0], every[::-1], metric_of(pairs), ablation="zero", progress=lambda *step: told.append(step)
        )
        np.testing.assert_allclose(turned.changes[::-1], whole.changes, atol=1e-12)
        assert told[-1][:2] == (len(every), len(every))


class TestKnownAnswers:
    @pytest.mark.parametrize("ablation", ["zero", "resample"])
    @pytest.mark.parametrize("name", compiled_names())
    def test_the_edges_with_an_effect_are_those_of_the_truth(self, name, ablation):
        compiled, model = compile_model(name), load_model(name)
        pairs, every = compiled.sample_pairs(8, seed=0), all_edges(model)
        other = pairs.corrupted if ablation == "resample" else None
        metric = logit_difference(pairs.answers, pairs.wrong)
        found = edge_effects(model, pairs.clean, every, metric, ablation=ablation, other=other)
        matter = {edge for edge, changes in zip(every, found.changes, strict=True) if abs(changes).max() > 1e-3}
        assert matter == (compiled.truth.edges_zero if ablation == "zero" else compiled.truth.edges_resample)


class TestBadInput:
    def test_an_edge_that_the_model_has_not(self):
        model, pairs = pairs_for("attention only")
        with pytest.raises(ValueError, match=r"the model has no edge m0->logits.* \(1 such of 2\); it has \d+ edges"):
            edge_effects(
                model, pairs[0], [Edge("m0", "logits"), Edge("0.0", "logits")], metric_of(pairs), ablation="zero"
            )

    def test_no_edges(self):
        model, pairs = pairs_for("attention only")
        with pytest.raises(ValueError, match="no edges are given"):
            edge_effects(model, pairs[0], [], metric_of(pairs), ablation="zero")

    def test_other_prompts_that_do_not_fit(self):
        model, pairs = pairs_for("gpt2")
        one = [Edge("0.0", "logits")]
        with pytest.raises(ValueError, match=r"cannot take values from ones of shape \(3, 5\)"):
            edge_effects(model, pairs[0], one, metric_of(pairs), ablation="resample", other=pairs[1][:, 1:])
        with pytest.raises(ValueError, match="give other=, or use 'zero'"):
            edge_effects(model, pairs[0], one, metric_of(pairs), ablation="mean")

    def test_a_bridge(self, tmp_path):
        with pytest.raises(ValueError, match="load the model with backend='hooked'"):
            all_edges(bridge("native gpt2", tmp_path))

    def test_a_model_that_norms_what_it_writes(self):
        with pytest.raises(ValueError, match="norms what its layers write"):
            all_edges(pairs_for("norms on both sides")[0])

    def test_somebody_elses_hook_on_what_is_read(self):
        model, pairs = pairs_for("gpt2")
        doubled = {"blocks.1.attn.hook_q": lambda value: value * 2}
        with (
            edited(model, doubled),
            pytest.raises(ValueError, match=r"what 1\.0\.q makes of its input .* remove other"),
        ):
            edge_effects(model, pairs[0], [Edge("0.0", "logits")], metric_of(pairs), ablation="zero")


def test_padding_changes_nothing():
    """A prompt alone and the same prompt behind padding."""
    model, (clean, corrupted, answers, wrong) = pairs_for("gpt2")
    every, pad = all_edges(model)[::9], torch.zeros(3, 2, dtype=torch.long)
    alone = edge_effects(model, clean, every, logit_difference(answers, wrong), ablation="resample", other=corrupted)
    mask = torch.cat([pad.bool(), torch.ones_like(clean, dtype=torch.bool)], dim=1)
    padded = edge_effects(
        model, torch.cat([pad, clean], 1), every, logit_difference(answers, wrong), ablation="resample",
        other=torch.cat([pad, corrupted], 1), mask=mask,
    )  # fmt: skip
    np.testing.assert_allclose(padded.changes, alone.changes, atol=1e-8)
