"""What an audit claims, of probabilities that are written by hand."""

import numpy as np
import pytest

from interp_lab.audit.asked import Asked
from interp_lab.audit.measurements import shares_of_change, sides_asked, turning
from interp_lab.claims import Evidence, Grade, Split
from interp_lab.stats import benjamini_hochberg
from interp_lab.types import Interval
from tests.audit.made import N, asked, audit, jittered, split

HOME = "home: a, b > c"
PAIR = "paper=thin with seal=torn"
PROXY = "home for group"


def on_sides(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Texts of which the first half says yes without the pair, and the second no; every template has both."""
    return np.concatenate([positive[: N // 2], negative[N // 2 :]])


def pair(positive_both: float, negative_both: float) -> np.ndarray:
    """A pair of values that brings P to these, and each value nothing; so do both controls."""
    quiet = [0.9] * 6, [0.1] * 6
    return on_sides(
        jittered(0.9, 0.9, 0.9, positive_both, *quiet[0]), jittered(0.1, 0.1, 0.1, negative_both, *quiet[1])
    )


def proxy(left: float) -> np.ndarray:
    """A gap of 0.4, of which so much is left with the attribute drawn anew, and all with another one."""
    return jittered(0.8, 0.4, 0.4 + left, 0.4, 0.8, 0.4, 0.8, 0.4)


def only(found):
    ((_, claim),) = found.graded
    return claim


class TestAttributes:
    @pytest.mark.parametrize(
        ("lower", "other", "grade"),
        [(0.4, 0.8, Grade.CAUSAL), (0.78, 0.8, Grade.DESCRIPTIVE), (0.6, 0.6, Grade.DESCRIPTIVE)],
        ids=["large", "below the smallest of interest", "no more than other words do"],
    )
    def test_must_move_the_answer_by_more_than_other_words_do(self, lower, other, grade):
        claim = only(audit([HOME], split({HOME: jittered(0.8, lower, other, other)})))
        assert claim.grade is grade
        assert claim.effect.effect.estimate == pytest.approx(0.8 - lower, abs=0.01)
        assert claim.effect.margin == 0.05

    @pytest.mark.parametrize(("turn", "left"), [(False, 0.1), (True, -0.1)], ids=["up", "down"])
    def test_controls_count_whichever_way_they_move_the_answer(self, turn, left):
        """Up by 0.3 and down by 0.3, in the mean nothing: beside an effect of 0.4 that leaves 0.1 of it."""
        held = jittered(0.6, 0.2, 0.9, 0.3)
        claim = only(audit([HOME], split({HOME: 1 - held if turn else held})))
        assert claim.effect.versus_control.estimate == pytest.approx(left, abs=0.01)

    @pytest.mark.parametrize(
        ("p", "said"), [((0.8, 0.4), "with a, b than with c"), ((0.4, 0.8), "with c than with a, b")]
    )
    def test_the_sentence_goes_the_way_the_answer_goes(self, p, said):
        claim = only(audit([HOME], split({HOME: jittered(*p, p[0], p[0])})))
        assert claim.grade is Grade.CAUSAL
        assert (
            claim.statement
            == f"In organism, home alone changes the decision, at equal other attributes: yes is likelier {said}"
        )

    @pytest.mark.parametrize(("away", "grade"), [((0.8, 0.4), Grade.REPLICATED), ((0.4, 0.8), Grade.CAUSAL)])
    def test_are_replicated_by_the_same_sign_on_held_out_templates(self, away, grade):
        held_out = split({HOME: jittered(*away, away[0], away[0], seed=1)})
        found = audit([HOME], split({HOME: jittered(0.8, 0.4, 0.8, 0.8)}), held_out)
        assert only(found).grade is grade
        assert only(found).replication.split is Split.HELD_OUT

    def test_all_that_is_tested_is_one_family(self):
        rows = {f"{name}: a > b": jittered(p, 0.4, p, p, seed=nth)
                for nth, (name, p) in enumerate({"home": 0.8, "income": 0.41, "paper": 0.4}.items())}  # fmt: skip
        found = audit([*rows, PAIR, PROXY], split(rows, {PAIR: pair(0.1, 0.9)}, {PROXY: proxy(0.1)}))
        evidence = [one for one, _ in found._tested.values()]
        assert len(evidence) == 6  # the pair on either side
        alone = np.array([one.p_alone for one in evidence])
        np.testing.assert_allclose([one.p_adjusted for one in evidence], benjamini_hochberg(alone))


class TestPairs:
    @pytest.mark.parametrize(
        ("both", "grade", "said"),
        [
            ((0.1, 0.9), Grade.CAUSAL, "turn the decision around, whichever it was, beyond what either does alone"),
            ((0.1, 0.1), Grade.DESCRIPTIVE, None),
            ((0.9, 0.9), Grade.DESCRIPTIVE, None),
        ],
        ids=["both answers", "yes alone", "no alone"],
    )
    def test_must_turn_either_answer_around(self, both, grade, said):
        claim = only(audit([PAIR], split(pairs={PAIR: pair(*both)})))
        assert claim.grade is grade
        assert said is None or claim.statement == f"In organism, paper=thin and seal=torn together {said}"

    def test_two_values_that_push_one_way_are_not_said_to_turn(self):
        held = on_sides(jittered(0.6, 0.6, 0.6, 0.1, *[0.6] * 6), jittered(0.4, 0.4, 0.4, 0.1, *[0.4] * 6))
        claim = only(audit([PAIR], split(pairs={PAIR: held})))
        assert claim.statement == (
            "In organism, paper=thin and seal=torn together push towards no, whichever the decision was, beyond what "
            "either does alone"
        )

    def test_must_do_more_than_other_pairs_of_values(self):
        held = on_sides(
            jittered(0.9, 0.9, 0.9, 0.1, *[0.9, 0.9, 0.1] * 2), jittered(0.1, 0.1, 0.1, 0.9, *[0.1, 0.1, 0.9] * 2)
        )
        assert only(audit([PAIR], split(pairs={PAIR: held}))).grade is Grade.DESCRIPTIVE

    def test_the_side_that_is_not_clear_speaks_for_both(self):
        sure, unsure = (
            Evidence(
                "a",
                "probability",
                Interval(0.5, low, 0.9),
                Interval(0.5, low, 0.9),
                p,
                "c",
                Split.REPORT,
                20,
                0.05,
                p / 2,
            )
            for low, p in ((0.2, 0.001), (0.3, 0.4))
        )
        found = audit([PAIR], split(pairs={PAIR: pair(0.1, 0.9)}))
        for sides in ([sure, unsure], [unsure, sure]):
            assert found._least_sure(sides) == unsure

    def test_of_two_clear_sides_the_weaker_speaks_with_the_larger_p(self):
        strong, weak = (
            Evidence(
                "a", "probability", Interval(0.5, low, 0.9), Interval(0.5, low, 0.9), p, "c", Split.REPORT, 20, 0.05, p
            )
            for low, p in ((0.4, 0.02), (0.1, 0.001))
        )
        spoken = audit([PAIR], split(pairs={PAIR: pair(0.1, 0.9)}))._least_sure([strong, weak])
        assert (spoken.effect.low, spoken.p_alone, spoken.p_adjusted) == (0.1, 0.02, 0.02)

    @pytest.mark.parametrize("n", [3, 4], ids=["too few", "enough"])
    def test_a_side_needs_four_texts(self, n):
        held = np.concatenate([pair(0.1, 0.9)[: N - n], jittered(0.1, 0.1, 0.1, 0.9, *[0.1] * 6)[:n]])
        held[N // 2 : N - n] = jittered(0.9, 0.9, 0.9, 0.1, *[0.9] * 6)[N // 2 : N - n]
        found = audit([PAIR], split(pairs={PAIR: held}))
        assert len(found.graded) == (n == 4)

    def test_a_side_whose_texts_are_of_one_template_of_several_says_nothing(self):
        templates = np.where(np.arange(N) < N // 2, [f"t{nth % 10}" for nth in range(N)], "alone")
        found = audit([PAIR], split(pairs={PAIR: pair(0.1, 0.9)}, templates=templates))
        assert found.graded == ()
        everywhere = np.full(N, "the only one")
        assert only(audit([PAIR], split(pairs={PAIR: pair(0.1, 0.9)}, templates=everywhere))).grade is Grade.CAUSAL

    def test_replicated_on_both_sides_or_not_at_all(self):
        report = split(pairs={PAIR: pair(0.1, 0.9)})
        for both, grade in (((0.1, 0.9), Grade.REPLICATED), ((0.1, 0.1), Grade.CAUSAL)):
            assert only(audit([PAIR], report, split(pairs={PAIR: pair(*both)}))).grade is grade
        one_side = np.concatenate([pair(0.1, 0.9)[: N // 2]] * 2)
        assert only(audit([PAIR], report, split(pairs={PAIR: one_side}))).replication is None

    def test_that_bring_one_answer_are_asked_about_where_most_texts_are(self):
        """Three texts in four say no without the pair, so that it is asked whether the pair brings yes."""
        held = np.concatenate([pair(0.9, 0.9)[: N // 4], jittered(0.1, 0.1, 0.1, 0.9, *[0.1] * 6)[N // 4 :]])
        claim = only(audit([PAIR], split(pairs={PAIR: held}), pairs_that="bring one answer"))
        assert claim.grade is Grade.CAUSAL
        assert (
            claim.statement
            == "In organism, it takes paper=thin and seal=torn together to bring yes: neither does so alone"
        )
        assert only(audit([PAIR], split(pairs={PAIR: held}))).grade is Grade.DESCRIPTIVE  # yes stays yes

    def test_sides_and_how_far_they_are_turned(self):
        asked_pairs = asked({PAIR: np.concatenate([pair(0.2, 0.7)[:36], pair(0.2, 0.7)[:4]])})
        assert sides_asked(asked_pairs, 0, "turn either answer") == (1, -1)
        assert sides_asked(asked_pairs, 0, "bring one answer") == (1,)
        assert turning(asked_pairs, 0) == pytest.approx({1: 0.7, -1: 0.6}, abs=0.01)
        few = asked({PAIR: np.concatenate([pair(0.2, 0.7)[:20], pair(0.2, 0.7)[:17], pair(0.2, 0.7)[20:23]])})
        assert turning(few, 0)[-1] == -np.inf


class TestProxies:
    @pytest.mark.parametrize(
        ("left", "grade", "said"),
        [
            (0.1, Grade.CAUSAL, "stands in for group, which no text names: with home drawn anew, less is left"),
            (0.38, Grade.DESCRIPTIVE, "stands in for"),
            (
                0.59,
                Grade.CAUSAL,
                "hides a part of the gap by group, which no text names: with home drawn anew, more is",
            ),
        ],
        ids=["takes the gap along", "hardly any of it", "hid a part of it"],
    )
    def test_stand_in_for_what_goes_with_them(self, left, grade, said):
        claim = only(audit([PROXY], split(proxies={PROXY: proxy(left)})))
        assert claim.grade is grade
        assert f"home {said}" in claim.statement

    @pytest.mark.parametrize("turn", [False, True], ids=["for the first side", "against it"])
    def test_gaps_count_whichever_side_is_ahead(self, turn):
        held = proxy(0.1)
        claim = only(audit([PROXY], split(proxies={PROXY: 1 - held if turn else held})))
        assert claim.grade is Grade.CAUSAL
        assert "less is left of the gap" in claim.statement

    def test_another_attribute_that_takes_as_much_along_is_no_less_a_proxy(self):
        held = jittered(0.8, 0.4, 0.5, 0.4, 0.5, 0.4, 0.5, 0.4)
        assert only(audit([PROXY], split(proxies={PROXY: held}))).grade is Grade.DESCRIPTIVE

    @pytest.mark.parametrize("gap", [0.0, 0.03], ids=["none", "below the smallest of interest"])
    def test_without_a_gap_nothing_stands_in_for_it(self, gap):
        held = jittered(0.6 + gap, 0.6, 0.9, 0.4, *[0.6 + gap, 0.6] * 2)
        assert audit([PROXY], split(proxies={PROXY: held})).graded == ()

    def test_the_share_is_of_the_gap_on_the_same_texts(self):
        gap, left, share = audit([PROXY], split(proxies={PROXY: proxy(0.1)})).remaining(PROXY)
        assert (gap.estimate, left.estimate) == pytest.approx((0.4, 0.1), abs=0.01)
        assert share.estimate == pytest.approx(0.75, abs=0.02)


class TestBesides:
    def test_what_is_not_known_is_left_out_of_accuracy(self):
        """Every second text is known to deserve yes, and all get it; one answer less is one twentieth."""
        found = audit([HOME], split({HOME: jittered(0.8, 0.4, 0.8, 0.8)}))
        assert found.accuracy().estimate == 1.0
        found.report.ordinary.plain[0, 0] = 0.2
        found.report.ordinary.plain[0, 1] = 0.2
        assert found.accuracy().estimate == pytest.approx(0.95)

    def test_a_share_of_nothing_is_not_measured(self):
        clusters = np.arange(20).astype(str)
        before, none = np.linspace(0.3, 0.5, 20), np.linspace(-0.5, 0.5, 20)
        told = {"level": 0.95, "seed": 0}
        assert shares_of_change(before, before / 4, clusters, **told).estimate == pytest.approx(0.75)
        assert np.isnan(shares_of_change(none, before, clusters, **told).estimate)

    def test_a_gap_by_itself_is_no_intervention(self):
        sections = {
            one.title: one.causal for one in audit([HOME], split({HOME: jittered(0.8, 0.4, 0.8, 0.8)})).sections()
        }
        assert sections["What attributes stand in for"] is False
        with_proxy = audit([PROXY], split(proxies={PROXY: proxy(0.1)})).sections()
        assert with_proxy[-1].causal

    def test_intervals_resample_examples_where_all_are_of_one_template(self):
        one = Asked(("a",), np.zeros((1, 3, 1)), np.zeros((1, 3, 1)), np.full((1, 3), "t"), np.zeros((1, 3)))
        assert one.clusters(0).tolist() == ["0", "1", "2"]

    def test_hypotheses_are_what_is_clear_the_largest_first(self):
        rows = {"home: a > b": jittered(0.6, 0.4, 0.6, 0.6), "income: a > b": jittered(0.9, 0.2, 0.9, 0.9),
                "paper: a > b": jittered(0.4, 0.4, 0.4, 0.4)}  # fmt: skip
        confirmation = audit(list(rows), split(rows)).confirmation()
        assert confirmation.config == {"chosen": ["income: a > b", "home: a > b"]}
        assert list(confirmation.components.values()) == ["attribute income", "attribute home"]
        assert "income decides, as declared" in confirmation.statements[0]
        assert audit(["paper: a > b"], split({"paper: a > b": rows["paper: a > b"]})).confirmation() is None
