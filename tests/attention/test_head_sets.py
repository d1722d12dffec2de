"""Heads ablated together, with numbers made by hand: backups, shared work, sums; and random sets to compare with."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.attention.head_sets import (
    HeadSet,
    MeasuredSet,
    SetChanges,
    SetFinding,
    SetKind,
    beyond_members,
    random_sets,
    set_findings,
)
from interp_lab.claims import Grade, Split
from interp_lab.interventions import Ablation

PAIR = HeadSet("1.0 and its partner", "b", ((1, 0), (2, 1)))
CLUSTERS = tuple(f"t{nth // 2}" for nth in range(24))
NOISE = np.random.default_rng(0).normal(0, 0.05, size=(3, 24))
HEADS = [(0, head) for head in range(5)]


def changes(together: float, first: float, second: float, *, margin: float = 0.1, n_random: int = 6) -> SetChanges:
    """Random sets change nothing, each a little otherwise."""
    random = np.random.default_rng(1).normal(0, 0.05, size=(n_random, 24))
    members = np.array([[first], [second]]) + NOISE[1:]
    return SetChanges(together + NOISE[0], members, random, "nats", margin, CLUSTERS)


def found(*numbers: float, worse: int = 1, away: SetChanges | None = None, **settings) -> SetFinding:
    splits = {Split.REPORT: changes(*numbers, **settings)} | ({} if away is None else {Split.HELD_OUT: away})
    measured = MeasuredSet(PAIR, Ablation.ZERO, "change of loss", "heads of no type", splits)
    (one,) = set_findings([measured], worse=worse, alpha=0.05, level=0.95, seed=0)
    return one


class TestKinds:
    @pytest.mark.parametrize(
        ("numbers", "worse", "kind", "backs_up"),
        [
            ((5.0, 0.0, 0.0), 1, SetKind.BACKUP, True),
            ((-5.0, 0.0, 0.0), -1, SetKind.BACKUP, True),
            ((-5.0, 0.0, 0.0), 1, SetKind.BACKUP, False),
            ((5.0, 0.0, 0.0), -1, SetKind.BACKUP, False),
            ((5.0, 2.0, 3.0), 1, SetKind.ADDS_UP, False),
            ((3.0, 3.0, 3.0), 1, SetKind.SHARED, False),
            ((0.0, -3.0, -3.0), 1, SetKind.SHARED, False),
        ],
        ids=["backup", "backup of a preference", "better without both", "better, of a preference", "a sum", "shared",
             "in the way, and together not"],
    )  # fmt: skip
    def test_follow_the_excess_and_the_side_of_the_whole(self, numbers, worse, kind, backs_up):
        one = found(*numbers, worse=worse)
        assert (one.kind, one.backs_up) == (kind, backs_up)

    def test_an_excess_below_the_smallest_of_interest_is_none(self):
        assert found(5.0, 2.0, 2.5).kind is SetKind.BACKUP
        assert found(5.0, 2.0, 2.5, margin=1.0).kind is SetKind.ADDS_UP

    def test_a_set_that_does_no_more_than_random_sets_is_not_missed(self):
        """The members do nothing alone; together they do as much as any two heads."""
        one = changes(5.0, 0.0, 0.0)
        measured = MeasuredSet(PAIR, Ablation.ZERO, "c", "o", {Split.REPORT: replace(one, random=one.random + 5.0)})
        (of,) = set_findings([measured], worse=1, alpha=0.05, level=0.95, seed=0)
        assert (of.kind, of.backs_up, of.grade) == (SetKind.BACKUP, False, Grade.DESCRIPTIVE)

    def test_without_random_sets_nothing_is_claimed(self):
        one = found(5.0, 0.0, 0.0, n_random=1)
        assert (one.effect, one.kind, one.backs_up) == (None, SetKind.BACKUP, False)

    def test_held_out_templates_replicate(self):
        assert found(5.0, 0.0, 0.0).grade is Grade.CAUSAL
        assert found(5.0, 0.0, 0.0, away=changes(4.0, 0.0, 0.0)).grade is Grade.REPLICATED
        assert found(5.0, 0.0, 0.0, away=changes(0.0, 0.0, 0.0)).grade is Grade.CAUSAL

    def test_sets_that_were_not_drawn_are_no_controls(self):
        one = changes(5.0, 0.0, 0.0)
        holes = replace(one, random=np.concatenate([one.random, np.full((4, 24), np.nan)]))
        measured = MeasuredSet(PAIR, Ablation.ZERO, "change of loss", "heads of no type", {Split.REPORT: holes})
        (of,) = set_findings([measured], worse=1, alpha=0.05, level=0.95, seed=0)
        assert of.effect.control == "mean of the random sets of as many heads of no type (larger than 6 of 6)"
        assert of.effect == found(5.0, 0.0, 0.0).effect


class TestBeyondMembers:
    def test_by_hand(self):
        one = SetChanges(
            np.array([-5.0, -5, -5, -5]), np.array([[-1.0, -1, -2, -2], [-1.0, -1, 0, 0]]), np.zeros((2, 4)), "logits",
            0.0, tuple("abcd"),
        )  # fmt: skip
        ((together, alone, excess, p),) = beyond_members([one], level=0.95, seed=0)
        assert (together.estimate, alone.estimate, excess.estimate) == (-5, -2, -3)
        assert p < 0.05

    def test_p_is_corrected_over_all_sets(self):
        """Nine sets that add up exactly have p = 1, and the tenth counts ten times."""
        exact = changes(0.0, 0.0, 0.0)
        exact = replace(exact, together=exact.members.sum(0))
        ((*_, alone),) = beyond_members([changes(5.0, 0, 0)], level=0.95, seed=0)
        (*_, among), *_ = beyond_members([changes(5.0, 0, 0), *[exact] * 9], level=0.95, seed=0)
        assert among == pytest.approx(10 * alone)

    def test_of_none_is_none(self):
        assert set_findings([], worse=1, alpha=0.05, level=0.95, seed=0) == ()


class TestRandomSets:
    def test_are_different_and_of_the_size(self):
        sets = random_sets(HEADS, 2, n=6, seed=0)
        assert len({tuple(sorted(one)) for one in sets}) == 6
        assert all(len(set(one)) == 2 and set(one) <= set(HEADS) for one in sets)

    def test_follow_the_seed(self):
        assert (
            random_sets(HEADS, 2, n=6, seed=0)
            == random_sets(HEADS, 2, n=6, seed=0)
            != random_sets(HEADS, 2, n=6, seed=1)
        )

    @pytest.mark.parametrize(("size", "n_sets"), [(1, 5), (2, 10), (4, 5), (5, 0), (6, 0)])
    def test_are_as_many_as_there_are_and_never_a_lone_one(self, size, n_sets):
        assert len(random_sets(HEADS, size, n=20, seed=0)) == n_sets


def test_a_set_survives_as_text():
    assert HeadSet.from_text([*PAIR.as_text(), ""]) == PAIR
