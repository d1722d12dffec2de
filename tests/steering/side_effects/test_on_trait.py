"""Log odds, shares, and what lies beyond the sum, in numbers worked by hand."""

import numpy as np
import pytest

from interp_lab.steering.side_effects.on_trait import OnTrait, pairs_of, share_of


def on_trait(clean, first, second, both, *, random=(0.0,), with_random=(0.0,)):
    """One prompt in two templates; every number is of both."""

    def twice(*values):
        return np.repeat(np.array(values, dtype=float)[:, None], 2, axis=1)

    return OnTrait(
        trait="made up",
        clean=twice(clean)[0],
        alone=twice(first, second)[None],
        random=np.stack([twice(*random), twice(*random)]),
        both=twice(both),
        with_random=twice(*with_random)[None],
        templates=("a", "b"),
    )


class TestShare:
    @pytest.mark.parametrize(("positive", "negative"), [(0.5, 0.5), (0.2, 0.1), (0.03, 0.6)])
    def test_is_the_difference_over_the_sum_of_both_probabilities(self, positive, negative):
        share = share_of(np.log([positive / negative]))[0]
        assert share == pytest.approx((positive - negative) / (positive + negative))
        assert share == pytest.approx(2 * positive / (positive + negative) - 1)


class TestBeyondTheSum:
    def test_is_zero_in_log_odds_that_add_up(self):
        added = on_trait(clean=1.0, first=3.0, second=1.5, both=3.5)
        assert added.beyond_the_sum("nats") == pytest.approx(0.0)

    def test_and_then_is_not_zero_in_shares(self):
        # 0 to 2 nats is 0.7616 of the range, twice; 4 nats are 0.9640: short of the sum by 0.5592
        added = on_trait(clean=0.0, first=2.0, second=2.0, both=4.0)
        assert added.beyond_the_sum("share") == pytest.approx(0.9640276 - 2 * 0.7615942)

    def test_what_both_would_do_starts_from_the_untouched_prompt(self):
        # from 1 nat to 2 and to 3: both would be at 4
        one = on_trait(clean=1.0, first=2.0, second=3.0, both=0.0)
        assert one.if_they_added_up() == pytest.approx(np.tanh(2.0) - np.tanh(0.5))

    def test_counts_what_two_do_together(self):
        assert on_trait(clean=1.0, first=2.0, second=3.0, both=1.0).beyond_the_sum("nats") == pytest.approx(-3.0)

    def test_with_a_random_direction_for_the_second_takes_off_what_that_one_does_alone(self):
        # each random direction does 0.5 alone; beside the first, which does 1, they make 2.5 and 1.5
        one = on_trait(0.0, 1.0, 7.0, 8.0, random=(0.5, 0.5, 9.0), with_random=(2.5, 1.5))
        assert one.beyond_with_random("nats")[0, :, 0] == pytest.approx([1.0, 0.0])

    def test_pairs_come_once(self):
        assert pairs_of(4) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_arrays_give_it_back():
    one = on_trait(0.0, 1.0, 2.0, 4.0)
    again = OnTrait.from_arrays("x", one.arrays("x"))
    assert again.trait == "made up"
    assert again.templates == ("a", "b")
    assert np.array_equal(again.alone, one.alone)
