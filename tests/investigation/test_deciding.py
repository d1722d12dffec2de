"""What becomes of hypotheses: by numbers that were worked out by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from interp_lab.claims import Claim, Grade, Split
from interp_lab.hypotheses import Component, Hypothesis
from interp_lab.investigation.deciding import decide
from interp_lab.types import Interval
from tests.investigation.coins import evidence


@dataclass
class Said:
    made: list[Claim]
    not_asked: str | None = None
    parts: Sequence[Component] = ()

    def claims(self):
        return self.made

    def components(self):
        return list(self.parts)


def hypothesis(statement, *, step="toss", nth=1, estimate=1.0, model="organism"):
    return Hypothesis(
        id=f"H{nth}", statement=statement, component="x", step=step, experiment="coins", config={"model": model},
        observed=Interval(estimate, estimate - 0.1, estimate + 0.1), unit="logits", margin=0.05, n_examples=24,
        refuted_if="never", uncertain="",
    )  # fmt: skip


def claim(statement, p=0.001, *, value=1.0, again=None, within=None):
    """Return a claim; `within` is p as its own test corrected it."""
    away = None if again is None else evidence(value, again, Split.HELD_OUT)
    seen = evidence(value, p if within is None else within, Split.REPORT)
    return Claim(statement, "seen", seen if within is None else replace(seen, p=p), away)


def component(name, estimate, unit="logits", *, causal=True):
    seen = Interval(estimate, estimate - 0.1, estimate + 0.1)
    return Component(name, "coins", causal, seen, unit, None, selected=True)


def decided(*pairs, **named):
    """Decide pairs of a statement and its claim, each in a test of its own."""
    hypotheses = [hypothesis(statement, step=f"s{nth}", nth=nth) for nth, (statement, _) in enumerate(pairs)]
    tests = {f"confirm/s{nth}": Said([] if made is None else [made]) for nth, (_, made) in enumerate(pairs)}
    return decide(hypotheses, tests, fdr=0.05, **named)


class TestOneCorrectionOverAll:
    def test_of_effects(self):
        """p 0.01, 0.02, 0.04, 0.5 of four: times 4/1, 4/2, 4/3, 4/4: 0.04, 0.04, 0.0533, 0.5."""
        found = decided(*((f"{p}", claim(f"{p}", p)) for p in (0.01, 0.02, 0.04, 0.5)))
        assert [one.claim.effect.p_adjusted for one in found] == pytest.approx([0.04, 0.04, 0.16 / 3, 0.5])
        assert [one.holds for one in found] == [True, True, False, False]

    def test_what_a_test_corrected_itself_is_not_corrected_twice(self):
        """p 0.02 and 0.04, by their own test 0.04 and 0.04: 0.04 twice; from 0.3 and 0.3 it would be 0.3 twice."""
        found = decided(("a", claim("a", 0.02, within=0.3)), ("b", claim("b", 0.04, within=0.3)))
        assert [one.claim.effect.p_adjusted for one in found] == pytest.approx([0.04, 0.04])
        assert [one.claim.effect.p for one in found] == [0.02, 0.04]
        assert all(one.holds for one in found)

    def test_what_turned_its_sign_counts_as_tested(self):
        """p 0.03 of two, where the other turned with p 0.001: 0.06."""
        found = decided(("a", claim("a", 0.03)), ("b", claim("b", value=-1.0)))
        assert found[0].claim.effect.p_adjusted == pytest.approx(0.06)

    def test_what_was_not_stated_counts_as_tested(self):
        """Of two with p 0.03, one alone: 0.06 where the other was not found, and not 0.03."""
        found = decided(("a", claim("a", 0.03)), ("b", None))
        assert found[0].claim.effect.p_adjusted == pytest.approx(0.06)
        assert not found[0].holds

    def test_in_the_model_beside_what_could_not_be_asked_counts_as_well(self):
        """Of two with p 0.03 there, one alone: 0.06, whether the other was refused or had no behaviour to ask about."""
        hypotheses = [hypothesis("a in organism", step="s0"), hypothesis("b in organism", step="s1", nth=2)]
        own = {f"confirm/s{nth}": Said([claim(f"{name} in organism")]) for nth, name in enumerate("ab")}
        asked = {"confirm-beside/s0": Said([claim("a in tuned", 0.03)])}
        for other in ({}, {"confirm-beside/s1": Said([], "the corruption costs nothing")}):
            found = decide(hypotheses, {**own, **asked, **other}, fdr=0.05, beside="tuned")
            assert found[0].beside.effect.p_adjusted == pytest.approx(0.06)
            assert found[1].beside is None

    def test_of_replications_apart(self):
        found = decided(("a", claim("a", again=0.01)), ("b", claim("b", again=0.2)), ("c", claim("c")))
        assert [one.claim.replication and one.claim.replication.p_adjusted for one in found] == [
            pytest.approx(0.03), pytest.approx(0.3), None,
        ]  # fmt: skip
        assert [one.grade for one in found] == [Grade.REPLICATED, Grade.CAUSAL, Grade.CAUSAL]

    def test_a_replication_is_no_surer_than_the_effect(self):
        """p 0.02 and 0.04 of effects, 0.001 of both replications: it holds twice at 0.04 and 0.04, not at 0.001."""
        found = decided(("a", claim("a", 0.02, again=0.001)), ("b", claim("b", 0.04, again=0.001)))
        assert [one.claim.replication.p_adjusted for one in found] == pytest.approx([0.04, 0.04])
        assert all(one.grade is Grade.REPLICATED for one in found)

    def test_a_replication_alone_supports_nothing(self):
        """p 0.04 of one of two effects, 0.08 corrected; that of its replication, 0.001, is none without it."""
        (found, _) = decided(("a", claim("a", 0.04, again=0.001)), ("b", None))
        assert found.claim.replication.p_adjusted == pytest.approx(0.08)
        assert found.grade is Grade.DESCRIPTIVE

    def test_the_same_over_tests_of_several_steps_and_of_one(self):
        """Which test a hypothesis comes from is no matter."""
        two = [hypothesis("a", nth=1), hypothesis("b", nth=2)]
        together = decide(two, {"confirm/toss": Said([claim("a", 0.03), claim("b", 0.04)])}, fdr=0.05)
        apart = decided(("a", claim("a", 0.03)), ("b", claim("b", 0.04)))
        assert [one.claim for one in together] == [one.claim for one in apart]
        assert [one.claim.effect.p_adjusted for one in apart] == pytest.approx([0.04, 0.04])

    def test_at_the_rate_of_the_investigation(self):
        """p 0.1 of one: clear at a rate of 0.2, whatever its own test was told."""
        (found,) = decide([hypothesis("a")], {"confirm/toss": Said([claim("a", 0.1)])}, fdr=0.2)
        assert (found.claim.alpha, found.holds) == (0.2, True)

    def test_in_the_model_beside_what_is_small_is_what_its_own_test_says(self):
        """The smallest effect of interest may be a share of what a corruption costs there."""
        own, there = (Said([Claim("a", "", _with_margin(claim("a"), margin))]) for margin in (0.04, 0.03))
        tests = {"confirm/toss": own, "confirm-beside/toss": there}
        (found,) = decide([hypothesis("a")], tests, fdr=0.05, beside="tuned")
        assert (found.claim.effect.margin, found.beside.effect.margin) == (0.05, 0.03)


class TestRefuted:
    def test_where_the_sign_turns_and_with_it_the_sentence(self):
        measured = [component("y", -1.0), component("x", -1.0, causal=False), component("x", -2.0)]
        found = self._of(Said([claim("it lowers", value=-2.0)], parts=measured))
        assert (found.claim, found.grade, found.holds, found.turned) == (None, None, False, True)
        assert found.why == "The effect turned its sign: -2 [-2.1, -1.9] logits."

    @pytest.mark.parametrize(
        "part", [("x", 1.0), ("x", -0.05), ("y", -1.0), ("x", -1.0, "nats")], ids=["same", "none", "other", "unit"]
    )
    def test_not_where_the_statement_is_missing_and_nothing_turned(self, part):
        """A missing statement speaks against nothing: it may not have been measured."""
        found = self._of(Said([], parts=[component(*part)]))
        assert (found.claim, found.turned) == (None, False)
        assert found.why == "The test does not make this statement, and measured nothing that speaks against it."

    def test_not_where_it_was_seen_by_looking_alone(self):
        assert not self._of(Said([], parts=[component("x", -1.0, causal=False)])).turned

    def test_not_where_the_test_could_not_ask_or_was_not_made(self):
        found = self._of(Said([], "the corruption costs nothing", [component("x", -1.0)]))
        assert (found.turned, found.why) == (False, "The test could not ask: the corruption costs nothing.")
        (lost,) = decide([hypothesis("it raises")], {}, fdr=0.05)
        assert (lost.turned, lost.why) == (False, "The test could not be made.")

    def test_in_the_model_beside_as_well(self):
        """It turns there, and holds here."""
        tests = {"confirm/toss": Said([claim("a")]), "confirm-beside/toss": Said([claim("a", value=-1.0)])}
        (found,) = decide([hypothesis("a")], tests, fdr=0.05, beside="tuned")
        assert (found.turned, found.turned_beside, found.holds, found.beside) == (False, True, True, None)

    @staticmethod
    def _of(said):
        (found,) = decide([hypothesis("it raises")], {"confirm/toss": said}, fdr=0.05)
        return found

    def test_where_the_sign_turns_and_the_sentence_does_not(self):
        (found,) = decided(("it matters", claim("it matters", value=-1.0)))
        assert (found.claim, found.turned) == (None, True)
        assert found.why == "The effect turned its sign: -1 [-1.1, -0.9] logits."

    def test_where_what_lowered_raises(self):
        (found,) = decide([hypothesis("a", estimate=-1.0)], {"confirm/toss": Said([claim("a", value=1.0)])}, fdr=0.05)
        assert (found.claim, found.turned) == (None, True)

    def test_where_nothing_is_left_of_it_with_its_numbers(self):
        """-0.05 +- 0.1 is no other sign; it is no effect."""
        (found,) = decided(("it matters", claim("it matters", value=-0.05)))
        assert found.grade is Grade.DESCRIPTIVE
        assert "The effect -0.05 [-0.15, 0.05] logits does not lie beyond 0.05" in found.why

    def test_by_what_was_stated_and_not_by_what_the_test_takes_for_small(self):
        """0.14 +- 0.1 is above 0.03, which the test would have it, and not above 0.05, which was stated."""
        small = Claim("a", "", evidence(0.14, 0.001, Split.REPORT))
        assert Claim("a", "", _with_margin(small, 0.03)).grade is Grade.CAUSAL
        (found,) = decided(("a", Claim("a", "", _with_margin(small, 0.03))))
        assert not found.holds
        assert "the effect 0.14 [0.04, 0.24] logits does not lie beyond 0.05".casefold() in found.why.casefold()

    def test_by_the_correction(self):
        (_, found) = decided(("a", claim("a", 0.9)), ("b", claim("b", 0.04)))
        assert found.why == "P = 0.08 over 2 hypotheses is not below 0.05."

    def test_where_the_test_could_not_ask(self):
        one = hypothesis("a")
        (found,) = decide([one], {"confirm/toss": Said([], "the corruption costs nothing")}, fdr=0.05)
        assert found.why == "The test could not ask: the corruption costs nothing."


def _with_margin(made, margin):
    return replace(made.effect, margin=margin)


class TestBeside:
    NAMES = ("organism", "organism-tuned")

    @pytest.mark.parametrize(
        ("own", "model", "statement", "there"),
        [
            ("organism", "organism-tuned", "In organism, a decides", "In organism-tuned, a decides"),
            ("organism", "organism-tuned", "a (organism) in organism.", "a (organism-tuned) in organism-tuned."),
            ("compiled/a", "compiled/b", "task compiled/a in compiled/a", "task compiled/a in compiled/b"),
            ("organism", "organism-attn", "a of organism-tuned in organism", "a of organism-tuned in organism-attn"),
            ("organism", "organism-tuned", "a decides", "a decides"),
        ],
        ids=["name", "twice", "a task of the same name", "part of another name", "no name"],
    )  # fmt: skip
    def test_the_same_statement_of_the_other_model(self, own, model, statement, there):
        one = hypothesis(statement, model=own)
        tests = {"confirm/toss": Said([claim(statement)]), "confirm-beside/toss": Said([claim(there, 0.02)])}
        (found,) = decide([one], tests, fdr=0.05, beside=model)
        assert found.holds
        assert found.beside.statement == there
        assert found.beside.effect.p_adjusted == pytest.approx(0.02)

    def test_another_statement_is_not_taken_for_it(self):
        one = hypothesis("In organism, a decides")
        tests = {
            "confirm/toss": Said([claim(one.statement)]),
            "confirm-beside/toss": Said([claim("In organism-tuned, b decides"), claim("In organism-blind, a decides")]),
        }
        (found,) = decide([one], tests, fdr=0.05, beside="organism-tuned")
        assert found.beside is None

    def test_is_a_family_of_its_own(self):
        two = [hypothesis("a in organism", nth=1), hypothesis("b in organism", nth=2)]
        tests = {
            "confirm/toss": Said([claim(one.statement, 0.001) for one in two]),
            "confirm-beside/toss": Said([claim("a in tuned", 0.03)]),
        }
        first, second = decide(two, tests, fdr=0.05, beside="tuned")
        assert first.beside.effect.p_adjusted == pytest.approx(0.06)
        assert (first.holds, first.beside.grade, second.beside) == (True, Grade.DESCRIPTIVE, None)

    def test_one_that_could_not_be_asked_costs_nothing(self):
        (found,) = decide([hypothesis("a")], {"confirm/toss": Said([claim("a")])}, fdr=0.05, beside="tuned")
        assert found.holds
        assert found.beside is None
