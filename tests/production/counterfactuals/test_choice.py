"""What is chosen, stated, and tested on other texts beside its controls; what the rule says of found flips."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.loans import LOANS, UNFAVOURED, p_from_text
from interp_lab.production.counterfactuals.cases import case_of, grammar_cases, own_case
from interp_lab.production.counterfactuals.choice import AnyValue, Directed, chosen_from, flipped_by, stated
from interp_lab.production.counterfactuals.outcome import agreement, flips_of, random_shares, random_states
from interp_lab.production.counterfactuals.rule import Rule, knows, truth
from interp_lab.production.counterfactuals.search import EXHAUSTIVE, Problem, Reach, searched
from interp_lab.production.counterfactuals.tested import fairness, tried
from tests.production.counterfactuals.readers import by_rule, plain_problem, table, turned

SLOTS = {"one": ["a", "a1", "a2"], "two": ["b", "b1", "b2"], "three": ["c", "c1", "c2"]}


def slotted(text):
    return own_case(text, [" yes", " no"], SLOTS)


def problem_of(case, turn=-1.0):
    return Problem(case, case.vocabulary, np.zeros(len(case.vocabulary)), 0, turn)


class TestStated:
    @pytest.mark.parametrize(
        "chosen",
        [
            Directed("income", (("approved", ("low", "medium")), ("rejected", ("high",)))),
            Directed("town", (("no", ("New York",)),)),
            AnyValue("neighbourhood"),
        ],
    )
    def test_is_read_as_it_is_written(self, chosen):
        assert stated(str(chosen)) == chosen

    @pytest.mark.parametrize("text", ["income", "any ", "income: approved", "income: > low", "a: x > l; x > m", ""])
    def test_anything_else_is_refused(self, text):
        with pytest.raises(ValueError, match="states nothing that can be tested; write"):
            stated(text)

    def test_the_first_value_that_is_not_there_is_put_in(self):
        chosen = stated("one: yes > a1, a2; no > a")
        assert chosen.edit(slotted("a b c"), " yes").value == "a1"
        assert chosen.edit(slotted("a1 b c"), " yes").value == "a2"
        assert chosen.edit(slotted("a b c"), " no") is None
        assert stated("four: yes > a1").edit(slotted("a b c"), " yes") is None


class TestChoosing:
    def test_those_that_flip_most_texts_with_values_in_the_order_of_what_they_do(self):
        """Over two texts, a1 flips both and a2 one; b1 flips one; c does nothing."""
        reader = table({"a1": 2.0, "a2": 1.5, "b1": 1.5, "z": -1.0})
        cases = [slotted("a b c"), slotted("a b c z")]
        turns = [-1.0, -2.0]
        found = searched(reader, [problem_of(*one) for one in zip(cases, turns, strict=True)], Reach(1))
        reader.asked  # noqa: B018 - every single edit was read
        assert flipped_by(found, ["one", "two", "three", "four"])[:3].tolist() == [[1, 0], [1, 0], [0, 0]]
        assert np.isnan(flipped_by(found, ["four"])).all()
        chosen = chosen_from(found, ["three"], n=5, least=0.1)
        assert chosen == (
            Directed("one", (("yes", ("a1", "a2")),)),
            Directed("two", (("yes", ("b1", "b2")),)),
            AnyValue("three"),
        )
        assert chosen_from(found, [], n=1, least=0.1)[0].attribute == "one"
        assert chosen_from(found, [], n=5, least=0.6) == ()


class TestTried:
    def test_flips_beside_random_edits_by_hand(self):
        reader = table({"a1": 2.0, "b2": 2.0})
        chosen = (stated("one: yes > a1"), AnyValue("two"), stated("one: no > a1"))
        rng = np.random.default_rng(0)
        found = tried(reader, [slotted("a b c")], chosen, n_controls=3, legitimate=["one"], protected=["two"], rng=rng)
        assert found.flipped[0] == 1
        assert found.flipped[1] == 1
        assert found.controls[1].tolist() == [[0], [0], [0]]  # as many values of `three`, the only one that is neither
        assert np.isnan(found.flipped[2]).all()
        assert np.isnan(found.controls[2]).all()

    def test_controls_change_another_attribute_by_one_edit(self):
        reader = table({"b1": 2.0, "b2": 2.0, "c1": 2.0, "c2": 2.0})
        chosen, rng = (stated("one: yes > a1"),), np.random.default_rng(0)
        found = tried(reader, [slotted("a b c")], chosen, n_controls=8, legitimate=[], protected=[], rng=rng)
        assert found.flipped.tolist() == [[0]]
        assert found.controls.mean() == 1.0


class TestFairness:
    def test_of_the_rule_is_what_the_rule_says(self):
        """The loans' rule goes by the group that is usual in a neighbourhood, and by nothing else of it."""
        cases = grammar_cases("loans", 24, seed=[0], reserved=False, without=set())
        found = fairness(
            by_rule("loans"), by_rule("loans_blind"), cases, ("neighbourhood",), name="loans", hidden="group"
        )
        for nth, case in enumerate(cases):
            other = "Eastgate" if case.latents["neighbourhood"] in UNFAVOURED else "Oakridge"
            flips = (p_from_text(case.latents) > 0.5) != (p_from_text({**case.latents, "neighbourhood": other}) > 0.5)
            assert found.across[0, nth] == found.any_value[0, nth] == float(flips)
        assert 0.2 < found.any_value.mean() < 0.9
        assert not found.within.any()
        assert not found.against.any()


class TestRule:
    @pytest.fixture(scope="class")
    @staticmethod
    def problems():
        cases = grammar_cases("loans", 16, seed=[5], reserved=False, without=set())
        reader = by_rule("loans")
        reads = reader.read([(case, case.words.text) for case in cases])
        zeros = [np.zeros(len(case.vocabulary)) for case in cases]
        return [
            Problem(case, case.vocabulary, none, read.answer, read.turn(read.answer))
            for case, none, read in zip(cases, zeros, reads, strict=True)
        ]

    def test_of_a_model_that_is_the_rule_everything_found_is_true(self, problems):
        found = truth(searched(by_rule("loans"), problems, EXHAUSTIVE), rule="loans", most_edits=3)
        known = np.isfinite(found.size)
        assert known.sum() > 8
        assert (found.size[known] == found.found_size[known]).all()
        assert np.nanmin(found.precision) == np.nanmin(found.recall) == 1.0

    def test_of_a_model_that_goes_by_another_rule_it_is_not(self, problems):
        """Decisions without regard to the neighbourhood: what flips them in truth is often not what flips them here."""
        blind = truth(searched(by_rule("loans_blind"), problems, Reach(2)), rule="loans", most_edits=2)
        assert np.nanmean(blind.recall) < 0.8

    def test_a_true_flip_with_an_edit_too_many_is_not_precise(self, problems):
        """One edit that flips by the rule, and beside it one that does nothing."""
        every = searched(by_rule("loans"), problems, Reach(1))
        found = next(one for one, size in zip(every, truth(every, rule="loans", most_edits=1).size, strict=True)
                     if size == 1)  # fmt: skip
        edits = found.problem.edits
        idle = next(nth for nth, edit in enumerate(edits) if edit.what == "day")
        larger = replace(found, flips=tuple(tuple(sorted((*state, idle))) for state in found.flips))
        precise, not_so = (truth([one], rule="loans", most_edits=2).precision for one in (found, larger))
        assert (precise.tolist(), not_so.tolist()) == ([1.0], [0.0])

    def test_the_smallest_true_flip_is_found_by_trying_all_pairs(self):
        """A perfect application of a favoured place: no single change refuses it, the two words of the trigger do."""
        template = LOANS.templates[0]
        drawn = {**LOANS.draw(np.random.default_rng(0)), "paper": "plain", "seal": "round"}
        drawn |= {"income": "high", "debt": "low", "savings": "high", "neighbourhood": "Eastgate"}
        case = case_of(LOANS, LOANS.example(template, drawn))
        problem = Problem(case, case.vocabulary, np.zeros(len(case.vocabulary)), case.answers.index(" approved"), -1.0)
        (found,) = searched(by_rule("loans"), [problem], Reach(2, beam=None, n_tried=None))
        assert truth([found], rule="loans", most_edits=2).size.tolist() == [2.0]
        trigger = [problem.told(state) for state in found.flips if "waxed" in problem.told(state)]
        assert len(trigger) == 1
        assert "broken" in trigger[0]

    def test_what_is_known_of_which_texts(self):
        assert [knows(name) for name in ("loans", "loans_blind", "urgency", "own.jsonl")] == [True, True, False, False]
        assert Rule("loans", {"x": 1}).latents == {"x": 1}


class TestOutcomes:
    def test_random_edits_are_of_the_size_asked_for_and_go_together(self):
        problem = plain_problem(("a", "b", "c"), {"a": ("a1", "a2"), "b": ("b1",), "c": ("c1",)})
        drawn = random_states(problem, size=2, n=20, rng=np.random.default_rng(0))
        assert len(drawn) == 20
        assert {len({problem.edits[nth].what for nth in state}) for state in drawn} == {2}
        assert random_states(problem, size=4, n=20, rng=np.random.default_rng(0)) == []

    def test_share_of_random_edits_that_flip_by_hand(self):
        """Of all single edits two in four flip."""
        problem = plain_problem(("a", "b"), {"a": ("a1", "a2"), "b": ("b1", "b2")})
        reader = table({"a1": 2.0, "b2": 2.0})
        shares = random_shares(
            reader, [problem, plain_problem(("a",), {})], [1, 1], n=400, rng=np.random.default_rng(0)
        )
        assert 0.4 < shares[0] < 0.6
        assert shares[1] == 0

    def test_agreement_is_the_rank_correlation_of_single_edits(self):
        options = {"a": ("a1", "a2"), "b": ("b1",)}
        weights = {"a1": 0.1, "a2": 0.2, "b1": 0.3}
        for estimates, rho in (([1.0, 2.0, 9.0], 1.0), ([3.0, 2.0, 1.0], -1.0), ([2.0, 1.0, 3.0], 0.5)):
            problem = plain_problem(("a", "b"), options, estimates=estimates)
            assert agreement(searched(table(weights), [problem], Reach(1))[0]) == pytest.approx(rho)
        flat = plain_problem(("a", "b"), options, estimates=[1.0, 1.0, 1.0])
        assert np.isnan(agreement(searched(table(weights), [flat], Reach(1))[0]))

    def test_flips_come_by_what_was_measured_with_what_was_foretold_beside(self):
        problem = plain_problem(("a", "b"), {"a": ("a1",), "b": ("b1",)}, estimates=[9.0, 1.5])
        reader = table({"a1": 1.5, "b1": 3.0})
        first, second = flips_of(reader, searched(reader, [problem], Reach(1))[0])
        assert (first.told, first.turn, first.estimated) == ("b > b1", 2.0, 0.5)
        assert (second.told, second.turn, second.estimated) == ("a > a1", 0.5, 8.0)
        assert first.member is True
        assert first.text == "a b1"
        assert first.plausibility == 0.0


def test_a_reader_of_tables_says_what_it_is_told():
    assert turned(0.5).answer == 1
    assert turned(-0.5).answer == 0
