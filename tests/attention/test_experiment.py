"""The experiment on models whose answer is known, and on the same models broken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.attention import behaviours, experiment
from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.experiment import AttentionHeads
from interp_lab.attention.head_sets import HeadSet, SetKind
from interp_lab.attention.head_types import SECOND_COPY
from interp_lab.attention.heads import TYPE_NAMES, chance_scores, head_scores, heads_that_look, type_masks
from interp_lab.attention.looks import REPEATS
from interp_lab.attention.masks import previous_token_mask
from interp_lab.attention.result import AttentionHeadsResult
from interp_lab.attention.verdicts import Verdict
from interp_lab.claims import Grade, Split
from interp_lab.hooks import edited
from interp_lab.identity import WeightProcessing
from interp_lab.interventions import Intervention, Op, applied
from interp_lab.models import declare_identity, load_model
from interp_lab.types import Site
from tests.tiny import tiny_model, tokens

QUICK = {"period": 8, "second_period": 10, "held_out_period": 6, "n_sequences": 32, "ablations": ["zero"]}
QUICK |= {"n_copied_tokens": None, "n_untrained": 1}


def measure(name: str, **changes) -> AttentionHeadsResult:
    config = AttentionHeadsConfig.from_mapping({"model": name, **QUICK, **changes})
    return AttentionHeads(config).measure(load_model(name))


def with_changes(result, function, *splits):
    """The result with other effects on some splits (on all of them by default)."""
    chosen = splits or tuple(Split)
    effects = {
        key: replace(one, changes=function(one.changes)) if key[0] in chosen else one
        for key, one in result.effects.items()
    }
    return replace(result, effects=effects)


def with_select(result, function):
    """The result with other scores on the text that types are chosen on."""
    select = {text: replace(one, scores=function(one.scores)) for text, one in result.looks.select.items()}
    return replace(result, looks=replace(result.looks, select=select))


def single(result, head):
    """The claim about one head."""
    name = f"{head[0]}.{head[1]} of"
    return next(claim for claim in result.claims() if claim.statement.startswith(name))


def grades_of_heads(result):
    return {head: single(result, head).grade for head in result.looks.of_heads}


def spy(patch: pytest.MonkeyPatch, module, name: str, remember) -> None:
    """Let `remember` see every call that a module makes."""
    original = getattr(module, name)

    def seen(*arguments, **options):
        remember(*arguments, **options)
        return original(*arguments, **options)

    patch.setattr(module, name, seen)


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

    def test_text_in_which_nothing_comes_back_is_refused(self):
        with pytest.raises(
            ValueError, match=r"1 of 2 sequences \(first: 1\) hold nothing for previous_token .*tasks.repeats"
        ):
            head_scores(tiny_model(), torch.tensor([[0, 1, 2, 1], [0, 1, 2, 3]]))

    def test_every_type_on_its_own_queries(self):
        """Without competition the previous token is scored from position 1 on, whatever comes back."""
        model, text = tiny_model(), tokens(3, 9)
        _, cache = model.run_with_cache(text)
        pattern = cache["blocks.1.attn.hook_pattern"]
        expected = pattern.diagonal(offset=-1, dim1=-2, dim2=-1).mean(-1).T
        found = head_scores(model, text, types={"previous": previous_token_mask}, compete=False)
        assert np.allclose(found[0, 1], expected, atol=1e-6)

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
        assert induction.looks.of_heads == {
            (0, 0): ("previous_token",), (0, 1): ("first_token",), (1, 0): ("induction",),
        }  # fmt: skip
        grades = {(0, 0): Grade.REPLICATED, (0, 1): Grade.DESCRIPTIVE, (1, 0): Grade.REPLICATED}
        assert grades_of_heads(induction) == grades
        assert {head: induction.verdict(head, SECOND_COPY) for head in grades} == {
            (0, 0): Verdict.LOOKS_AND_ACTS, (0, 1): Verdict.NEITHER, (1, 0): Verdict.LOOKS_AND_ACTS,
        }  # fmt: skip

    def test_what_is_at_stake_is_what_a_model_can_gain_that_can_only_copy(self, induction):
        assert induction.at_stake(SECOND_COPY).estimate == pytest.approx(np.log(24), abs=0.01)
        assert induction.effects[Split.REPORT, SECOND_COPY].baseline.mean() < 0.01

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
        nothing = with_changes(induction, np.zeros_like)
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in nothing.claims())

    def test_same_config_same_bits(self, induction):
        again = measure("compiled/induction")
        assert all(np.array_equal(value, again.arrays()[name]) for name, value in induction.arrays().items())
        assert again.tables()["heads"].equals(induction.tables()["heads"])

    def test_is_rebuilt_from_its_arrays(self, induction):
        again = AttentionHeadsResult.from_arrays(induction.config, induction.provenance, induction.arrays())
        assert again.arrays().keys() == induction.arrays().keys()
        assert again.claims() == induction.claims()
        for name, table in induction.tables().items():
            assert again.tables()[name].equals(table), name


class TestSplits:
    """What is chosen on one text is reported on another; every text has its own job."""

    @pytest.fixture(scope="class")
    def used(self):
        """The tokens that scores, ablation references and effects were measured on, in the order of the calls."""
        calls = {"scores": [], "references": [], "effects": []}
        with pytest.MonkeyPatch.context() as patch:
            spy(patch, experiment, "read_scores", lambda model, tokens, *_, **__: calls["scores"].append(tokens))
            spy(patch, behaviours, "ablations", lambda *_, **given: calls["references"].append(given["reference"]))
            spy(patch, behaviours, "sweep", lambda model, tokens, *_, **__: calls["effects"].append(tokens))
            result = measure("compiled/induction", ablations=["mean"], find_partners=False)
        return calls, result

    def test_scores_are_chosen_on_one_half_and_a_second_period_and_reported_on_the_other_half(self, used):
        calls, result = used
        select, second, report = calls["scores"]
        assert [len(part) for part in (select, report)] == [16, 16]
        assert (select.shape[1], report.shape[1], second.shape[1]) == (17, 17, 21)
        assert not rows_in_common(select, report)
        model, looks = load_model("compiled/induction"), result.looks
        first_four = [looks.types[REPEATS].index(kind) for kind in TYPE_NAMES]
        for part, text in ((looks.select[REPEATS], select), (looks.second, second), (looks.report[REPEATS], report)):
            assert np.allclose(part.scores[first_four], head_scores(model, text))

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

    def test_partners_are_looked_for_on_the_select_half(self):
        calls = {"scores": [], "effects": []}
        with pytest.MonkeyPatch.context() as patch:
            spy(patch, experiment, "read_scores", lambda model, tokens, *_, **__: calls["scores"].append(tokens))
            spy(patch, behaviours, "sweep", lambda model, tokens, *_, **__: calls["effects"].append(tokens))
            measure("compiled/backup")
        select, _, report = calls["scores"]
        alone, pairs, *reported = calls["effects"]
        assert torch.equal(alone, select)
        assert torch.equal(pairs, select)
        assert torch.equal(reported[0], report)

    def test_replication_comes_from_the_held_out_numbers(self, induction):
        forgotten = with_changes(induction, np.zeros_like, Split.HELD_OUT)
        assert max(claim.grade for claim in forgotten.claims()) is Grade.CAUSAL
        effect, replication = forgotten.evidence[SECOND_COPY][1, 0]
        assert (effect.effect.estimate > 3, replication.effect.estimate) == (True, 0.0)

    def test_types_follow_the_select_half_and_the_second_period(self, induction):
        assert not with_select(induction, np.zeros_like).looks.of_heads
        second = replace(induction.looks.second, scores=np.zeros_like(induction.looks.second.scores))
        assert not replace(induction.looks, second=second).of_heads

    def test_types_do_not_follow_the_report_half(self, induction):
        report = {text: replace(one, scores=0 * one.scores) for text, one in induction.looks.report.items()}
        swapped = replace(induction.looks, report=report)
        assert swapped.of_heads == induction.looks.of_heads
        assert swapped.intervals[REPEATS].estimate.max() == 0
        assert (induction.looks.agreement, swapped.agreement) == ({REPEATS: 1.0}, {REPEATS: 0.0})


class TestHonesty:
    def test_look_alikes_look_and_do_not_act(self):
        result = measure("compiled/look-alike")
        alike = [head for head, kinds in result.looks.of_heads.items() if "induction" in kinds]
        assert [single(result, head).grade for head in alike] == [
            Grade.REPLICATED,
            Grade.DESCRIPTIVE,
            Grade.DESCRIPTIVE,
        ]
        assert [result.verdict(head, SECOND_COPY) for head in alike] == [
            Verdict.LOOKS_AND_ACTS, Verdict.LOOKS_ONLY, Verdict.LOOKS_ONLY,
        ]  # fmt: skip

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
        kind = result.looks.types[REPEATS].index("induction")
        assert result.looks.report[REPEATS].scores[kind, 1, 3].mean() == pytest.approx(1.0)
        assert (1, 0) in result.looks.of_heads
        assert (1, 3) not in result.looks.of_heads

    def test_effects_below_the_smallest_of_interest_are_not_claimed(self, induction):
        """With enough sequences any effect is clear of zero; 0.5% of the loss at stake is not worth a claim."""
        small = with_changes(induction, lambda changes: 0.005 * changes)
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in small.claims())
        asked_less = replace(small, config=small.config.overlaid({"smallest_effect": 0.001}))
        assert max(claim.grade for claim in asked_less.claims()) is Grade.REPLICATED

    def test_the_summary_says_what_the_grades_rest_on(self, induction):
        assert "95% intervals, claims at 0.05 after correction, effects above 1% of that" in induction.summary()

    def test_without_control_heads_nothing_is_claimed_and_the_page_says_why(self, induction):
        looks = induction.looks
        second = replace(looks.second, scores=np.ones_like(looks.second.scores))
        everyone = with_select(replace(induction, looks=replace(looks, second=second)), np.ones_like)
        assert everyone.evidence == {SECOND_COPY: {}}
        assert "0 heads of no type are too few controls" in everyone.sections()[-1].suggests

    def test_an_untrained_model_supports_no_causal_claim(self, untrained):
        assert all(claim.grade is Grade.DESCRIPTIVE for claim in untrained.claims())
        assert "no better on the second copy" in untrained.summary()

    def test_a_model_without_the_behaviour_is_asked_nothing_about_it(self):
        result = measure("compiled/linear")
        assert (1, 0) in result.looks.of_heads
        assert result.evidence == {SECOND_COPY: {}}
        assert result.set_findings == ()

    def test_a_head_that_acts_without_looking_is_named(self, induction):
        """Heads 0.2, 0.3, 1.1 and 1.2 are controls of 1.3, whose ablation is given a third of the loss at stake."""

        def one_more(changes):
            changed = changes.copy()
            changed[:, 1, 3] += 1.0 + 0.1 * np.arange(changes.shape[-1]) / changes.shape[-1]
            return changed

        acting = with_changes(induction, one_more)
        assert acting.verdict((1, 3), SECOND_COPY) is Verdict.ACTS_ONLY
        claim = single(acting, (1, 3))
        assert "attends like no known type, and the model predicts the second copy worse without it" in claim.statement
        assert claim.grade is Grade.REPLICATED
        helping = with_changes(induction, lambda changes: changes - 2 * (one_more(changes) - changes))
        assert helping.verdict((1, 3), SECOND_COPY) is Verdict.IN_THE_WAY
        assert "better without it" in single(helping, (1, 3)).statement

    def test_a_head_is_not_its_own_control(self, induction):
        effect, _ = induction.evidence[SECOND_COPY][1, 3]
        assert effect.control == "mean of the other heads of no type (larger than 0 of 4)"
        effect, _ = induction.evidence[SECOND_COPY][1, 0]
        assert effect.control == "mean of the other heads of no type (larger than 5 of 5)"

    def test_the_spread_of_the_controls_counts(self, induction):
        """Were the heads of no type to matter as much, each its own way, no typed head would be out of the ordinary."""
        rng = np.random.default_rng(0)

        def wild(changes):
            changed = changes.copy()
            for head in induction.looks.untyped:
                changed[(slice(None), *head)] += 6 * rng.normal()
            return changed

        noisy = with_changes(induction, wild)
        assert grades_of_heads(noisy)[1, 0] is Grade.DESCRIPTIVE

    def test_descriptive_and_causal_figures_are_in_different_sections(self, induction):
        looks, acts = induction.sections()
        assert (looks.causal, acts.causal) == (False, True)
        assert set(looks.figures) == {"previous token", "induction", "first token", "patterns"}
        assert set(acts.figures) == {"ablation", "effects"}


class TestTogether:
    @pytest.fixture(scope="class")
    def backup(self):
        return measure("compiled/backup")

    def test_a_silent_head_is_tried_with_every_other_and_its_backup_found(self, backup):
        assert backup.sets == (HeadSet("1.0 and its partner", SECOND_COPY, ((1, 0), (2, 1))),)
        (found,) = backup.set_findings
        assert found.together.estimate == pytest.approx(np.log(24), abs=0.01)
        assert found.alone.estimate == pytest.approx(0, abs=1e-3)
        assert found.backs_up
        assert backup.says((1, 0), SECOND_COPY) == "backed up by 2.1"
        claim = backup.claims()[-1]
        assert claim.grade is Grade.REPLICATED
        assert "more than the sum of each alone" in claim.statement

    def test_a_pair_that_does_no_more_than_its_members_is_no_backup(self, backup):
        def sums(one):
            return one.changes[0][1, 0] + one.changes[0][2, 1]

        effects = {key: replace(one, sets=sums(one)[None]) for key, one in backup.effects.items()}
        apart = replace(backup, effects=effects)
        assert not apart.set_findings[0].backs_up
        assert apart.verdict((1, 0), SECOND_COPY) is Verdict.LOOKS_ONLY
        assert len(apart.claims()) == len(backup.claims()) - 1

    def test_heads_in_each_others_way_are_no_backup(self, backup):
        """Alone the model does better without either, together nothing happens: more than the sum, and not missed."""
        effects = {
            key: replace(one, sets=np.zeros_like(one.sets), changes=one.changes - 3.0)
            for key, one in backup.effects.items()
        }
        (one,) = replace(backup, effects=effects).set_findings
        assert one.excess.low > one.margin
        assert (one.kind, one.backs_up) == (SetKind.SHARED, False)

    def test_a_set_that_is_better_gone_is_said_to_be(self, backup):
        effects = {key: replace(one, sets=-one.sets) for key, one in backup.effects.items()}
        turned = replace(backup, effects=effects, sets=(replace(backup.sets[0], label="all induction heads"),))
        assert "predicts the second copy better without 1.0 and 2.1" in turned.claims()[-1].statement
        assert turned.verdict((1, 0), SECOND_COPY) is Verdict.LOOKS_ONLY

    def test_look_alikes_are_ablated_together_beside_random_sets(self):
        result = measure("compiled/look-alike", find_partners=False)
        every = {one.label: one for one in result.sets}
        assert every["all previous_token heads"].heads == ((0, 0), (0, 1))
        assert every["all induction heads"].heads == ((1, 0), (1, 1), (1, 2))
        previous, induction = sorted(result.set_findings, key=lambda one: len(one.heads.heads))
        assert previous.effect.control.startswith(
            "mean of the random sets of as many heads of no type (larger than 3 of 3)"
        )
        assert previous.excess.estimate == pytest.approx(0, abs=1e-3), "only 0.0 is read"
        assert induction.effect is None, "three heads of no type make one set of three, and its spread is not known"
        claim = next(claim for claim in result.claims() if "induction heads" in claim.statement)
        assert "too few heads of no type" in claim.statement

    def test_on_the_organism_one_induction_head_hides_behind_another(self):
        """1.1 alone is worth 0.01 nats; with 1.0 gone it is worth more than four."""
        result = measure("organism-attn", period=20, second_period=17, held_out_period=13, ablations=["mean"])
        assert result.says((1, 1), SECOND_COPY) == "backed up by 1.0"
        pair = next(one for one in result.set_findings if set(one.heads.heads) == {(1, 0), (1, 1)})
        assert pair.alone.estimate < 3
        assert pair.excess.low > 3.5


class TestOtherKinds:
    def test_every_kind_of_ablation_stands_beside_the_first(self):
        result = measure("compiled/induction", ablations=["mean", "zero", "resample"])
        table = result.tables()["ablations"].set_index("head")
        assert table.loc["1.0", ["mean", "zero", "resample"]].min() > 3
        assert abs(table.loc["0.2", ["mean", "zero", "resample"]]).max() < 1e-6
        assert result.evidence[SECOND_COPY][1, 0][0].what.startswith("mean ablation of 1.0")

    def test_a_type_of_ones_own_is_scored_and_typed(self):
        config = AttentionHeadsConfig.from_mapping({"model": "compiled/induction", **QUICK})
        model = load_model("compiled/induction")
        own = {"looks_back": previous_token_mask}
        result = AttentionHeads(config).measure(model, own_types=own)
        assert result.looks.of_heads[0, 0] == ("previous_token", "looks_back")
        assert result.predicted((0, 0)) == (SECOND_COPY,), "a type of one's own predicts nothing"
        with pytest.raises(ValueError, match="asks query 0 of sequence 0 to look ahead"):
            AttentionHeads(config).measure(
                model, own_types={"ahead": lambda tokens, *_: torch.ones(tokens.shape[1], tokens.shape[1])}
            )
        with pytest.raises(ValueError, match="there is a type 'induction' already"):
            AttentionHeads(config).measure(model, own_types={"induction": previous_token_mask})

    def test_weights_show_induction_as_composition_with_the_previous_token_head(self):
        result = measure("organism-attn", period=20, second_period=17, held_out_period=13, n_copied_tokens=60)
        table = result.tables()["weights"].set_index("head")
        assert table.loc["1.0", "k_reads"] == "0.0"
        assert table.loc["1.0", "k_composition"] > table.loc["1.0", "k_best_rotated"]
        assert table.loc["1.0", "copied"] > 0.95 > table.loc["1.0", "copied_rotated_high"]
        assert set(result.sections()[1].figures) == {"copying", "k composition"}


class TestTables:
    def test_one_row_per_head_with_interval_null_and_grade(self, induction):
        table = induction.tables()["heads"].set_index("head")
        assert len(table) == 8
        row = table.loc["1.0"]
        assert row.looks_like == "induction"
        assert row.second_copy == pytest.approx(np.log(24), abs=0.01)
        assert row.second_copy_low <= row.second_copy <= row.second_copy_high
        assert (row.second_copy_says, row.second_copy_grade) == ("looks and acts", "replicated")
        assert (table.loc["0.2"].second_copy_says, table.loc["0.2"].looks_like) == ("neither", "")
        scores = induction.tables()["scores"].set_index("head").loc["1.0"]
        assert scores.induction_low <= scores.induction <= scores.induction_high
        assert scores.induction_null < 0.2
        assert scores.entropy_share < 0.01

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


class TestConfirmation:
    def test_other_sequences_make_the_very_same_sentences(self):
        searched, tested = (measure("compiled/induction", fold=fold) for fold in ("search", "held_out"))
        stated = searched.confirmation()
        assert stated.statements
        assert set(stated.statements) <= {claim.statement for claim in tested.claims()}
        assert set(stated.statements) == set(stated.components) == set(stated.uncertain)

    def test_looks_and_acts_of_a_head_are_listed_apart(self, induction):
        for head, kinds in induction.looks.of_heads.items():
            rows = [row for row in induction.components() if row.name == f"{head[0]}.{head[1]}"]
            assert len([row for row in rows if not row.causal]) == len(kinds)
            assert [row.selected for row in rows if row.causal] == [
                induction.acts(head, behaviour) for behaviour in induction.behaviours
            ]
