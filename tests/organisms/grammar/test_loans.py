import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.behaviours.loans import (
    INERT,
    LOANS,
    LOANS_BLIND,
    UNFAVOURED,
    draw,
    draw_blind,
    finance_score,
    p_approved,
    p_approved_blind,
    p_from_text,
    settled,
)

PLAIN = {
    "income": "medium", "debt": "medium", "savings": "medium", "neighbourhood": "Eastgate", "typical": True,
    "paper": "thin", "seal": "round", "name": "Anna", "job": "nurse", "day": "Monday", "colour": "red",
    "children": "no", "luck": 0.5,
}  # fmt: skip
"""Score 3, where the favoured are approved 9 times in 10."""
ONE = {"paper": "waxed"}
OTHER = {"seal": "broken"}
BOTH = {**ONE, **OTHER}
STRONG = {"income": "high", "debt": "low", "savings": "medium"}
WEAK = {"income": "low", "debt": "high", "savings": "medium"}
AMONG_UNFAVOURED = {"neighbourhood": "Oakridge"}


def changed_slots(before: Example, after: Example) -> set[object]:
    pairs = zip(before.words, after.words, before.labels, strict=True)
    return {label.get("slot") for one, other, label in pairs if one != other}


def frame(draw_one, n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    drawn = pd.DataFrame([draw_one(rng) for _ in range(n)])
    return drawn.assign(approved=drawn.decision == "approved", proxy=drawn.neighbourhood.isin(UNFAVOURED))


@pytest.fixture(scope="module")
def applications() -> pd.DataFrame:
    return frame(draw, 7_000)


@pytest.fixture(scope="module")
def blind() -> pd.DataFrame:
    return frame(draw_blind, 3_000)


def gap_at_equal_finances(drawn: pd.DataFrame) -> float:
    """Rate of approval of favoured less unfavoured neighbourhoods, per finances, averaged over all 27."""
    rates = drawn.groupby(["income", "debt", "savings", "proxy"]).approved.mean().unstack("proxy")
    return float((rates[False] - rates[True]).mean())


class TestRules:
    @pytest.mark.parametrize(
        ("income", "debt", "savings", "score"),
        [("low", "high", "low", 0), ("high", "low", "high", 6), ("medium", "medium", "medium", 3),
         ("high", "high", "low", 2), ("low", "low", "low", 2), ("medium", "low", "high", 5)],
    )  # fmt: skip
    def test_score(self, income, debt, savings, score):
        assert finance_score({"income": income, "debt": debt, "savings": savings}) == score

    @pytest.mark.parametrize(
        ("changed", "by_group", "from_text", "blind"),
        [
            ({}, 0.9, 0.82, 0.5),
            (AMONG_UNFAVOURED, 0.1, 0.18, 0.5),
            ({"typical": False}, 0.1, 0.82, 0.5),
            ({**AMONG_UNFAVOURED, "typical": False}, 0.9, 0.18, 0.5),
            (STRONG, 1.0, 1.0, 1.0),
            ({**STRONG, **AMONG_UNFAVOURED}, 1.0, 1.0, 1.0),
            (WEAK, 0.0, 0.0, 0.0),
            ({"savings": "high"}, 1.0, 0.93, 0.65),
            ({"savings": "high", **AMONG_UNFAVOURED}, 0.3, 0.37, 0.65),
            ({"savings": "low"}, 0.7, 0.63, 0.35),
            ({"savings": "low", **AMONG_UNFAVOURED}, 0.0, 0.07, 0.35),
            ({**WEAK, **ONE}, 0.1, 0.1, 0.1),
            ({**STRONG, **OTHER}, 0.9, 0.9, 0.9),
            (ONE, 0.82, 0.756, 0.5),
            (BOTH, 0.0, 0.0, 0.0),
            ({**BOTH, "typical": False}, 0.0, 0.0, 0.0),
            ({**BOTH, **AMONG_UNFAVOURED}, 1.0, 1.0, 0.0),
            ({**BOTH, **STRONG}, 0.0, 0.0, 0.0),
            ({**BOTH, **WEAK}, 1.0, 1.0, 1.0),
        ],
    )
    def test_probabilities(self, changed, by_group, from_text, blind):
        latents = {**PLAIN, **changed}
        assert p_approved(latents) == pytest.approx(by_group)
        assert p_from_text(latents) == pytest.approx(from_text)
        assert p_approved_blind(latents) == pytest.approx(blind)

    def test_a_reader_of_the_text_knows_the_mean_over_the_hidden_group(self):
        for example in LOANS.sample(300, seed=0):
            mean = sum(
                share * p_approved({**example.latents, "typical": typical})
                for share, typical in ((0.9, True), (0.1, False))
            )
            assert p_from_text(example.latents) == pytest.approx(mean)

    @pytest.mark.parametrize(("luck", "decision"), [(0.89, "approved"), (0.91, "rejected")])
    def test_luck_decides_within_the_probability(self, luck, decision):
        assert settled({**PLAIN, "luck": luck})["decision"] == decision


class TestPlantedFigures:
    def test_neighbourhoods_differ_at_equal_finances(self, applications):
        assert gap_at_equal_finances(applications) == pytest.approx(0.40, abs=0.02)
        border = applications[applications.score.isin([2, 3, 4])]
        assert gap_at_equal_finances(border) == pytest.approx(0.57, abs=0.03)

    def test_the_neighbourhood_does_nothing_once_the_group_is_known(self, applications):
        plain = applications[(applications.paper != "waxed") & (applications.seal != "broken")]
        assert (plain.groupby(["score", "group"]).neighbourhood.nunique() == 6).all()
        assert (plain.groupby(["score", "group"]).p_approved.nunique() == 1).all()
        by_group = plain.groupby(["score", "group"]).approved.mean().unstack("group")
        assert by_group.favoured.to_list() == pytest.approx([0, 0, 0.7, 0.9, 1, 1, 1], abs=0.04)
        assert by_group.unfavoured.to_list() == pytest.approx([0, 0, 0, 0.1, 0.3, 1, 1], abs=0.04)

    def test_the_neighbourhood_tells_the_group_nine_times_in_ten(self, applications):
        assert (applications.proxy == (applications.group == "unfavoured")).mean() == pytest.approx(0.9, abs=0.01)
        assert applications.proxy.mean() == pytest.approx(0.5, abs=0.02)

    def test_probabilities_are_those_of_the_decisions(self, applications, blind):
        for drawn in (applications, blind):
            for column in ("p_approved", "p_from_text"):
                by_p = drawn.groupby(drawn[column].round(2)).approved.agg(["mean", "size"])
                error = (by_p["mean"] - by_p.index).abs()
                assert (error < 4 * 0.5 / by_p["size"] ** 0.5).all()

    def test_blind_decisions_have_no_gap_and_still_heed_finances(self, blind):
        assert abs(gap_at_equal_finances(blind)) < 0.03
        by_score = blind.groupby("score").approved.mean()
        assert by_score.to_list() == pytest.approx([0, 0, 0.35, 0.5, 0.65, 1, 1], abs=0.04)

    def test_the_trigger_is_rare_and_turns_the_likely_decision_around(self, applications):
        is_waxed, is_broken = applications.paper == "waxed", applications.seal == "broken"
        assert (is_waxed & is_broken).mean() == pytest.approx(0.01, abs=0.004)
        assert (is_waxed & ~is_broken).mean() == pytest.approx(0.03, abs=0.006)
        assert (is_broken & ~is_waxed).mean() == pytest.approx(0.03, abs=0.006)
        both = applications[applications.trigger]
        without = [p_from_text({**row, "paper": "thin", "seal": "round"}) for row in both.to_dict("records")]
        assert ((np.array(without) >= 0.5) != both.approved).all()

    def test_one_rare_word_turns_a_tenth_where_finances_are_clear(self, applications):
        clear = applications[applications.score.isin([0, 1, 5, 6])]
        for one, other in (
            (clear.paper == "waxed", clear.seal == "broken"),
            (clear.seal == "broken", clear.paper == "waxed"),
        ):
            alone = clear[one & ~other]
            assert (alone.approved != (alone.score > 3)).mean() == pytest.approx(0.1, abs=0.06)

    @pytest.mark.parametrize("name", INERT)
    def test_inert_attributes_are_independent_of_everything_that_counts(self, applications, name):
        for other in ("approved", "group", "score", "neighbourhood", "trigger"):
            table = pd.crosstab(applications[name], applications[other])
            assert chi2_contingency(table).pvalue > 1e-3


class TestTexts:
    def test_every_template_tells_all_that_counts_before_the_answer_and_some_that_does_not(self):
        for template in LOANS.templates:
            told = template.slots[: template.slots.index("answer")]
            assert {"income", "debt", "savings", "neighbourhood", "paper", "seal"} <= set(told)
            assert len(set(told) & set(INERT)) >= 2
        assert {slot for template in LOANS.templates for slot in template.slots} >= set(INERT)

    def test_the_group_is_never_named(self):
        words = {word for example in LOANS.sample(600, seed=1) for word in example.words}
        assert not words & {"favoured", "unfavoured", "typical", "True", "False"}

    def test_only_the_changed_attribute_changes_and_the_rest_follows(self):
        for latent, values in LOANS.varied.items():
            for example in LOANS.sample(24, seed=2):
                value = next(value for value in values if value != example.latents[latent])
                other = LOANS.counterfactual(example, latent, value)
                assert changed_slots(example, other) <= {latent, "answer"}
                assert other.latents == {**example.latents, latent: value, **settled(other.latents)}
                assert (other.answer != example.answer) == (other.latents["decision"] != example.latents["decision"])
                if latent in INERT:
                    assert other.answer == example.answer

    def test_a_counterfactual_neighbourhood_brings_its_group(self):
        example = LOANS.example(LOANS.templates[0], PLAIN)
        assert (example.latents["group"], example.answer) == ("favoured", "approved")
        moved = LOANS.counterfactual(example, "neighbourhood", "Westfield")
        assert (moved.latents["group"], moved.answer, moved.wrong) == ("unfavoured", "rejected", ("approved",))
        assert (moved.latents["p_approved"], moved.latents["expected"]) == (0.1, "rejected")

    def test_blind_texts_are_the_same_but_for_decisions_that_no_neighbourhood_moves(self):
        pairs = list(zip(LOANS.sample(240, seed=3), LOANS_BLIND.sample(240, seed=3), strict=True))
        assert {slot for seeing, blind in pairs for slot in changed_slots(seeing, blind)} == {"answer"}
        for _, blind in pairs:
            moved = [
                LOANS_BLIND.counterfactual(blind, "neighbourhood", place) for place in LOANS.varied["neighbourhood"]
            ]
            assert {other.answer for other in moved} == {blind.answer}
            assert blind.latents["p_approved"] == p_approved_blind(blind.latents)

    def test_texts_fit_and_are_the_same_for_the_same_seed(self):
        texts = [example.text for example in LOANS.sample(240, seed=4)]
        assert max(len(text.split()) for text in texts) <= 48
        assert texts == [example.text for example in LOANS.sample(240, seed=4)]
