"""What becomes of a hypothesis, in one word: refuted is more than not shown."""

from dataclasses import replace

import pytest

from interp_lab.investigation.outcomes import Outcome, kind_of, outcome_beside, outcome_of
from tests.investigation.made import (
    CAUSAL,
    REFUTED,
    REPLICATED,
    UNDECIDED,
    decided,
    hypothesis,
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
        assert outcome_of(decided(hypothesis(), ends)) == outcome

    def test_a_small_effect_of_the_wrong_p_is_undecided_and_a_control_that_does_as_much_refutes(self):
        by_chance, as_control = evidence(p=0.2), evidence(control=(0.1, -0.2, 0.4))
        ends = [decided(hypothesis(nth), (one, None)) for nth, one in enumerate((by_chance, as_control), 1)]
        assert [outcome_of(one) for one in ends] == [Outcome.UNDECIDED, Outcome.REFUTED]

    def test_the_side_is_the_one_that_was_seen(self):
        """An effect of -2 refutes one that was 2.5 where it was searched for, however clear it is."""
        other_side = (evidence((-2.0, -2.5, -1.5), (-2.0, -2.5, -1.5), p=0.2), None)
        assert outcome_of(decided(hypothesis(), other_side)) is Outcome.REFUTED

    def test_what_was_not_asked_or_not_measured_is_not_refuted(self):
        one = replace(decided(hypothesis(), None), turned=False)
        assert (outcome_of(one), outcome_beside(one)) == (Outcome.UNTESTED, Outcome.UNTESTED)
        assert outcome_beside(replace(one, turned_beside=True)) is Outcome.REFUTED


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
