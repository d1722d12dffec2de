"""What is claimed, and what is not: the evidence is that beside the control that an effect is least clear of."""

import re
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from interp_lab.claims import Evidence, Grade, Split
from interp_lab.effects import evidence_of
from interp_lab.sae.causal.claimed import TOGETHER, p_as_one_more, weakest
from interp_lab.stats import benjamini_hochberg
from interp_lab.types import Interval
from tests.sae.causal.drawn import result


def evidence(difference, p=0.001):
    clear = Interval(difference, difference - 0.1, difference + 0.1)
    return Evidence("x", "logits", clear, clear, p, "control", Split.REPORT, 40)


class TestWeakest:
    def test_is_what_is_not_clear(self):
        found = weakest([evidence(0.5), evidence(2.0, p=0.3), evidence(1.0)], alpha=0.05)
        assert found.versus_control.estimate == 2.0

    def test_is_else_the_smallest_difference_of_either_sign(self):
        found = weakest([evidence(-0.5), evidence(-2.0), evidence(-0.7)], alpha=0.05)
        assert found.versus_control.estimate == -0.5


class TestAsOneMoreDraw:
    def test_by_hand(self):
        """Spread 1 about zero: 4 is 4 / sqrt(4/3) = 3.4641 away, by t with 2 degrees of freedom."""
        draws = np.array([-1.0, 0.0, 1.0])
        assert p_as_one_more(4.0, draws) == pytest.approx(0.0742, abs=1e-4)
        assert p_as_one_more(-4.0, draws) == pytest.approx(0.0742, abs=1e-4)
        assert p_as_one_more(0.0, draws) == 1

    def test_draws_that_all_do_the_same(self):
        assert p_as_one_more(1.0, np.zeros(3)) == 0
        assert p_as_one_more(0.0, np.zeros(3)) == 1

    def test_is_corrected_over_all_that_is_tested(self):
        """Random directions of both features and of sets, and other latents' directions: six tests."""
        found = result(own=2.0)
        compared = found._compared(found.report)
        p = found._as_one_more_draw(compared, {name: [True] * len(one.names) for name, one in compared.items()})
        assert len(p) == 6
        plain = {
            key: p_as_one_more(compared[key[0]].changes[key[1]].mean(), compared[key[0]].controls[key[1]].mean(-1))
            for key in p
        }
        alone, together = zip(*p.values(), strict=True)
        assert list(alone) == list(plain.values())
        np.testing.assert_allclose(together, benjamini_hochberg(np.array(alone)))

    @pytest.mark.parametrize("control", ["random", "borrowed"])
    def test_an_effect_within_the_spread_of_directions_is_one_of_them_though_their_mean_is_zero(self, control):
        found = result(own=2.0)
        draws = np.where(np.arange(24) % 2, 3.0, -3.0)[:, None] + 0 * found.report.random[0]
        split = {control: getattr(found.report, control).copy()}
        split[control][0] = draws
        found = replace(found, report=replace(found.report, **split))
        assert found.grade("30") is Grade.DESCRIPTIVE
        assert found.evidence["30"][0].p_adjusted > 0.3


class TestClaims:
    def test_of_a_feature_that_matters_by_construction(self):
        found = result(own=2.0, held_out=2.0)
        assert [found.grade(name) for name in (*found.names, TOGETHER)] == [
            Grade.REPLICATED, Grade.DESCRIPTIVE, Grade.REPLICATED,
        ]  # fmt: skip
        assert found.claims()[0].statement.startswith("The answer of grammar/sentiment in organism needs feature 30")

    @pytest.mark.parametrize(("smallest", "grade"), [(0.025, Grade.DESCRIPTIVE), (0.005, Grade.REPLICATED)])
    def test_an_effect_below_the_smallest_of_interest_is_none(self, smallest, grade):
        """0.12 of the 8 logits that the corruption costs: less than 0.025 of them, and more than 0.005."""
        quiet = dict.fromkeys(("random", "others", "borrowed"), 1e-3)
        found = result(own=0.12, held_out=0.12, changes={"smallest_effect": smallest}, **quiet)
        assert found.grade("30") is grade

    def test_together_they_bring_back_what_denoising_them_does(self):
        """4 logits of the 8 that the corruption costs, and 1 along random directions."""
        found = result()
        report, shift = found.report, 1.0 - found.report.set_random.mean()
        with_effect = replace(report, set_random=report.set_random + shift, set_others=report.set_others + shift)
        effect, _ = replace(found, report=with_effect).evidence[TOGETHER]
        assert effect.effect.estimate == pytest.approx(4, abs=0.1)
        assert effect.versus_control.estimate == pytest.approx(3, abs=0.1)

    def test_of_one_that_holds_the_answer_back(self):
        found = result(own=-2.0, held_out=-2.0)
        assert found.grade("30") is Grade.REPLICATED
        assert "is held back by feature 30" in found.claims()[0].statement

    def test_on_other_templates_the_effect_may_be_gone(self):
        assert result(own=2.0, held_out=0.0).grade("30") is Grade.CAUSAL

    @pytest.mark.parametrize("control", ["random", "borrowed", "others"])
    def test_an_effect_must_stand_beside_every_control(self, control):
        """Whichever control does as much by chance, the feature is no more than one of its kind."""
        found = result(own=2.0, held_out=2.0, **{control: 4.0})
        assert found.grade("30") is Grade.DESCRIPTIVE

    def test_how_many_directions_do_less_is_told_beside_the_evidence(self):
        """One of 24 does more, which the table says; by their spread the effect is still far out."""
        found = result(own=2.0)
        random = found.report.random.copy()
        random[0, 5] = 3.0
        found = replace(found, report=replace(found.report, random=random))
        assert found.grade("30") is Grade.REPLICATED
        assert found.tables()["features"]["larger_than"][0] == pytest.approx(23 / 24)

    def test_all_features_and_controls_are_one_family(self):
        """Eight tests: three controls of two features, two of both together; the p-value of each among those of all."""
        found = result(own=2.0)
        pairs = found._compared(found.report)
        own = evidence_of(list(pairs.values()), split=Split.REPORT, level=0.95, seed=0)
        assert sum(map(len, own)) == 8
        places = {family: nth for nth, family in enumerate(pairs)}
        first = [
            own[places[family]][0] for family in ("random directions", "directions of other latents", "other latents")
        ]
        kept = found.evidence["30"][0]
        assert kept.versus_control == weakest(first, alpha=0.05).versus_control
        assert kept.p_adjusted >= weakest(first, alpha=0.05).p_adjusted

    def test_nothing_is_claimed_where_the_corruption_costs_nothing(self):
        found = result()
        found = replace(found, report=replace(found.report, corrupted=found.report.clean + 1))
        assert found.claims() == []
        assert "comes out better" in found.summary() or "come out better" in found.summary()

    def test_without_held_out_templates_nothing_is_replicated(self):
        found = result(held_out=None)
        assert found.grade("30") is Grade.CAUSAL
        assert "not testable on held-out templates: there are none" in found.summary()


class TestStatements:
    @pytest.mark.parametrize(
        ("operation", "loses", "gains"),
        [
            ("zero", "in organism needs feature 30", "in organism is held back by feature 30"),
            ("mean", "in organism needs feature 30", "in organism is held back by feature 30"),
            ("resample", "in organism needs feature 30", "in organism is held back by feature 30"),
            (
                "corrupted",
                "Corrupting feature 30 at .* costs part of the answer",
                "Corrupting .* strengthens the answer",
            ),
            ("scale", "Scaling feature 30 at .* by 2 weakens the answer", "Scaling .* by 2 strengthens the answer"),
            ("clamp", "Clamping feature 30 at .* at 1 of its largest value moves the answer", "Clamping .* moves the"),
        ],
    )
    def test_say_what_was_done(self, operation, loses, gains):
        """That the answer needs a feature is said only where the feature was taken away."""
        for own, expected in ((2.0, loses), (-2.0, gains)):
            found = result(own=own, held_out=None, changes={"operations": (operation,)})
            told = found.claims()[0].statement
            assert re.search(expected, told), told
            assert ("needs" in told) == ("needs" in expected)


class TestDisagreement:
    changes: ClassVar = {"operations": ("corrupted", "zero", "mean")}

    def with_zero_unclear(self):
        found = result(own=2.0, changes=self.changes)
        operations = found.report.operations.copy()
        operations[1, 0] = np.where(np.arange(operations.shape[-1]) // 4 % 2, 2.0, -2.0)  # by template, mean zero
        return replace(found, report=replace(found.report, operations=operations))

    def test_is_told_on_the_page_and_in_the_table(self):
        found = self.with_zero_unclear()
        page = found.sections()[1].suggests
        assert "Operations disagree on 1 of the features claimed by corrupting them" in page
        assert re.search(r": 30 \(zero 0\.\d+ \[-.*\]\)\.$", page)
        assert "Operations disagree" in found.summary()
        assert found.tables()["operations"]["disagree"].tolist()[0] == "zero"

    def test_nothing_is_said_where_there_is_none(self):
        found = result(own=2.0, changes=self.changes)
        assert "disagree" not in found.sections()[1].suggests + found.summary()

    def test_amplifying_asks_something_else(self):
        found = replace(
            self.with_zero_unclear(), config=result(changes={"operations": ("corrupted", "scale", "mean")}).config
        )
        assert found.disagreeing[0] == ()
