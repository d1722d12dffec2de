"""The summary: its sentences follow from the numbers, whatever they are."""

from dataclasses import replace

from interp_lab.claims import Claim, Split
from interp_lab.investigation.agreement import agreement_of
from interp_lab.investigation.answers import answers, headline
from interp_lab.investigation.brief import brief
from interp_lab.investigation.claim_rows import claim_rows, compared, examples
from interp_lab.investigation.page import shrinkage_sentence
from tests.investigation.made import (
    CAUSAL,
    REFUTED,
    REPLICATED,
    UNDECIDED,
    MadeStep,
    component,
    config,
    decided,
    hypothesis,
    investigated,
    step,
)
from tests.reports.results import evidence

ALL = ("What does the model do?", "Which parts do it?", "How do we know?", "What fixes it?", "What did that cost?",
       "What do we still not know?")  # fmt: skip


def told(found) -> dict[str, str]:
    """By question, everything that is said."""
    return {
        one.question: "\n".join(
            [*one.sentences, *one.items, *(f"{p.label}: {item}" for p in one.points for item in p.items)]
        )
        for one in answers(found, agreement_of(found))
    }


def mitigation(nth=9):
    return hypothesis(nth, "direction of neighbourhood at 1", step="mitigate", experiment="steering")


class TestAllHold:
    found = investigated(ends=[decided(hypothesis(nth, f"0.{nth}"), REPLICATED) for nth in (1, 2)])

    def test_the_headline_counts(self):
        assert headline(self.found) == (
            "2 hypotheses were written down and then tested on held-out examples: 2 hold, 2 of these also on held-out "
            "templates."
        )

    def test_every_question_is_answered_in_order(self):
        assert tuple(told(self.found)) == ALL

    def test_parts_are_named_with_where_their_numbers_stand(self):
        """The table of claims has these, once."""
        assert told(self.found)["Which parts do it?"] == (
            "2 of 2 hypotheses about parts hold on held-out examples:\n2 attention heads: 0.1 (H1); 0.2 (H2)"
        )

    def test_a_part_of_which_two_things_hold_is_named_once(self):
        ends = [decided(hypothesis(nth), REPLICATED) for nth in (1, 2)]
        assert told(investigated(ends=ends))["Which parts do it?"].endswith("\n1 attention head: 0.1 (H1, H2)")

    def test_what_decides_in_the_input_is_what_the_model_does_and_no_part_of_it(self):
        income = hypothesis(1, "attribute income", step="audit", experiment="audit")
        said = told(investigated(ends=[decided(income, REPLICATED), decided(hypothesis(2), REPLICATED)]))
        does, parts = (said[question] for question in ALL[:2])
        assert does.endswith("What decides, on held-out examples:\n1 attribute of the input: income (H1)")
        assert "income" not in parts
        assert parts.endswith("1 attention head: 0.1 (H2)")

    def test_how_it_is_known(self):
        said = told(self.found)["How do we know?"]
        assert "SHA-256 abababababab…" in said
        assert (
            "corrected over all 2 (Benjamini-Hochberg), which keeps the share of false ones among those that hold at "
            "5% or less on average."
        ) in said
        assert "Each test stands on 32 examples." in said
        assert "controls: random heads: 2 hypotheses" in said

    def test_what_stays_open_is_the_same_whichever_part_it_is_said_of(self):
        ends = [decided(hypothesis(n, f"0.{n}", uncertain=f"whether 0.{n} is needed"), REPLICATED) for n in (1, 2)]
        assert told(investigated(ends=ends))[ALL[-1]].endswith("H1, H2: whether it is needed")

    def test_a_set_is_named_by_its_members(self):
        one = hypothesis(1, "0.1 + 2.3", statement="The chosen sites carry it")
        said = told(investigated(ends=[decided(one, CAUSAL)]))["Which parts do it?"]
        assert said.endswith("\n1 set of attention heads: 0.1 + 2.3 (H1)")

    def test_what_stays_open_is_said_once_for_both(self):
        assert told(self.found)["What do we still not know?"].endswith("open even where it holds: H1, H2: redundancy")


class TestNotAllHold:
    ends = (decided(hypothesis(1), CAUSAL), decided(hypothesis(2, "1.0"), UNDECIDED),
            decided(hypothesis(3, "1.1"), REFUTED), decided(hypothesis(4, "1.2"), None))  # fmt: skip
    found = investigated(ends=ends)

    def test_the_headline_hides_nothing(self):
        assert headline(self.found).endswith("1 holds, 0 of these also on held-out templates; 1 undecided, 2 refuted.")

    def test_what_failed_stands_with_its_numbers(self):
        said = told(self.found)["What do we still not know?"]
        assert "undecided: H2: 1.0 carries it: an interval" in said
        assert "effect 0.600 [0.300, 0.900]" in said
        assert "refuted: H3: 1.1 carries it" in said
        assert "refuted: H4: 1.2 carries it: the test says that it does the opposite." in said
        assert "holds, not shown on held-out templates: H1: 0.1 carries it: not measured on held-out templates." in said

    def test_only_what_holds_is_named_as_a_part(self):
        assert "1 attention head: 0.1 (H1)" in told(self.found)["Which parts do it?"]
        assert "1.0" not in told(self.found)["Which parts do it?"]

    def test_nor_is_what_does_not_decide_named_nor_said_to_be_open_where_it_holds(self):
        ends = [decided(hypothesis(1, "attribute income", step="audit", experiment="audit"), REFUTED),
                decided(hypothesis(2, uncertain="another thing"), REFUTED)]  # fmt: skip
        said = told(investigated(ends=ends))
        assert "income" not in said["What does the model do?"]
        assert "another thing" not in said["What do we still not know?"]

    def test_refuted_hypotheses_stand_in_the_table(self):
        rows = claim_rows(self.found)
        assert [row.hypothesis.id for row in rows] == ["H1", "H2", "H3", "H4"]
        assert rows[3].lacks == "Why: the test says that it does the opposite"
        assert "effect" not in rows[3].sort_keys

    def test_shrinkage_tells_what_it_leaves_out(self):
        """2.0, 0.6 and 0.1 of 2.5 are 80%, 24% and 4%; the fourth has no effect in this direction."""
        said = shrinkage_sentence(self.found)
        assert "at the median 24% of what" in said
        assert "3 of 3 are smaller. Not in the figure: 1, whose test" in said


def test_none_holds():
    found = investigated(ends=[decided(hypothesis(), REFUTED)])
    assert headline(found) == ("1 hypothesis was written down and then tested on held-out examples: 0 hold; 1 refuted.")
    assert told(found)["Which parts do it?"] == "None that can be named: of 1 hypothesis about parts none holds."


def test_what_was_measured_of_the_behaviour_is_one_sentence():
    said = MadeStep(text="98% right\nit costs 3\n1 of 1 claims hold")
    found = investigated(steps=[step(result=said, experiment="behaviour")])
    assert told(found)[ALL[0]] == "On the search fold: 98% right; it costs 3."


def test_what_is_written_down_and_not_yet_tested_is_not_called_known():
    found = replace(investigated(ends=[decided(hypothesis(), CAUSAL)]), decided=(), tests={})
    assert headline(found) == "1 hypothesis written down; not all tests have run, so that none is decided."
    assert told(found)[ALL[-1]] == "Everything: 1 hypothesis, and none decided."


def test_a_hypothesis_about_the_behaviour_says_what_the_model_does_and_names_no_part():
    one = hypothesis(1, "the prompt", experiment="behaviour")
    said = told(investigated(ends=[decided(one, CAUSAL)]))
    assert said["What does the model do?"].startswith("On held-out examples: the prompt carries it (H1, causal).")
    assert said["Which parts do it?"] == "No step came to a hypothesis about parts."
    assert "On held-out examples H1 is refuted" in told(investigated(ends=[decided(one, REFUTED)]))[ALL[0]]


def test_nothing_was_worth_a_test():
    found = investigated(hypotheses_hash="ab")
    assert headline(found).startswith("Nothing is claimed: no step came to a claim that held")
    assert told(found)["How do we know?"] == "Not known: no hypothesis was tested."
    assert told(found)[ALL[-1]] == "Everything about parts: no step came to anything that was worth a test."


def test_a_gate_that_stopped_it_says_why_and_answers_no_more():
    found = investigated(stopped="behaviour: the corruption costs 0.1 [-0.1, 0.3] logits, which covers zero")
    assert headline(found).startswith("There is nothing to explain: behaviour: the corruption costs 0.1")
    assert tuple(told(found)) == (ALL[0], ALL[-1])


def test_exploratory_says_that_nothing_is_confirmed():
    found = investigated(config=config(steps=({"name": "patch", "experiment": "patching"},)))
    assert found.exploratory
    assert headline(found).startswith("Exploratory: this list of steps puts nothing to a test.")
    assert told(found)["Which parts do it?"].startswith("Not known: nothing was put to a test.")


class TestBeside:
    def test_which_hold_in_which_model(self):
        """What is not shown there is not said to be gone: H4, whose interval leaves an effect of interest."""
        besides = [(CAUSAL, CAUSAL), (CAUSAL, REFUTED), (REFUTED, CAUSAL), (CAUSAL, UNDECIDED)]
        ends = [
            decided(hypothesis(nth, f"0.{nth}"), own, beside=Claim(f"0.{nth} carries it", "", *there))
            for nth, (own, there) in enumerate(besides, 1)
        ]
        found = investigated(ends=ends, config=config(beside="organism-tuned"))
        assert (
            "In organism-tuned, 1 of 3 hold too; only in organism: H2; not decided in organism-tuned: H4; "
            "only in organism-tuned: H3."
        ) in told(found)["Which parts do it?"]
        assert [compared(row, model="organism", beside="organism-tuned") for row in claim_rows(found)] == [
            "in both", "in organism only", "in organism-tuned only", "in organism; undecided in organism-tuned",
        ]  # fmt: skip

    def test_where_there_is_nothing_to_ask_about(self):
        found = investigated(
            ends=[decided(hypothesis(), CAUSAL)],
            config=config(beside="organism-tuned"),
            tests={"confirm-beside/patch": MadeStep(not_asked="the corruption costs nothing")},
        )
        said = told(found)["Which parts do it?"]
        assert "In organism-tuned, 0 of 1 hold too; not tested in organism-tuned: H1." in said
        assert "In organism-tuned there is nothing that patch could ask about: the corruption costs nothing." in said


class TestFixes:
    def test_what_holds_with_its_price_and_what_came_after(self):
        one = mitigation()
        steps = [step("behaviour", MadeStep(text="98% right"), experiment="behaviour"),
                 step("mitigate", experiment="steering"),
                 step("again", MadeStep(text="97% right"), experiment="behaviour", phase="held_out")]  # fmt: skip
        numbers = {"gap_removed_negative": 0.85, "kl_negative": 0.002, "capability_loss_negative": float("nan")}
        found = investigated(
            ends=[decided(one, CAUSAL, observed="KL 0.002 nats")],
            steps=steps,
            tests={"confirm/mitigate": MadeStep(numbers=numbers)},
        )
        assert told(found)["What fixes it?"].splitlines() == [
            "1 of 1 mitigation holds on held-out examples:",
            "direction of neighbourhood at 1 carries it (H9, causal).",
            "On held-out examples: it removes 85% of the gap.",
            "before, by step behaviour on the search fold: 98% right",
            "what step again says, on held-out examples: 97% right",
        ]
        assert told(found)["What did that cost?"].splitlines() == [
            "On held-out examples: predictions on neutral text move by 0.0020 nats a token (KL).",
            "price of each mitigation, with its budget: H9: KL 0.002 nats.",
        ]
        assert "H9" not in told(found)["Which parts do it?"], "what fixes it is no part that does it"

    def test_that_it_holds_is_no_word_on_its_price(self):
        dear = decided(mitigation(), CAUSAL, observed="at a price beyond the budget: KL 3 nats (budget 0.1)")
        assert (
            "carries it (H9, causal), at a price beyond the budget."
            in told(investigated(ends=[dear]))["What fixes it?"]
        )

    def test_what_is_measured_again_where_nothing_steers_fixes_nothing(self):
        steps = [step("warn", MadeStep(text="it warns"), experiment="features", phase="held_out")]
        said = told(investigated(ends=[decided(hypothesis(), CAUSAL)], steps=steps))
        assert said["What fixes it?"] == "Nothing was tried: no step steers the model."
        assert said["How do we know?"].endswith("what step warn says, on held-out examples: it warns")

    def test_both_sides_are_told_apart(self):
        numbers = {"gap_removed_negative": 0.85, "gap_removed_positive": 0.1, "kl_positive": 0.5}
        found = investigated(
            ends=[decided(mitigation(), CAUSAL)], tests={"confirm/mitigate": MadeStep(numbers=numbers)}
        )
        assert told(found)["What fixes it?"].splitlines()[-2:] == [
            "On held-out examples, positive side: it removes 10% of the gap.",
            "On held-out examples, negative side: it removes 85% of the gap.",
        ]

    def test_what_is_measured_under_it_is_told_in_words(self):
        numbers = {"total_effect": 3.31, "steered_effect": 0.058, "gap_removed_group": 0.913,
                   "removed_neighbourhood": 0.97, "removed_neighbourhood_for_group": 0.5, "accuracy_change": -0.004,
                   "accuracy_change_facts": 0.002, "accuracy_facts": 0.98}  # fmt: skip
        steps = [step(), step("again", MadeStep(text="x", numbers=numbers), experiment="audit", phase="held_out")]
        said, cost = map(told(investigated(ends=[decided(mitigation(), CAUSAL)], steps=steps)).get, ALL[3:5])
        assert (
            "By step again, on held-out examples: what the change of the prompt costs goes from 3.310 to 0.058; 91% of "
            "the gap by group is gone; 97% of the effect of neighbourhood is gone." in said
        )
        assert (
            "By step again, on held-out examples, this changes: the share of decisions as declared by -0.004; accuracy "
            "on facts by +0.002." in cost
        )

    def test_what_a_search_measured_is_no_price(self):
        steps = [step("look", MadeStep(numbers={"accuracy_change_facts": -0.5, "removed_income": 0.5}))]
        said = told(investigated(ends=[decided(mitigation(), CAUSAL)], steps=steps))
        assert said["What did that cost?"].startswith("Not measured.")
        assert "income" not in said["What fixes it?"]

    def test_what_is_more_than_before_grows(self):
        numbers = {"removed_income": -0.11, "removed_debt": -0.001, "accuracy_change_facts": -0.25}
        steps = [step(), step("again", MadeStep(text="x", numbers=numbers), experiment="audit", phase="held_out")]
        said = told(investigated(ends=[decided(mitigation(), CAUSAL)], steps=steps))[ALL[3]]
        assert "the effect of income grows by 11%; 0% of the effect of debt is gone." in said

    def test_nothing_that_was_tried(self):
        found = investigated(ends=[decided(mitigation(), REFUTED)])
        assert told(found)[ALL[3]] == "Nothing that was tried: of 1 mitigation none holds on held-out examples."

    def test_what_fixes_nothing_has_no_price(self):
        for found in (investigated(), investigated(ends=[decided(mitigation(), REFUTED)])):
            assert told(found)[ALL[4]] == "There is no price to tell, since nothing is shown to fix it."

    def test_nothing_was_tried(self):
        assert told(investigated())[ALL[3]] == "Nothing was tried: no step steers the model."


class TestSilence:
    def test_a_step_that_could_not_ask_is_named_with_its_reason(self):
        steps = [step("patch", MadeStep(not_asked="too few templates")), step("ablate")]
        said = told(investigated(ends=[decided(hypothesis(step="ablate"), CAUSAL)], steps=steps))[ALL[-1]]
        assert "steps that could not ask: patch: too few templates." in said

    def test_methods_that_contradict_each_other_are_counted_among_what_is_open(self):
        said = [component("0.1", "denoising", 1.0), component("0.1", "noising", 0.0, yes=False)]
        found = investigated(ends=[decided(hypothesis(), REPLICATED)], steps=[step(result=MadeStep(said=tuple(said)))])
        assert "methods that contradict each other: 0.1 acts by denoising" in told(found)[ALL[-1]]


def test_numbers_of_examples_say_of_which_kind():
    assert (examples(evidence()), examples(evidence(split=Split.HELD_OUT))) == ("32 examples", "32 of templates")


class TestBrief:
    """One paragraph, whose five sentences follow from the numbers."""

    def test_of_everything(self):
        found = investigated(
            ends=[decided(hypothesis(1, "attribute income", step="audit", experiment="audit"), REPLICATED),
                  decided(hypothesis(6, "0.1 + 2.3"), CAUSAL),
                  *(decided(hypothesis(n, f"0.{n}"), REPLICATED if n < 5 else CAUSAL) for n in (2, 3, 4, 5)),
                  decided(hypothesis(7, "1.7"), UNDECIDED),
                  decided(mitigation(8), REFUTED), decided(mitigation(9), CAUSAL)]
        )  # fmt: skip
        assert {one.word: one.text for one in brief(found, agreement_of(found))} == {
            "Hypothesis": "The search, on one fold of the examples, left 9 hypotheses: 1 about what the model does "
            "with its input, 6 about the parts that do it and 2 about what changes it.",
            "Evidence": "Each was then tested on 32 held-out examples, beside a control, and on held-out "
            "templates where there are any; all were corrected together.",
            "Intervention": "Each test changes something in the prompt or in the model, and keeps the rest: 1 by "
            "audit, 6 by patching and 2 by steering.",
            "Result": "What decides is income; it is carried by attention head 0.2, attention head 0.3, attention head "
            "0.4 and 2 more; it is changed by direction of neighbourhood at 1.",
            "Uncertainty": "1 undecided, 1 refuted, 3 that hold but are not shown to on held-out templates and a share "
            "of false ones among those that hold, on average at most 5%.",
        }

    def test_that_the_prompt_matters_decides_nothing(self):
        found = investigated(ends=[decided(hypothesis(1, "the prompt", experiment="behaviour"), CAUSAL)])
        assert brief(found, agreement_of(found))[3].text == "Nothing that can be named holds."

    def test_where_nothing_holds(self):
        found = investigated(ends=[decided(hypothesis(), None)])
        told = {one.word: one.text for one in brief(found, agreement_of(found))}
        assert told["Result"] == "Nothing that can be named holds."
        assert told["Evidence"].startswith("Each was then tested on held-out examples, beside")
        assert told["Uncertainty"] == "1 refuted."

    def test_nothing_decided_leaves_it_to_the_headline(self):
        assert brief(investigated(), agreement_of(investigated())) == ()
