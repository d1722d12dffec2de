"""What becomes of a hypothesis, in one word: refuted is more than not shown."""

from dataclasses import replace

import pytest

from interp_lab.investigation.outcomes import Outcome, kind_of, outcome_of
from tests.investigation.made import (
    CAUSAL,
    REFUTED,
    REPLICATED,
    UNDECIDED,
    MadeStep,
    decided,
    hypothesis,
    investigated,
)
from tests.reports.results import evidence


class TestOutcome:
    @pytest.mark.parametrize(
        ("ends", "outcome"),
        [
            (REPLICATED, "replicated"),
            (CAUSAL, "causal"),
            (UNDECIDED, "undecided"),
            (REFUTED, "refuted"),
            (None, "refuted"),
        ],
    )
    def test_follows_from_the_evidence(self, ends, outcome):
        found = investigated(ends=[decided(hypothesis(), ends)])
        assert outcome_of(found, found.decided[0]) == outcome

    def test_a_small_effect_of_the_wrong_p_is_undecided_and_a_control_that_does_as_much_refutes(self):
        by_chance, as_control = evidence(p=0.2), evidence(control=(0.1, -0.2, 0.4))
        ends = [decided(hypothesis(nth), (one, None)) for nth, one in enumerate((by_chance, as_control), 1)]
        found = investigated(ends=ends)
        assert [outcome_of(found, one) for one in ends] == [Outcome.UNDECIDED, Outcome.REFUTED]

    def test_the_side_is_the_one_that_was_seen(self):
        """An effect of -2 refutes one that was 2.5 where it was searched for, however clear it is."""
        other_side = (evidence((-2.0, -2.5, -1.5), (-2.0, -2.5, -1.5), p=0.2), None)
        found = investigated(ends=[decided(hypothesis(), other_side)])
        assert outcome_of(found, found.decided[0]) is Outcome.REFUTED

    def test_a_test_that_could_not_ask_refutes_nothing(self):
        one = decided(hypothesis(), None)
        silent = MadeStep(not_asked="the corruption costs nothing")
        assert outcome_of(investigated(ends=[one], tests={one.run: silent}), one) is Outcome.UNTESTED
        assert outcome_of(replace(investigated(ends=[one]), tests={}), one) is Outcome.UNTESTED


@pytest.mark.parametrize(
    ("name", "kind"),
    [("0.1", "attention head"), ("attribute income", "attribute of the input"), ("1.hook_resid_post#7", "latent"),
     ("0.1 + 2.3", "set of attention heads"),
     ("attribute neighbourhood for group", "stand-in for something hidden"),
     ("attribute paper with seal", "pair of attributes"),
     ("direction of neighbourhood at 1", "direction"), ("mlp_out 1", "MLP"),
     ("resid_pre 2 at end", "place of the residual stream"),
     ("role end", "role in the prompt"), ("whatever", "other part")],
)  # fmt: skip
def test_components_have_kinds(name, kind):
    assert kind_of(name) == kind
