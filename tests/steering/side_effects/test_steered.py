"""Directions put into a model whose readouts are known: effects, interactions and coefficients by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.experiment import Steps, silent
from interp_lab.steering.setting import How, Setting
from interp_lab.steering.side_effects.applied import calibrated
from interp_lab.steering.side_effects.matrix import Verdict, cells
from interp_lab.steering.side_effects.steered import NEAR, coefficients_of, on_trait
from tests.steering.side_effects import planted
from tests.steering.side_effects.planted import FIRST, ORTHOGONAL, OVERLAPPING, PRODUCT, N, axes

DOSES = np.array([0.5, 2.0])
TWO, THREE = axes(2.0), axes(0.0, 3.0)


def measured(made, *, first=TWO, second=THREE, doses=DOSES, how=How.ADD):
    """What directions of length 2 and 3 do, at coefficients 0.5 and 2."""
    both = [planted.material(made, "first", first, answers=1), planted.material(made, "second", second, answers=3)]
    return [
        on_trait(planted.applying(made, how), both, one, coefficients=doses, config=planted.config(), seed=0)
        for one in both
    ]


class TestEffects:
    @pytest.mark.parametrize(
        ("readout", "of_first"), [(ORTHOGONAL, 0.0), (OVERLAPPING, 0.6 * 1.0)], ids=["orthogonal", "overlapping"]
    )
    def test_are_the_readout_of_what_is_added(self, readout, of_first):
        on_first, on_second = measured(planted.model(readout))
        assert on_first.change(on_first.alone, "nats")[0] == pytest.approx(np.array([[1.0] * N, [0.0] * N]))
        own = readout[1] * 6.0  # twice a vector of length 3
        assert on_second.change(on_second.alone, "nats")[0] == pytest.approx(np.array([[of_first] * N, [own] * N]))

    def test_of_the_negative_are_the_other_way_round(self):
        on_first, _ = measured(planted.model())
        changed = on_first.change(on_first.alone, "nats")
        assert changed[1] == pytest.approx(-changed[0])

    def test_of_random_directions_are_read_off_vectors_of_the_same_length(self):
        made = planted.model()
        on_first, _ = measured(made)
        one = planted.material(made, "first", axes(2.0), answers=1)
        drawn = planted.applying(made).random(one, n=5, seed=0)[:, 0]
        assert drawn.norm(dim=-1).numpy() == pytest.approx(2.0)
        readout = axes(*FIRST) + axes(*[0.0] * 7, 1.0)
        by_hand = 0.5 * (drawn @ readout).numpy()
        assert on_first.change(on_first.random, "nats")[0] == pytest.approx(np.repeat(by_hand[:, None], N, 1), abs=1e-5)

    def test_of_a_clamp_set_the_projection_from_the_midpoint_on(self):
        # texts lie at 3 and 1 along the first axis: half of their gap beyond the midpoint is 3, whatever the prompt
        made = planted.model()
        one = planted.material(made, "first", TWO, answers=1)
        found = replace(one.found, positive=one.found.positive + TWO, negative=one.found.negative + TWO)
        one = replace(one, found=found)
        measured = on_trait(
            planted.applying(made, How.CLAMP), [one, one], one, coefficients=np.array([0.5, -0.5]),
            config=planted.config(), seed=0,
        )  # fmt: skip
        assert measured.alone[0] == pytest.approx(np.array([[3.0] * N, [1.0] * N]))

    def test_of_one_direction_at_two_hook_points_come_twice(self):
        made = planted.model()
        one = planted.material(made, "first", TWO, answers=1)
        hooks = (planted.HOOK, "blocks.0.hook_mlp_out")
        applying = replace(
            planted.applying(made), setting=Setting("any", hooks, How.ADD, 1.0, "all+bos"), read=(planted.HOOK,) * 2
        )
        measured = on_trait(applying, [one, one], one, coefficients=DOSES, config=planted.config(), seed=0)
        assert measured.change(measured.alone, "nats")[0] == pytest.approx(np.array([[2.0] * N, [8.0] * N]))

    def test_ablation_has_one_way_only(self):
        found = measured(planted.model(), how=How.ABLATE, doses=np.array([1.0, 1.0]))
        assert found[0].alone.shape == (1, 2, N)


class TestInteraction:
    def test_of_a_linear_readout_is_zero_in_log_odds(self):
        for one in measured(planted.model(OVERLAPPING)):
            assert one.beyond_the_sum("nats") == pytest.approx(0.0, abs=1e-6)
            assert one.beyond_with_random("nats") == pytest.approx(0.0, abs=1e-5)

    def test_of_a_neuron_that_needs_both_is_what_it_writes(self):
        # each direction takes its own axis to 1: alone the neuron stays shut, together it fires by 1
        made = planted.model(product=True)
        on_first, on_second = measured(made, first=axes(2.0), second=axes(0.0, 0.5), doses=DOSES)
        assert on_first.change(on_first.alone, "nats")[0] == pytest.approx(np.array([[1.0] * N, [0.0] * N]))
        assert on_first.beyond_the_sum("nats") == pytest.approx(PRODUCT)
        assert on_second.beyond_the_sum("nats") == pytest.approx(0.0, abs=1e-6)


class TestMatrix:
    @pytest.fixture(scope="class")
    def found(self):
        """The first direction also turns the second trait; the second leaves the first alone."""
        return cells(measured(planted.model(OVERLAPPING), doses=np.array([1.0, 1.0])), level=0.95, seed=0)

    def test_has_the_shares_that_log_odds_amount_to(self, found):
        (first, second, *_), (across, own, *_) = found
        assert first.effect.estimate == pytest.approx(np.tanh(1.0))
        assert across.effect.estimate == pytest.approx(np.tanh(0.6))
        assert own.effect.estimate == pytest.approx(np.tanh(1.2))
        assert second.effect.estimate == pytest.approx(0.0, abs=1e-7)

    def test_compares_log_odds_with_those_of_the_own_direction(self, found):
        assert found[1][0].of_own.estimate == pytest.approx(1.2 / 2.4)

    def test_says_which_is_left_alone(self, found):
        assert found[0][1].verdict(0.05, odds_margin=0.1) is Verdict.LEFT_ALONE

    def test_counts_random_directions_that_do_less(self, found):
        made = planted.model(OVERLAPPING)
        one = planted.material(made, "first", axes(2.0), answers=1)
        drawn = planted.applying(made).random(one, n=5, seed=0)[:, 0] @ (axes(*FIRST) + axes(*[0.0] * 7, 1.0))
        smaller = int((torch.tanh(drawn / 2).abs() < np.tanh(1.0)).sum())
        put_in, _, taken_off, _ = found[0]
        assert put_in.exceeded == taken_off.exceeded == smaller
        assert taken_off.sign == -1


class TestCoefficients:
    def test_lie_where_a_straight_line_between_two_doses_meets_the_aim(self):
        assert calibrated([1.0, 2.0, 4.0], np.array([0.2, 0.4, 0.8]), aim=0.5) == pytest.approx((2.5, True))
        assert calibrated([1.0, 2.0], np.array([0.5, 0.9]), aim=0.25) == pytest.approx((0.5, True))

    def test_are_those_of_the_largest_effect_where_none_reaches_it(self):
        assert calibrated([1.0, 2.0, 4.0], np.array([0.2, 0.4, 0.3]), aim=0.5) == (2.0, False)

    def test_are_one_gap_where_the_trait_goes_the_other_way(self):
        assert calibrated([0.25, 4.0], np.array([-0.1, -0.4]), aim=0.5) == (1.0, False)

    def test_bring_a_trait_to_the_aim(self):
        # tanh(c) = 1/2 at c = 0.549; the chord from tanh(0.5) to tanh(0.6) crosses it 0.001 later
        made = planted.model()
        one = planted.material(made, "first", axes(2.0), answers=1)
        config = planted.config(coefficients=[0.5, 0.6, 2.0])
        found, reached = coefficients_of(planted.applying(made), [one], config, {}, steps=Steps(silent, 1))
        assert found[0] == pytest.approx(np.arctanh(0.5), abs=2e-3)
        assert reached[0]

    def test_between_doses_far_apart_are_looked_for_in_turn(self):
        """The chord from 0 to tanh(4) meets the aim at 2.0, where the trait is at 0.96."""
        made = planted.model()
        one = planted.material(made, "first", axes(2.0), answers=1)
        found, reached = coefficients_of(
            planted.applying(made), [one], planted.config(coefficients=[4.0]), {}, steps=Steps(silent, 1)
        )
        assert np.tanh(found[0]) == pytest.approx(0.5, abs=NEAR)
        assert reached[0]

    def test_are_found_on_prompts_of_their_own(self):
        """Those that are reported have the other trait's answers here, which this direction does not move."""
        made = planted.model()
        one = replace(planted.material(made, "first", axes(2.0), answers=1), report=planted.prompts("second", 3))
        found, reached = coefficients_of(planted.applying(made), [one], planted.config(), {}, steps=Steps(silent, 1))
        assert np.tanh(found[0]) == pytest.approx(0.5, abs=NEAR)
        assert reached[0]

    def test_that_are_given_are_kept_as_sizes(self):
        made = planted.model()
        one = planted.material(made, "first", axes(2.0), answers=1)
        found, _ = coefficients_of(
            planted.applying(made), [one], planted.config(), {"first": -1.5}, steps=Steps(silent, 1)
        )
        assert found[0] == 1.5
