"""Methods side by side: what they agree on, what they contradict each other in, and whether they rank alike."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau

from interp_lab.investigation.agreement import FEWEST_RANKED, agreement_of, tau_of
from interp_lab.investigation.figures import matrix
from tests.investigation.made import MadeStep, component, investigated, step
from tests.reports.results import HOSTILE


def agreement(*said, **named):
    steps = [step(result=MadeStep(said=said)), *(step(name, MadeStep(said=own)) for name, own in named.items())]
    return agreement_of(investigated(steps=steps))


def signs(values):
    values = np.array(values, dtype=float)
    return np.sign(values[:, None] - values[None])


class TestDisagreement:
    def test_looks_the_part_and_does_nothing(self):
        looks, acts = component("1.1", "attention", 0.9, causal=False), component("1.1", "ablation", 0.01, yes=False)
        found = agreement(looks, acts)
        assert found.disagreements == [
            "1.1 looks the part by attention (0.900 [0.800, 1.000] nats), and is not shown to act by ablation "
            "(0.010 [-0.090, 0.110] nats)."
        ]

    def test_acts_and_does_not_look_it(self):
        looks, acts = component("0.0", "attention", 0.0, causal=False, yes=False), component("0.0", "ablation", 2.0)
        found = agreement(looks, acts)
        assert found.disagreements == [
            "0.0 acts by ablation (2.000 [1.900, 2.100] nats), and attention (0.000 [-0.100, 0.100] nats) does not "
            "point at it."
        ]

    @pytest.mark.parametrize(
        ("acts", "idle", "meaning"),
        [("denoising", "noising", "enough by itself and not needed"), ("denoising", "ablation", "enough by itself"),
         ("patching: noise", "patching: denoise", "needed and not enough by itself"), ("path", "denoising", None)],
    )  # fmt: skip
    def test_between_interventions_says_what_it_would_mean_where_that_is_known(self, acts, idle, meaning):
        (said,) = agreement(component("1.0", acts, 1.0), component("1.0", idle, 0.0, yes=False)).disagreements
        assert said.startswith(f"1.0 acts by {acts} (1.000")
        assert (meaning or " nats).") in said

    def test_who_is_not_sure_contradicts_nobody(self):
        """An effect of 0.5 whose interval leaves zero out is no denial, even where nothing is claimed by it."""
        unsure = component("1.0", "noising", 0.5, yes=False)
        assert agreement(component("1.0", "denoising", 1.0), unsure).disagreements == []

    def test_an_effect_that_is_little_beside_the_methods_largest_is_a_denial(self):
        little = [component("1.0", "noising", 0.3, yes=False), component("1.1", "noising", 4.0)]
        (said,) = agreement(component("1.0", "denoising", 1.0), *little).disagreements
        assert said.startswith("1.0 acts by denoising")

    def test_what_was_chosen_with_others_acts_only_if_its_own_effect_is_clear_of_zero(self):
        """A circuit claims nothing of its nodes one by one, and some of them do nothing alone."""
        nothing, much = (replace(component("1.0", "circuit", size), grade=None) for size in (0.05, 2.0))
        other = component("1.1", "circuit", 2.0)
        idle = component("1.0", "ablation", 0.0, yes=False)
        assert agreement(nothing, other, idle).disagreements == []
        assert agreement(much, other, idle).disagreements[0].startswith("1.0 acts by circuit (2.000")

    def test_agreement_contradicts_nothing(self):
        both = agreement(component("1.0", "attention", 0.9, causal=False), component("1.0", "ablation", 2.0))
        neither = agreement(component("1.0", "a", 0.0, causal=False, yes=False), component("1.0", "b", 0.0, yes=False))
        assert (both.disagreements, both.agreed) == ([], ["1.0"])
        assert (neither.disagreements, neither.agreed) == ([], [])

    def test_two_descriptive_methods_confirm_nothing(self):
        said = [component("1.0", name, 0.9, causal=False) for name in "ab"]
        assert agreement(*said).agreed == []


class TestShared:
    def test_only_components_that_two_methods_speak_of_are_compared(self):
        found = agreement(component("0.0", "a", 1.0), component("0.1", "a", 1.0), component("0.0", "b", 1.0))
        assert (found.shared, found.n_alone) == (("0.0",), 1)
        assert found.table()["component"].tolist() == ["0.0", "0.0"]

    def test_a_method_of_two_steps_is_named_with_the_step(self):
        found = agreement(component("0.0", "ablation", 1.0), again=(component("0.0", "ablation", 0.0),))
        assert [one.label for one in found.methods] == ["ablation (patch)", "ablation (again)"]

    def test_the_same_method_on_held_out_examples_is_no_second_method(self):
        steps = [
            step(result=MadeStep(said=(component("0.0", "audit", 1.0),)), phase=one) for one in ("search", "held_out")
        ]
        assert agreement_of(investigated(steps=steps)).shared == ()

    def test_descriptive_methods_stand_first(self):
        found = agreement(component("0.0", "ablation", 1.0), component("0.0", "attention", 1.0, causal=False))
        assert [one.name for one in found.methods] == ["attention", "ablation"]

    def test_nothing_shared_is_no_figure(self):
        assert matrix(agreement(component("0.0", "a", 1.0))) is None
        assert agreement().disagreements == agreement().rankings == []


class TestFigure:
    def test_each_method_is_scaled_by_its_largest_and_told_in_its_unit(self):
        looks = [component(f"0.{n}", "attention", value, causal=False) for n, value in enumerate((0.5, 0.25))]
        acts = [component("0.0", "ablation", 4.0), component("0.1", "ablation", -1.0, yes=False)]
        found = agreement(*acts, *looks)
        (cells,) = matrix(found).data
        assert np.array(cells.z).tolist()[0][::2] == [1.0, 1.0]
        assert np.array(cells.z).tolist()[1][::2] == [0.5, -0.25]
        assert np.isnan(np.array(cells.z)[:, 1]).all(), "a gap sets descriptive and causal columns apart"
        assert np.array(cells.text).tolist() == [["0.50 ●", "", "4.00 ●"], ["0.25 ●", "", "-1.00"]]

    def test_text_from_elsewhere_stays_text(self):
        found = agreement(component(HOSTILE, HOSTILE, 1.0), component(HOSTILE, "b", 1.0))
        assert "<script" not in matrix(found).to_json().replace("\\u003c", "<")


class TestRanking:
    def rankings(self, one, other):
        both = {"a": one, "b": other}
        said = [component(f"0.{n}", name, float(value)) for name, own in both.items() for n, value in enumerate(own)]
        return agreement(*said).rankings

    def test_tau_is_that_of_scipy_where_nothing_ties(self):
        draw = np.random.default_rng(0)
        for _ in range(20):
            one, other = draw.normal(size=(2, 9))
            assert tau_of(signs(one), signs(other)) == pytest.approx(kendalltau(one, other).statistic)

    def test_the_same_order_is_one_and_beyond_what_shuffling_does(self):
        (found,) = self.rankings(range(1, 9), [value**2 for value in range(1, 9)])
        assert (found.n, found.tau.estimate) == (8, 1.0)
        assert found.shuffled.high < 1.0
        assert found.p < 0.01

    def test_sizes_are_ranked_not_signs(self):
        (found,) = self.rankings(range(1, 9), [-value for value in range(1, 9)])
        assert found.tau.estimate == 1.0

    def test_the_interval_holds_the_estimate_and_covers_zero_for_unrelated_orders(self):
        (found,) = self.rankings([1, 2, 3, 4, 5, 6, 7, 8], [5, 1, 7, 3, 8, 2, 6, 4])
        assert found.tau.low < 0 < found.tau.high
        assert found.tau.low <= found.tau.estimate <= found.tau.high
        assert found.p > 0.2

    def test_too_few_are_not_ranked(self):
        assert self.rankings(range(FEWEST_RANKED - 1), range(FEWEST_RANKED - 1)) == []

    def test_what_was_not_measured_is_left_out(self):
        said = [component(f"0.{n}", name, float(n)) for name in "ab" for n in range(FEWEST_RANKED)]
        unmeasured = [*said[1:], component("0.0", "a", float("nan"))]
        assert agreement(*unmeasured).rankings == []
