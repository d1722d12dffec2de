"""The search: equal to trying everything where that can be done, minimal, and counted."""

from itertools import combinations

import numpy as np
import pytest

from interp_lab.production.counterfactuals.search import EXHAUSTIVE, Reach, needed, searched, without_one
from interp_lab.production.counterfactuals.words import go_together
from tests.production.counterfactuals.readers import Known, plain_problem, table, turned

TEXT = ("a", "b", "c", "d")
WEIGHED = ("a1", "a2", "b1", "b2", "c1", "d1", "d2")
OPTIONS = {"a": ("a1", "a2"), "b": ("b1", "b2"), "c": ("c1",), "d": ("d1", "d2")}


def told(found):
    return {found.problem.told(state) for state in found.flips}


def smallest_by_hand(reader, problem, most_edits):
    """Every set of edits, one text at a time, the smaller sets first."""
    for size in range(1, most_edits + 1):
        flips = set()
        for state in combinations(range(len(problem.edits)), size):
            fits = all(go_together(problem.edits[a], problem.edits[b]) for a, b in combinations(state, 2))
            if fits and reader.read([(problem.case, problem.text(state))])[0].turn(0) > 0:
                flips.add(state)
        if flips:
            return flips
    return set()


def random_reader(seed):
    """The turn of a text is any number, the same for the same text: nothing adds up, nothing can be foretold."""
    numbers = np.random.default_rng(seed).normal(-1.3, 1.0, size=4096)
    return Known(lambda case, text: turned(numbers[sum(map(ord, text.replace(" ", ""))) * 31 % 4096]))


class TestExhaustive:
    @pytest.mark.parametrize("seed", range(8))
    def test_finds_what_trying_everything_finds(self, seed):
        problem, reader = plain_problem(TEXT, OPTIONS), random_reader(seed)
        (found,) = searched(reader, [problem], Reach(3, beam=None, n_tried=None))
        assert set(found.flips) == smallest_by_hand(random_reader(seed), problem, 3)
        assert list(found.turns) == sorted(found.turns, reverse=True)

    def test_texts_side_by_side_find_what_each_finds_alone(self):
        reader = table({"a1": 0.6, "b1": 0.6, "c1": 0.4, "d1": 2.0})
        problems = [plain_problem(TEXT, OPTIONS), plain_problem(TEXT[:3], OPTIONS), plain_problem(TEXT[2:3], OPTIONS)]
        together = searched(reader, problems, EXHAUSTIVE)
        alone = [searched(reader, [one], EXHAUSTIVE)[0] for one in problems]
        assert [one.flips for one in together] == [one.flips for one in alone]
        assert [one.size for one in together] == [1, 2, None]


class TestBeam:
    @pytest.mark.parametrize("seed", range(4))
    def test_finds_the_smallest_where_effects_add_up(self, seed):
        """Of a sum, the best set of n edits holds the best of n - 1: a beam of one is enough."""
        weights = dict(zip(WEIGHED, np.random.default_rng(seed).uniform(0, 0.5, 7), strict=True))
        problem = plain_problem(TEXT, OPTIONS)
        (narrow,) = searched(table(weights), [problem], Reach(4, beam=1, n_tried=4))
        (every,) = searched(table(weights), [problem], Reach(4, beam=None, n_tried=None))
        assert narrow.size == every.size
        assert set(narrow.flips) <= set(every.flips)
        if every.flips:
            assert narrow.flips[0] == every.flips[0]

    def test_a_pair_that_acts_only_together_needs_both_in_reach(self):
        """Neither word does anything alone: whoever grows from the best alone only, and too narrowly, misses it."""
        reader = table({"a1": 0.1, "a2": 0.2}, together={("c1", "d2"): 5.0})
        problem = plain_problem(TEXT, OPTIONS)
        assert told(searched(reader, [problem], EXHAUSTIVE)[0]) == {"c > c1; d > d2"}
        assert searched(reader, [problem], Reach(2, beam=1, n_tried=2))[0].size is None

    def test_stops_at_the_smallest(self):
        reader = table({"a1": 2.0})
        (found,) = searched(reader, [plain_problem(TEXT, OPTIONS)], Reach(3))
        assert told(found) == {"a > a1"}
        assert reader.n_texts == found.n_tried == 7  # every single edit, and nothing more

    def test_reads_no_more_than_the_beam_allows(self):
        reader = table({})
        (found,) = searched(reader, [plain_problem(TEXT, OPTIONS)], Reach(3, beam=2, n_tried=3))
        assert found.size is None
        assert found.n_tried == reader.n_texts
        assert found.n_tried <= 7 + 2 * 3 + 2 * 3


class TestNeeded:
    def test_an_edit_without_which_the_answer_flips_as_well_is_taken_away(self):
        """The narrow search grows from a1, and never reads b1 with c1 before it has found a1 with b1 and c1."""
        reader = table({"a1": 0.5, "b1": 0.2, "c1": 0.2}, together={("b1", "c1"): 0.7})
        (found,) = searched(reader, [plain_problem(TEXT, OPTIONS)], Reach(3, beam=1, n_tried=3))
        assert told(found) == {"a > a1; b > b1; c > c1"}
        (kept,) = needed(reader, [found])
        assert told(kept) == {"b > b1; c > c1"}
        assert kept.size == 2

    def test_after_that_each_edit_is_needed(self):
        for seed in range(6):
            reader, problem = random_reader(seed), plain_problem(TEXT, OPTIONS)
            (kept,) = needed(reader, searched(reader, [problem], Reach(3, beam=2, n_tried=3)), n=3)
            for state in kept.flips:
                parts = [reader.read([(problem.case, problem.text(part))])[0] for part in without_one(state)]
                assert all(part.turn(0) <= 0 for part in parts)

    def test_nothing_found_stays_nothing(self):
        reader = table({})
        (kept,) = needed(reader, searched(reader, [plain_problem(TEXT, OPTIONS)], Reach(1)))
        assert kept.flips == ()


class TestByEstimate:
    def test_believes_the_gradient_and_reads_nothing(self):
        """What is foretold: a2 flips. What is true: d1 does."""
        reader = table({"d1": 3.0})
        problem = plain_problem(TEXT, OPTIONS, estimates=[0.0, 2, 0, 0, 0, 0, 0])
        (found,) = searched(reader, [problem], Reach(2, by_estimate=True))
        assert told(found) == {"a > a2"}
        assert reader.n_texts == 0
