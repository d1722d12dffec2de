"""The experiment on models whose answer is known, and on the same models broken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.experiment import AttentionHeads
from interp_lab.attention.heads import TYPE_NAMES, chance_scores, head_scores, heads_that_look, type_masks
from interp_lab.attention.result import AttentionHeadsResult
from interp_lab.claims import Grade
from interp_lab.interventions import Intervention, Op, applied
from interp_lab.models import declare_identity, load_model
from interp_lab.types import Site, WeightProcessing
from tests.tiny import tiny_model, tokens

QUICK = {"period": 8, "held_out_period": 6, "n_sequences": 16, "ablation": "zero"}


def measure(name: str, **changes) -> AttentionHeadsResult:
    config = AttentionHeadsConfig.from_mapping({"model": name, **QUICK, **changes})
    return AttentionHeads(config).measure(load_model(name))


@pytest.fixture(scope="module")
def induction():
    return measure("compiled/induction")


@pytest.fixture(scope="module")
def untrained():
    model = tiny_model()
    declare_identity(model, name="untrained", processing=WeightProcessing.named("raw"))
    config = AttentionHeadsConfig.from_mapping({"model": "untrained", **QUICK})
    return AttentionHeads(config).measure(model)


class TestScores:
    def test_shares_of_one_heads_attention_add_up_to_at_most_one(self):
        scores = head_scores(tiny_model(), tokens(6, 20))
        assert scores.shape == (4, 3, 4, 6)
        assert scores.sum(0).max() <= 1 + 1e-6
        assert (scores >= 0).all()

    def test_do_not_depend_on_the_batch_size(self):
        model, text = tiny_model(), tokens(7, 20)
        assert np.allclose(head_scores(model, text, batch_size=2), head_scores(model, text, batch_size=64), atol=1e-6)

    def test_equal_the_mean_over_the_second_copy(self):
        """On `[BOS, x, x]` the queries asked are exactly those of the second copy."""
        text = torch.tensor([[0, 5, 6, 7, 5, 6, 7]])
        assert type_masks(text).any(-1).all(0)[0].tolist() == [False] * 4 + [True] * 3

    def test_work_on_grouped_query_models(self):
        assert head_scores(tiny_model(n_key_value_heads=2), tokens(3, 20)).shape == (4, 3, 4, 3)

    def test_a_uniform_head_scores_chance(self):
        model = tiny_model()
        for block in model.blocks:
            block.attn.W_Q.data.zero_()
            block.attn.b_Q.data.zero_()
        text = tokens(5, 20)
        scores, chance = head_scores(model, text), chance_scores(text)
        assert np.allclose(scores, chance[:, None, None, :], atol=1e-6)
        assert not heads_that_look(scores, chance, at_least=0.01, fdr=0.05, seed=0).any()

    def test_attention_that_transformer_lens_zeroed_is_not_taken_for_attention(self):
        broken = tiny_model()
        broken.blocks[1].attn.W_Q.data[0, 0, 0] = float("nan")
        with pytest.raises(ValueError, match=r"blocks\.1\.attn\.hook_q.*in layer 1"):
            head_scores(broken, tokens(3, 20))

    def test_edited_attention_is_refused(self):
        model = tiny_model()
        halved = Intervention((Site("blocks.2.attn.hook_pattern"),), Op.SCALE, (torch.tensor(0.5),), "halved")
        with applied(model, halved), pytest.raises(ValueError, match=r"blocks\.2.* does not add up to 1 .*off by 0\.5"):
            head_scores(model, tokens(3, 20))


class TestInductionModel:
    def test_finds_the_circuit_and_needs_exactly_its_heads(self, induction):
        assert induction.types == {(0, 0): ("previous_token",), (0, 1): ("first_token",), (1, 0): ("induction",)}
        grades = dict(zip(induction.types, (claim.grade for claim in induction.claims()), strict=True))
        assert grades == {(0, 0): Grade.REPLICATED, (0, 1): Grade.DESCRIPTIVE, (1, 0): Grade.REPLICATED}

    def test_losses_are_those_of_a_model_that_can_only_copy(self, induction):
        first, second = induction.losses()
        assert first.estimate == pytest.approx(np.log(24), abs=0.01)
        assert second.estimate < 0.01

    def test_without_a_held_out_period_nothing_is_replicated(self):
        claims = measure("compiled/induction", held_out_period=None).claims()
        assert max(claim.grade for claim in claims) is Grade.CAUSAL

    def test_claims_follow_the_weights(self, induction):
        model = load_model("compiled/induction")
        model.blocks[0].attn.W_O.data[0] = 0  # cut the previous-token head off
        broken = AttentionHeads(induction.config).measure(model)
        assert {claim.statement for claim in broken.claims()} != {claim.statement for claim in induction.claims()}
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in broken.claims())

    def test_claims_follow_the_numbers(self, induction):
        nothing = replace(induction, report_changes=np.zeros_like(induction.report_changes))
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in nothing.claims())

    def test_same_config_same_bits(self, induction):
        again = measure("compiled/induction")
        assert all(np.array_equal(value, again.arrays()[name]) for name, value in induction.arrays().items())
        assert again.tables()["heads"].equals(induction.tables()["heads"])


class TestHonesty:
    def test_look_alikes_look_and_do_not_act(self):
        result = measure("compiled/look-alike")
        alike = {head: claim.grade for head, claim in zip(result.types, result.claims(), strict=True)}
        induction = [head for head, kinds in result.types.items() if "induction" in kinds]
        assert [alike[head] for head in induction] == [Grade.REPLICATED, Grade.DESCRIPTIVE, Grade.DESCRIPTIVE]

    def test_an_untrained_model_supports_no_causal_claim(self, untrained):
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in untrained.claims())
        assert "no better than the first" in untrained.summary()

    def test_a_model_without_the_behaviour_is_asked_nothing_about_it(self):
        result = measure("compiled/linear")
        assert (1, 0) in result.types
        assert result.evidence == {}

    def test_types_are_chosen_on_one_half_and_reported_on_another(self, induction):
        swapped = replace(induction, report_scores=np.zeros_like(induction.report_scores))
        assert np.array_equal(swapped.looks, induction.looks)
        assert swapped.score_intervals.estimate.max() == 0

    def test_descriptive_and_causal_figures_are_in_different_sections(self, induction):
        looks, acts = induction.sections()
        assert (looks.causal, acts.causal) == (False, True)
        assert set(looks.figures) == set(TYPE_NAMES)
        assert set(acts.figures) == {"ablation", "effects"}


class TestTables:
    def test_one_row_per_head_with_interval_null_and_grade(self, induction):
        table = induction.tables()["heads"].set_index("head")
        assert len(table) == 8
        row = table.loc["1.0"]
        assert row.looks_like == "induction"
        assert row.induction_low <= row.induction <= row.induction_high
        assert row.induction_shuffled_keys < 0.2
        assert row.grade == "replicated"
        assert row.loss_rise == pytest.approx(np.log(24), abs=0.01)
        assert np.isnan(table.loc["0.2"].p_adjusted)

    def test_metrics_are_flat_numbers(self, induction):
        assert all(isinstance(value, float) for value in induction.metrics().values())
        assert induction.metrics()["n_causal_claims"] == 2


class TestBadInput:
    def test_a_period_that_does_not_fit_the_context(self):
        with pytest.raises(ValueError, match=r"period 30 does not fit: .* need 61 positions, there are 48"):
            measure("compiled/induction", period=30)

    def test_more_distinct_tokens_than_symbols(self):
        model = tiny_model(d_vocab=6)
        declare_identity(model, name="small", processing=WeightProcessing.named("raw"))
        with pytest.raises(ValueError, match="need 8 distinct symbols and there are 5"):
            AttentionHeads(AttentionHeadsConfig.from_mapping({"model": "small", **QUICK})).measure(model)

    def test_a_model_nobody_named(self):
        with pytest.raises(ValueError, match="declare_identity"):
            AttentionHeads(AttentionHeadsConfig.from_mapping(QUICK)).measure(tiny_model())

    def test_a_broken_model_is_told_by_its_layer(self):
        model = load_model("compiled/induction")
        model.blocks[1].attn.W_V.data[0, 0, 0] = float("nan")
        with pytest.raises(ValueError, match=r"blocks\.1\.attn\.hook_v.*in layer 1"):
            AttentionHeads(AttentionHeadsConfig.from_mapping({"model": "compiled/induction", **QUICK})).measure(model)
