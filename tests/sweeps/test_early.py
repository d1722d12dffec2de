import json
import math
from pathlib import Path

import pytest

from interp_lab.sweeps.early import Hyperband, parse_early

ORACLE = json.loads((Path(__file__).parent / "fixtures" / "oracle.json").read_text("utf-8"))


def read(goal="minimize", **block):
    problems = []
    return parse_early({"type": "hyperband", **block}, goal=goal, problems=problems), problems


class TestByHand:
    """Bands 1, 2 and 4; of four trials the best two go on at each."""

    rule = Hyperband((1, 2, 4), eta=2)
    others = ([1.0, 1.0, 1.0, 1.0], [2.0, 2.0], [3.0])

    def test_a_trial_without_a_value_is_not_judged(self):
        assert not self.rule.stops([], self.others)

    def test_of_four_the_third_best_is_the_last_to_go_on(self):
        # The values at band 1 are 1, 2, 3 and its own; the threshold is the third from below.
        assert not self.rule.stops([2.5], self.others)
        assert not self.rule.stops([3.0], self.others)
        assert self.rule.stops([3.5], self.others)

    def test_is_judged_at_the_last_band_that_it_has_reached(self):
        # At band 2 there are 1, 2 and its own: the second from below.
        assert self.rule.stops([0.0, 5.0, 0.0], self.others)
        assert not self.rule.stops([9.0, 1.5, 9.0], self.others)

    def test_not_strict_takes_the_best_value_so_far(self):
        lenient = Hyperband((1, 2, 4), eta=2, strict=False)
        assert not lenient.stops([0.0, 5.0, 0.0], self.others)
        assert lenient.stops([9.0, 5.0], self.others)

    def test_to_maximize_is_to_minimize_the_negative(self):
        upside = Hyperband((1, 2, 4), eta=2, goal="maximize")
        for own in ([2.5], [3.5], [0.0, 5.0, 0.0], [9.0, 1.5]):
            flipped = [-value for value in own]
            negated = [[-value for value in one] for one in self.others]
            assert upside.stops(flipped, negated) == self.rule.stops(own, self.others)

    def test_what_is_no_number_was_not_logged(self):
        assert self.rule.stops([math.nan, 3.5], self.others)
        assert not self.rule.stops([math.nan, math.inf], self.others)

    def test_alone_it_goes_on(self):
        assert not self.rule.stops([7.0, 8.0, 9.0, 9.0], [])


class TestBands:
    def test_from_the_first_one_on(self):
        found, _ = read(min_iter=2)
        assert found.bands[:4] == (2, 6, 18, 54)
        assert (found.eta, found.strict) == (3.0, True)

    def test_from_the_last_one_down(self):
        found, _ = read(max_iter=27, s=2)
        assert found.bands == (3, 9)
        found, _ = read(max_iter=4, s=5, eta=2)
        assert found.bands == (1, 2)


@pytest.mark.parametrize(("block", "goal", "histories", "stopped"), ORACLE["hyperband"])
def test_stops_whom_wandb_stops(block, goal, histories, stopped):
    rule, problems = read(goal, **block)
    assert not problems
    found = [rule.stops(own, [*histories[:nth], *histories[nth + 1 :]]) for nth, own in enumerate(histories)]
    assert found == stopped


def test_the_recorded_cases_tell_rules_apart():
    stopped = [flag for *_, flags in ORACLE["hyperband"] for flag in flags]
    assert 0.1 < sum(stopped) / len(stopped) < 0.9


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "envelope", "min_iter": 1}, "early_terminate.type: 'envelope' is none of hyperband"),
        ({"min_itre": 1, "min_iter": 1}, "early_terminate.min_itre: no such key; did you mean 'min_iter'?"),
        ({}, "give min_iter (the first band), or max_iter and s"),
        ({"max_iter": 9}, "give min_iter (the first band), or max_iter and s"),
        ({"max_iter": 9, "s": 2, "min_iter": 1}, "not both"),
        ({"min_iter": 0}, "early_terminate.min_iter: 0 must be a whole number from 1"),
        ({"min_iter": "3"}, "early_terminate.min_iter: '3' must be a whole number from 1"),
        ({"min_iter": 1, "eta": 1}, "early_terminate.eta: 1 must be a number above 1"),
        ({"min_iter": 1, "strict": "yes"}, "early_terminate.strict: 'yes' must be true or false"),
        ({"max_iter": 2, "s": 2}, "max_iter 2 over eta 3 leaves no band; raise max_iter"),
    ],
)
def test_bad_input_is_named(block, said):
    found, problems = read(**block)
    assert found is None
    assert len(problems) == 1
    assert said in problems[0]


def test_bad_input_is_named_all_at_once():
    _, problems = read(type="x", eta=0, strict=1, min_iter=-1, min_itre=2)
    assert len(problems) == 5
    problems = []
    assert parse_early("hyperband", goal="minimize", problems=problems) is None
    assert problems == ["early_terminate: 'hyperband' is no mapping; write type: hyperband and min_iter: N"]
