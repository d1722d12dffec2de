"""Effects beside several controls, corrected once; the sizes of error rates are counted."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Split
from interp_lab.effects import Compared, evidence_of, larger_than, others, with_replications
from interp_lab.stats import benjamini_hochberg, difference_from_several

SETTINGS = {"level": 0.95, "seed": 0}


def drawn(seed: int, *, effect: float = 0.0) -> Compared:
    """Sixteen heads on 12 templates by 4 prompts, each template with a level of its own; the first head does more."""
    rng = np.random.default_rng(seed)
    changes = np.repeat(rng.standard_normal((16, 12)), 4, axis=1) + rng.standard_normal((16, 48))
    changes[0] += effect
    names, clusters = tuple(f"head {nth}: t" for nth in range(16)), tuple(f"t{nth // 4}" for nth in range(48))
    controls = others(changes, np.ones(16, dtype=bool))
    return Compared(names, changes, controls, ("other heads",) * len(names), "logits", 0.0, clusters)


class TestOthers:
    changes = np.array([[-3.0, -3.0], [1.0, 1.0], [2.0, 2.0], [-4.0, -4.0]])

    def test_are_those_that_stand_apart_without_the_head_itself(self):
        rows = [of[:, 0].tolist() for of in others(self.changes, np.array([False, True, True, True]))]
        assert rows == [[1, 2, -4], [2, -4], [1, -4], [1, 2]]


class TestEvidence:
    def test_heads_that_do_nothing_are_not_clear(self):
        """Of 30 families of 32 heads, at most 3 have a finding (an FDR of 5%)."""
        families = (
            evidence_of([drawn(2 * seed), drawn(2 * seed + 1)], split=Split.REPORT, **SETTINGS) for seed in range(30)
        )
        found = [any(one.is_clear(alpha=0.05) for part in family for one in part) for family in families]
        assert sum(found) <= 3

    def test_a_head_that_does_something_is(self):
        ((first, *rest),) = evidence_of([drawn(0, effect=4.0)], split=Split.REPORT, **SETTINGS)
        assert first.is_clear(alpha=0.05)
        assert first.effect.estimate == pytest.approx(4, abs=1)
        assert first.control == "mean of the other heads (larger than 15 of 15)"
        assert larger_than(first) == "15 of 15"
        assert not any(one.is_clear(alpha=0.05) for one in rest)

    def test_the_correction_counts_all_that_is_tested_beside_it_once(self):
        every = [drawn(0, effect=4.0), *(drawn(seed) for seed in (1, 2, 3))]
        found = evidence_of(every, split=Split.REPORT, **SETTINGS)
        p = [difference_from_several(one.changes, one.controls, one.clusters, **SETTINGS).p for one in every]
        expected = benjamini_hochberg(np.concatenate(p))
        assert [one.p_adjusted for part in found for one in part] == pytest.approx(expected)
        assert found[0][0].p_adjusted > 1.5 * benjamini_hochberg(p[0])[0]

    def test_controls_that_differ_from_each_other_make_an_effect_less_clear(self):
        """The same mean control, once of heads alike, once of heads that each do something else."""
        one = drawn(0, effect=2.0).rows([0])
        mean = one.controls[0].mean(0)
        spread = np.linspace(-6, 6, 15)[:, None]
        alike, wild = (replace(one, controls=(mean + scale * spread,)) for scale in (0, 1))
        ((first,),) = evidence_of([alike], split=Split.REPORT, **SETTINGS)
        ((other,),) = evidence_of([wild], split=Split.REPORT, **SETTINGS)
        assert first.versus_control.estimate == pytest.approx(other.versus_control.estimate)
        assert first.is_clear(alpha=0.05)
        assert not other.is_clear(alpha=0.05)
        assert other.p_adjusted > first.p_adjusted


class TestReplication:
    def test_only_what_is_clear_is_looked_for_again_and_corrected_among_itself(self):
        report, away = drawn(0, effect=4.0), drawn(1, effect=4.0)
        ((first, *rest),) = with_replications([report], [away], alpha=0.05, **SETTINGS)
        ((alone,),) = evidence_of([away.rows([0])], split=Split.HELD_OUT, **SETTINGS)
        assert first[1] == alone
        assert {again for _, again in rest} == {None}

    def test_what_is_not_to_be_replicated_is_not(self):
        found = with_replications(
            [drawn(0, effect=4.0), drawn(2, effect=4.0)], [None, drawn(1)], alpha=0.05, **SETTINGS
        )
        assert [own[0][1] is None for own in found] == [True, False]
        assert found[1][0][1].split is Split.HELD_OUT

    def test_rows_keep_their_names_numbers_and_controls(self):
        whole = drawn(0)
        some = whole.rows([3, 1])
        assert some.names == ("head 3: t", "head 1: t")
        assert np.array_equal(some.changes, whole.changes[[3, 1]])
        assert np.array_equal(some.controls[1], whole.controls[1])
