from dataclasses import replace

import pytest

from interp_lab.claims import Claim, Evidence, Grade, Split, as_unsure, grade
from interp_lab.types import Interval


def evidence(**changes):
    clear = Evidence(
        what="zero ablation of 1.3: change of second-copy loss",
        unit="nats",
        effect=Interval(1.0, 0.8, 1.2),
        versus_control=Interval(0.9, 0.7, 1.1),
        p_adjusted=0.001,
        control="mean of 4 heads",
        split=Split.REPORT,
        n_examples=32,
    )
    return replace(clear, **changes)


REPLICATION = evidence(split=Split.HELD_OUT)


class TestGrade:
    def test_observation_alone_is_descriptive(self):
        assert grade(None) is Grade.DESCRIPTIVE

    def test_a_clear_effect_on_the_report_split_is_causal(self):
        assert grade(evidence()) is Grade.CAUSAL

    def test_the_same_on_held_out_templates_is_replicated(self):
        assert grade(evidence(), REPLICATION) is Grade.REPLICATED

    def test_an_effect_may_be_negative(self):
        down = {"effect": Interval(-1.0, -1.2, -0.8), "versus_control": Interval(-0.9, -1.1, -0.7)}
        assert grade(evidence(**down), evidence(split=Split.HELD_OUT, **down)) is Grade.REPLICATED

    @pytest.mark.parametrize(
        "perturbed",
        [
            {"effect": Interval(1.0, -0.1, 2.1)},
            {"versus_control": Interval(0.3, -0.1, 0.7)},
            {"versus_control": Interval(-0.9, -1.1, -0.7)},
            {"p_adjusted": 0.05},
            {"margin": 0.75},
            {"split": Split.SELECT},
            {"split": Split.HELD_OUT},
        ],
        ids=["effect covers zero", "no more than the control", "less than the control", "not significant after "
             "correction", "within the margin", "measured where it was selected", "not on the report split"],
    )  # fmt: skip
    def test_falls_when_the_numbers_get_worse(self, perturbed):
        assert grade(evidence(**perturbed), REPLICATION) is Grade.DESCRIPTIVE

    @pytest.mark.parametrize(
        "perturbed",
        [
            {"effect": Interval(1.0, -0.1, 2.1)},
            {"p_adjusted": 0.5},
            {"split": Split.REPORT},
            {"effect": Interval(-1.0, -1.2, -0.8), "versus_control": Interval(-0.9, -1.1, -0.7)},
        ],
        ids=["unclear", "not significant", "not on held-out templates", "opposite sign"],
    )
    def test_does_not_replicate_on_worse_numbers(self, perturbed):
        assert grade(evidence(), replace(REPLICATION, **perturbed)) is Grade.CAUSAL

    def test_replication_cannot_stand_alone(self):
        assert grade(None, REPLICATION) is Grade.DESCRIPTIVE


class TestClaim:
    def test_its_grade_cannot_be_typed_in(self):
        with pytest.raises(TypeError, match="grade"):
            Claim("1.3 is an induction head", "score 0.9", grade=Grade.CAUSAL)

    def test_its_grade_follows_from_its_evidence(self):
        claim = Claim("1.3 is an induction head", "score 0.9", evidence(), REPLICATION)
        assert claim.grade is Grade.REPLICATED
        assert str(claim.grade) == "replicated"
        assert replace(claim, alpha=0.0005).grade is Grade.DESCRIPTIVE


def test_a_p_value_is_a_probability():
    with pytest.raises(ValueError, match=r"p_adjusted=1\.5 is no probability"):
        evidence(p_adjusted=1.5)


class TestSeveralTests:
    def test_what_was_corrected_alone_has_the_same_p(self):
        assert (evidence().p_alone, evidence(p=0.0005).p_alone) == (0.001, 0.0005)

    def test_correction_makes_no_p_smaller(self):
        with pytest.raises(ValueError, match=r"p=0.002 lies outside \[0, 0.001\]"):
            evidence(p=0.002)

    def test_the_largest_p_of_all_counts(self):
        """0.01 -> 0.04 beside one control and 0.03 -> 0.03 beside another: 0.03 alone, 0.04 corrected."""
        made = as_unsure([evidence(p=0.01, p_adjusted=0.04), evidence(p=0.03, p_adjusted=0.03)])
        assert [(one.p, one.p_adjusted) for one in made] == [(0.03, 0.04), (0.03, 0.04)]
