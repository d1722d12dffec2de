"""Triage and its causal follow-up, on models whose fault is known: hand-written, and the organism with parts cut."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.claims import Grade
from interp_lab.lenses import (
    Asked,
    GoodRuns,
    Verdict,
    asked,
    causal_follow_up,
    good_runs_among,
    model_errors,
    triage,
)
from interp_lab.lenses.follow_up import suspects
from interp_lab.lenses.good_runs import NoGoodRunsError, other_runs, parts_at
from interp_lab.lenses.known_answers import FAULTS, recall_asked
from interp_lab.lenses.known_models import recall_model, recall_prompts
from interp_lab.tasks import pairs_for
from tests.lenses.models import edited_organism, named_tiny, organism, tiny_asked

PROMPTS = recall_asked(recall_prompts(96, seed=0))
OTHERS = recall_asked(recall_prompts(96, seed=1))
BROKEN_AT = {
    "missing knowledge": "attention 0 at subject",
    "broken routing": "attention 1 at end",
    "shortcut": "attention 2 at end",
}
GAP = {"missing knowledge": 10.0, "broken routing": 10.0, "shortcut": 15.0}


def margins(model):
    logits, rows = model(PROMPTS.tokens)[:, -1], torch.arange(96)
    right, wrong = (torch.from_numpy(each) for each in (PROMPTS.answers.right, PROMPTS.answers.wrong))
    return (logits[rows, right] - logits[rows, wrong]).detach().numpy()


class TestTheHandWrittenModel:
    @pytest.mark.parametrize(
        ("fault", "margin"), [("none", 5), ("missing knowledge", -5), ("broken routing", -5), ("shortcut", -10)]
    )
    def test_it_says_what_was_worked_by_hand(self, fault, margin):
        np.testing.assert_allclose(margins(recall_model(fault)), margin, atol=1e-4)


class TestTriage:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_every_fault_is_named(self, fault):
        assert triage(recall_model(fault), PROMPTS).verdict is Verdict(fault)

    def test_numbers_behind_a_broken_route(self):
        found = triage(recall_model("broken routing"), PROMPTS)
        assert (found.best.place, found.best.point) == ("subject", "after 0")
        assert found.best.outranked.estimate == 1.0
        assert found.best.rank == 0
        assert found.at_end.outranked.estimate == found.on_the_way.outranked.estimate == 0.5
        assert "broken routing: at the end, behind the last block, the right answer outranks 0.500" in found.reasons()

    @pytest.mark.parametrize("fault", FAULTS)
    def test_the_wrong_token_overtakes_where_the_hint_is_copied(self, fault):
        found = triage(recall_model(fault), PROMPTS)
        assert found.overtaking_point == "after 2"
        assert (found.overtakes() == 3).all()

    def test_margins_are_those_of_the_model_at_the_last_point(self):
        found = triage(recall_model("shortcut"), PROMPTS)
        np.testing.assert_allclose(found.margin[-1], -10, atol=1e-4)
        np.testing.assert_allclose(found.margin[2], 10, atol=1e-4)  # behind the mover the right token is ahead

    def test_a_place_that_gives_the_answer_away_is_not_used(self):
        """The right answer itself, put where a filler stood, is `readable` there in any model that echoes its input."""
        tokens = PROMPTS.tokens.clone()
        tokens[:, 5] = torch.from_numpy(PROMPTS.answers.right)
        shown = Asked(tokens, PROMPTS.answers, {**PROMPTS.places, "shown": torch.full((96,), 5)}, PROMPTS.clusters)
        model = recall_model("missing knowledge")
        with torch.no_grad():
            model.unembed.W_U[:24] += 0.1 * torch.eye(24)  # echoes what it reads
            model.blocks[2].attn.W_V.zero_()  # and copies no hint
        shown = replace(shown, answers=shown.answers.with_wrong(np.full(96, 1)))  # it echoes the question mark
        found = triage(model, shown)
        assert not found.usable[list(shown.places).index("shown")]
        assert found.verdict is Verdict.MISSING_KNOWLEDGE

    def test_a_wide_interval_is_unclear(self):
        found = triage(recall_model("missing knowledge"), PROMPTS)
        shares = found.outranked.copy()
        shares[-1, ::2, found.places.index("end")] = 1.0
        shares[-1, :, 0] = 0.5
        some = replace(found, outranked=shares, report=found.report[:6])
        assert some.at_end.outranked.high >= 0.8
        assert some.verdict is Verdict.UNCLEAR

    def test_between_outvoted_and_not_arrived_it_is_unclear(self):
        found = triage(recall_model("shortcut"), PROMPTS)
        end, ranks = found.places.index("end"), found.rank.copy()
        ranks[-1, :, end] = 2
        assert replace(found, rank=ranks).verdict is Verdict.BROKEN_ROUTING
        ranks[-1, ::2, end] = 1
        assert replace(found, rank=ranks).verdict is Verdict.UNCLEAR

    def test_of_two_answers_one_that_was_ahead_on_the_way_is_outvoted(self):
        found = triage(recall_model("shortcut"), PROMPTS)
        shares = found.outranked.copy()
        shares[-1, :, found.places.index("end")] = 0.0
        assert replace(found, outranked=shares, two_answers=True).verdict is Verdict.SHORTCUT
        assert replace(found, outranked=shares, two_answers=False).verdict is Verdict.BROKEN_ROUTING

    def test_prompts_that_the_model_gets_right_are_refused(self):
        with pytest.raises(ValueError, match="the right token is ahead of the wrong one: nothing went wrong"):
            triage(recall_model(), PROMPTS)

    def test_a_handful_is_refused(self):
        with pytest.raises(ValueError, match="15 wrong completions tell nothing apart; give 16"):
            triage(recall_model("shortcut"), PROMPTS.rows(np.arange(15)))

    @pytest.mark.parametrize("at_least", [0.5, 1.1])
    def test_a_share_that_means_nothing(self, at_least):
        with pytest.raises(ValueError, match=r"must lie above 0\.5"):
            triage(recall_model("shortcut"), PROMPTS, at_least=at_least)


class TestFollowUp:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_the_broken_part_repairs_and_nothing_else_is_claimed(self, fault):
        model, good = recall_model(fault), GoodRuns(recall_model())
        found = triage(model, PROMPTS)
        followed = causal_follow_up(model, PROMPTS, found, runs=good, again=(OTHERS, good))
        assert str(followed.part) == BROKEN_AT[fault]
        assert followed.effects[0].effect.estimate == pytest.approx(GAP[fault], abs=1e-3)
        assert followed.repaired[followed.chosen] == pytest.approx(1.0)
        claim = followed.claim()
        assert claim.grade is (Grade.DESCRIPTIVE if fault == "shortcut" else Grade.REPLICATED)
        assert "brings the right answer back" in claim.statement
        others = [
            change
            for part, change in zip(followed.parts, followed.repairs.changes, strict=True)
            if str(part) not in (BROKEN_AT[fault], "attention 1 at end")
        ]
        np.testing.assert_allclose(others, 0, atol=1e-3)

    def test_where_the_answer_is_missing_a_good_run_with_another_answer_does_not_help(self):
        model = recall_model("broken routing")
        followed = causal_follow_up(model, PROMPTS, triage(model, PROMPTS), runs=GoodRuns(recall_model()))
        brought = followed.repairs.controls[followed.chosen]
        # It brings 10 logits to another answer: nothing for this one, unless what it brings is the wrong one.
        assert set(np.unique(brought.round(3))) <= {0.0, -10.0}

    def test_a_loud_part_that_any_good_run_quiets_is_described_and_not_claimed(self):
        """Nothing is copied in any run that answers right: one with another answer quiets the hint just as well."""
        model = recall_model("shortcut")
        followed = causal_follow_up(model, PROMPTS, triage(model, PROMPTS), runs=GoodRuns(recall_model()))
        same_part, elsewhere = followed.effects
        assert same_part.versus_control.estimate <= 0
        assert elsewhere.versus_control.low > elsewhere.margin
        assert followed.claim().grade is Grade.DESCRIPTIVE

    def test_a_shortcut_is_claimed_where_both_controls_are_beaten_and_not_where_one_is(self):
        model = recall_model("shortcut")
        followed = causal_follow_up(model, PROMPTS, triage(model, PROMPTS), runs=GoodRuns(recall_model()))
        repairs, at = followed.repairs, followed.chosen
        quiet = replace(repairs, controls=np.zeros_like(repairs.controls))
        assert replace(followed, repairs=quiet).claim().grade is Grade.CAUSAL
        loud = np.where(followed.suspected[:, None], repairs.changes, repairs.changes[at] - 0.1)
        elsewhere = replace(followed, repairs=replace(quiet, changes=loud))
        assert elsewhere.effects[0].versus_control.low > elsewhere.effects[0].margin
        assert elsewhere.claim().grade is Grade.DESCRIPTIVE

    def test_the_same_model_on_another_prompt_with_the_same_answer_is_a_good_run(self):
        """Half of the subjects are forgotten, each of which has a twin with the same answer that is not."""
        model = recall_model()
        with torch.no_grad():
            model.embed.W_E[10:12] = model.embed.W_E[2:4]  # subjects 10 and 11 are read as 2 and 3: same facts
            model.embed.W_E[2:4] = model.embed.W_E[22]  # and 2 and 3 as nothing
        prompts = recall_prompts(360, seed=0)
        right = torch.where(prompts.right >= 20, prompts.right - 8, prompts.right)
        kept = right != prompts.wrong
        whole = recall_asked(prompts)
        rows = np.flatnonzero(kept.numpy())
        whole = replace(whole.rows(rows), answers=asked(right[kept].numpy(), prompts.wrong[kept].numpy()))
        wrong = model_errors(model, whole)
        assert wrong is not None
        assert set(wrong.tokens.gather(1, wrong.places["subject"][:, None]).unique().tolist()) == {2, 3}
        found = triage(model, wrong)
        assert found.verdict is Verdict.MISSING_KNOWLEDGE
        followed = causal_follow_up(model, wrong, found, runs=good_runs_among(model, wrong, whole))
        assert str(followed.part) in ("attention 0 at subject", "attention 1 at end")
        assert followed.claim().grade >= Grade.CAUSAL

    def test_no_claim_without_an_effect(self):
        """Good runs of the wrong model at fault: the value is that of the run itself, and changes nothing."""
        model = recall_model("shortcut")
        found = triage(model, PROMPTS)
        runs = GoodRuns(recall_model())
        quiet = causal_follow_up(model, PROMPTS, found, runs=runs)
        nothing = replace(quiet, chosen=[str(part) for part in quiet.parts].index("attention 0 at end"))
        assert nothing.claim().grade is Grade.DESCRIPTIVE

    def test_it_comes_back_from_arrays(self):
        model = recall_model("broken routing")
        runs = GoodRuns(recall_model())
        followed = causal_follow_up(model, PROMPTS, triage(model, PROMPTS), runs=runs, again=(OTHERS, runs))
        back = type(followed).from_arrays(followed.arrays())
        assert back.claim() == followed.claim()
        assert back.parts == followed.parts


class TestSuspicion:
    def test_each_verdict_points_at_its_parts(self):
        parts = parts_at(recall_model(), tuple(PROMPTS.places))
        found = {fault: triage(recall_model(fault), PROMPTS) for fault in FAULTS}
        named = {fault: {str(part) for part in parts if suspects(part, one)} for fault, one in found.items()}
        assert named["shortcut"] == {"attention 2 at end"}
        assert named["broken routing"] == {f"attention {layer} at end" for layer in range(3)}
        assert len(named["missing knowledge"]) == len(parts) == 9


class TestTheOrganism:
    """Head 0.1 looks facts up; attention 2 tells the two people of a sentence apart."""

    def errors(self, task, edit, *, n=112):
        model = edited_organism(edit)
        prompts = Asked.of_pairs(pairs_for(organism(), task, n, seed=0, reserved=False))
        wrong = model_errors(model, prompts)
        assert wrong is not None
        return model, prompts, wrong

    def test_without_the_head_that_looks_facts_up_knowledge_is_missing(self):
        model, prompts, wrong = self.errors("grammar/facts", lambda m: m.blocks[0].attn.W_O[1].zero_())
        found = triage(model, wrong)
        assert found.verdict is Verdict.MISSING_KNOWLEDGE
        followed = causal_follow_up(model, wrong, found, runs=good_runs_among(model, wrong, prompts, donor=organism()))
        assert str(followed.part) == "attention 0 at end"
        assert followed.repaired[followed.chosen] > 0.9
        assert followed.claim().grade is Grade.CAUSAL

    def test_without_the_mlp_that_makes_it_loud_what_was_looked_up_is_lost(self):
        """Behind attention 0 the answer is readable; later layers, which expect MLP 0, bury it."""
        model, prompts, wrong = self.errors("grammar/facts", lambda m: m.blocks[0].mlp.W_out.zero_())
        found = triage(model, wrong)
        assert found.verdict is Verdict.BROKEN_ROUTING
        assert (found.best.place, found.best.point) == ("end", "after 0")
        followed = causal_follow_up(model, wrong, found, runs=good_runs_among(model, wrong, prompts, donor=organism()))
        assert str(followed.part) == "MLP 0 at end"
        assert followed.claim().grade is Grade.CAUSAL

    def test_without_the_attention_that_tells_two_names_apart_the_wrong_one_is_louder(self):
        model, prompts, wrong = self.errors("grammar/indirect_objects", lambda m: m.blocks[2].attn.W_O.zero_(), n=224)
        found = triage(model, wrong)
        assert found.verdict is Verdict.SHORTCUT
        assert found.second.low > 0.5
        followed = causal_follow_up(model, wrong, found, runs=good_runs_among(model, wrong, prompts, donor=organism()))
        assert str(followed.part) == "attention 2 at end"
        assert followed.claim().grade is Grade.CAUSAL

    def test_countries_that_it_never_saw_have_no_capital(self):
        """Facts are asked of fictional countries, with the answer of a real one as the right one."""
        pairs = pairs_for(organism(), "grammar/facts", 96, seed=0, reserved=False)
        tokenizer = organism().tokenizer
        fictional = tokenizer(" Zorland", add_special_tokens=False)["input_ids"][-1]
        prompts = Asked.of_pairs(pairs)
        strange = prompts.tokens.clone()
        strange[torch.arange(96), prompts.places["country"]] = fictional
        wrong = model_errors(organism(), replace(prompts, tokens=strange))
        assert wrong is not None
        found = triage(organism(), wrong)
        assert found.verdict is Verdict.MISSING_KNOWLEDGE
        assert len(wrong.tokens) > 80


class TestGoodRuns:
    def test_controls_have_the_same_places_and_another_answer(self):
        drawn = other_runs(PROMPTS, PROMPTS, seed=0)
        assert (PROMPTS.answers.right[drawn] != PROMPTS.answers.right).all()
        assert torch.equal(PROMPTS.positions[drawn], PROMPTS.positions)

    def test_good_runs_have_the_same_places_and_the_same_answer(self):
        drawn = other_runs(PROMPTS, OTHERS, seed=0, same_answer=True)
        found = drawn >= 0
        assert (OTHERS.answers.right[drawn[found]] == PROMPTS.answers.right[found]).all()

    def test_a_good_run_must_be_good(self):
        model = recall_model("shortcut")
        with pytest.raises(NoGoodRunsError, match=r"the good run prefers the wrong answer, by 10\.00 logits"):
            causal_follow_up(model, PROMPTS, triage(model, PROMPTS), runs=GoodRuns(model))

    def test_a_model_of_another_shape_is_none(self):
        model = recall_model("shortcut")
        with pytest.raises(ValueError, match="the donor has n_layers=2 and the model 3"):
            causal_follow_up(model, PROMPTS, triage(model, PROMPTS), runs=GoodRuns(named_tiny(n_layers=2)))

    def test_without_others_of_the_template_there_is_no_control(self):
        model = recall_model("shortcut")
        lone = replace(PROMPTS, clusters=tuple(map(str, range(96))))
        with pytest.raises(NoGoodRunsError, match="0 of 96 prompts have a control run"):
            causal_follow_up(model, lone, triage(model, lone), runs=GoodRuns(recall_model()))

    def test_without_prompts_that_are_answered_right_there_are_none(self):
        model = recall_model("broken routing")
        with pytest.raises(NoGoodRunsError, match="give more prompts, or a model that answers these right"):
            good_runs_among(model, PROMPTS, PROMPTS)

    def test_donors_must_match(self):
        model = recall_model("shortcut")
        with pytest.raises(ValueError, match="give each prompt one as long, with the same right answer"):
            causal_follow_up(model, PROMPTS, triage(model, PROMPTS), runs=GoodRuns(recall_model(), OTHERS))


def test_a_random_model_knows_nothing():
    wrong = model_errors(named_tiny(), tiny_asked(160))
    assert wrong is not None
    assert triage(named_tiny(), wrong).verdict is not Verdict.SHORTCUT
