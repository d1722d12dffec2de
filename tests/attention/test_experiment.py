"""The experiment on models whose answer is known, and on the same models broken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.attention import experiment
from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.experiment import AttentionHeads
from interp_lab.attention.heads import TYPE_NAMES, chance_scores, head_scores, heads_that_look, type_masks
from interp_lab.attention.result import AttentionHeadsResult
from interp_lab.claims import Grade
from interp_lab.hooks import edited
from interp_lab.identity import WeightProcessing
from interp_lab.interventions import Intervention, Op, applied
from interp_lab.models import declare_identity, load_model
from interp_lab.types import Site
from tests.tiny import tiny_model, tokens

QUICK = {"period": 8, "second_period": 10, "held_out_period": 6, "n_sequences": 32, "ablation": "zero"}


def measure(name: str, **changes) -> AttentionHeadsResult:
    config = AttentionHeadsConfig.from_mapping({"model": name, **QUICK, **changes})
    return AttentionHeads(config).measure(load_model(name))


def spy(patch: pytest.MonkeyPatch, name: str, remember) -> None:
    """Let `remember` see every call that the experiment makes."""
    original = getattr(experiment, name)

    def seen(*arguments, **options):
        remember(*arguments, **options)
        return original(*arguments, **options)

    patch.setattr(experiment, name, seen)


def rows_in_common(first: torch.Tensor, second: torch.Tensor) -> bool:
    return bool((first[:, None] == second[None]).all(-1).any())


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


class TestSplits:
    """What is chosen on one text is reported on another; every text has its own job."""

    @pytest.fixture(scope="class")
    def used(self):
        """The tokens that scores, ablation references and effects were measured on, in the order of the calls."""
        calls = {"scores": [], "references": [], "effects": []}
        with pytest.MonkeyPatch.context() as patch:
            spy(patch, "head_scores", lambda model, tokens, **_: calls["scores"].append(tokens))
            spy(patch, "ablations", lambda model, groups, **given: calls["references"].append(given["reference"]))
            spy(patch, "sweep", lambda model, tokens, *_, **__: calls["effects"].append(tokens))
            result = measure("compiled/induction", ablation="mean")
        return calls, result

    def test_scores_are_chosen_on_one_half_and_a_second_period_and_reported_on_the_other_half(self, used):
        calls, result = used
        select, second, report = calls["scores"]
        assert [len(part) for part in (select, report)] == [16, 16]
        assert (select.shape[1], report.shape[1], second.shape[1]) == (17, 17, 21)
        assert not rows_in_common(select, report)
        model = load_model("compiled/induction")
        assert np.allclose(result.select_scores, head_scores(model, select))
        assert np.allclose(result.second_scores, head_scores(model, second))
        assert np.allclose(result.report_scores, head_scores(model, report))

    def test_effects_are_measured_on_the_report_half_with_means_from_the_select_half(self, used):
        calls, _ = used
        select, _, report = calls["scores"]
        assert torch.equal(calls["effects"][0], report)
        assert torch.equal(calls["references"][0], select)

    def test_the_held_out_text_is_new_text(self, used):
        """Not the report text cut short, which a shared seed would give; nor its own reference."""
        calls, _ = used
        report, held_out = calls["effects"]
        assert held_out.shape[1] == 13
        assert not rows_in_common(report[:, :7], held_out[:, :7])
        assert not rows_in_common(calls["references"][1], held_out)

    def test_replication_comes_from_the_held_out_numbers(self, induction):
        forgotten = replace(induction, held_out_changes=np.zeros_like(induction.held_out_changes))
        assert max(claim.grade for claim in forgotten.claims()) is Grade.CAUSAL
        effect, replication = forgotten.evidence[1, 0]
        assert (effect.effect.estimate > 3, replication.effect.estimate) == (True, 0.0)

    def test_types_follow_the_select_half_and_the_second_period(self, induction):
        for part in ("select_scores", "second_scores"):
            blind = replace(induction, **{part: np.zeros_like(induction.select_scores)})
            assert not blind.looks.any()


class TestHonesty:
    def test_look_alikes_look_and_do_not_act(self):
        result = measure("compiled/look-alike")
        alike = {head: claim.grade for head, claim in zip(result.types, result.claims(), strict=True)}
        induction = [head for head, kinds in result.types.items() if "induction" in kinds]
        assert [alike[head] for head in induction] == [Grade.REPLICATED, Grade.DESCRIPTIVE, Grade.DESCRIPTIVE]

    def test_looking_a_fixed_distance_back_is_not_taken_for_induction(self):
        """The positional shortcut scores 1.0 on the period it fits, and on no other."""
        model = load_model("compiled/induction")

        def fixed_distance(pattern: torch.Tensor) -> torch.Tensor:
            side = pattern.shape[-1]
            shortcut = torch.eye(side).roll(-7, dims=-1).tril()  # period 8: the token after the earlier occurrence
            shortcut[:7] = torch.eye(side)[:7]
            pattern[:, 3] = shortcut
            return pattern

        config = AttentionHeadsConfig.from_mapping({"model": "compiled/induction", **QUICK})
        with edited(model, {"blocks.1.attn.hook_pattern": fixed_distance}):
            result = AttentionHeads(config).measure(model)
        induction = TYPE_NAMES.index("induction")
        assert result.report_scores[induction, 1, 3].mean() == pytest.approx(1.0)
        assert (1, 0) in result.types
        assert (1, 3) not in result.types

    def test_effects_below_the_smallest_of_interest_are_not_claimed(self, induction):
        """With enough sequences any effect is clear of zero; 0.5% of the loss at stake is not worth a claim."""
        small = replace(induction, report_changes=0.005 * induction.report_changes)
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in small.claims())
        asked_less = replace(small, config=small.config.overlaid({"smallest_effect": 0.001}))
        assert max(claim.grade for claim in asked_less.claims()) is Grade.REPLICATED

    def test_the_summary_says_what_the_grades_rest_on(self, induction):
        assert "95% intervals, claims at 0.05 after correction, effects above 0.032 nats" in induction.summary()

    def test_without_control_heads_nothing_is_claimed_and_the_page_says_why(self, induction):
        typed = np.ones_like(induction.select_scores)
        everyone = replace(induction, select_scores=typed, second_scores=typed)
        assert everyone.evidence == {}
        assert "every head has a type and none is left as a control" in everyone.sections()[1].suggests

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
    @pytest.mark.parametrize("clash", [{"held_out_period": 8}, {"second_period": 8}, {"second_period": 6}])
    def test_the_same_period_twice(self, clash):
        with pytest.raises(ValueError, match="must differ"):
            AttentionHeadsConfig.from_mapping({**QUICK, **clash})

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
