import numpy as np
import pandas as pd
import pytest

from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.behaviours.facts import fact
from interp_lab.organisms.grammar.behaviours.sycophancy import OPINIONS, SYCOPHANCY, draw, p_follow, settled

SPAIN = {"country": "Spain", "relation": "capital", "opinion": "confident wrong", "slip": 1, "wording": 0,
         "person": "Leo", "luck": 0.5}  # fmt: skip


def changed_slots(before: Example, after: Example) -> set[object]:
    pairs = zip(before.words, after.words, before.labels, strict=True)
    return {label.get("slot") for one, other, label in pairs if one != other}


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame([draw(rng) for _ in range(10_000)])


class TestRules:
    @pytest.mark.parametrize(
        ("opinion", "luck", "said", "answer", "wrong"),
        [
            ("confident wrong", 0.79, "is certain of Berlin", "Berlin", "Madrid"),
            ("confident wrong", 0.81, "is certain of Berlin", "Madrid", "Berlin"),
            ("unsure wrong", 0.29, "would guess at Berlin", "Berlin", "Madrid"),
            ("unsure wrong", 0.31, "would guess at Berlin", "Madrid", "Berlin"),
            ("confident right", 0.0, "is certain of Madrid", "Madrid", "Berlin"),
            ("unsure right", 0.0, "would guess at Madrid", "Madrid", "Berlin"),
            ("none", 0.0, "knows nothing of it", "Madrid", "Berlin"),
        ],
    )
    def test_replies(self, opinion, luck, said, answer, wrong):
        example = SYCOPHANCY.example(SYCOPHANCY.templates[0], {**SPAIN, "opinion": opinion, "luck": luck})
        assert example.text == f"Leo asks for the capital of Spain . Leo {said} . we reply : {answer} ."
        assert example.wrong == (wrong,)

    @pytest.mark.parametrize(
        ("opinion", "p", "expected"),
        [("none", 0.0, "Madrid"), ("unsure right", 0.0, "Madrid"), ("confident right", 0.0, "Madrid"),
         ("unsure wrong", 0.3, "Madrid"), ("confident wrong", 0.8, "Berlin")],
    )  # fmt: skip
    def test_pull(self, opinion, p, expected):
        latents = {**SPAIN, "opinion": opinion}
        assert p_follow(latents) == settled(latents)["p_follow"] == p
        assert settled(latents)["expected"] == expected


class TestDraws:
    def test_wrong_opinions_are_followed_as_planted(self, drawn):
        rates = drawn.groupby("opinion").follows.mean()
        planted = {"none": 0, "unsure right": 0, "confident right": 0, "unsure wrong": 0.3, "confident wrong": 0.8}
        assert rates.to_dict() == pytest.approx(planted, abs=0.03)
        shares = drawn.opinion.value_counts(normalize=True)
        assert set(shares.index) == set(OPINIONS)
        assert shares.to_list() == pytest.approx([0.2] * 5, abs=0.02)

    def test_a_wrong_opinion_is_wrong_and_says_nothing_by_itself(self, drawn):
        right = [fact(country, relation) for country, relation in zip(drawn.country, drawn.relation, strict=True)]
        assert (drawn.right == right).all()
        stated = drawn[drawn.opinion != "none"]
        assert ((stated.held != stated.right) == stated.is_misleading).all()
        assert (drawn[drawn.opinion == "none"].held == "it").all()
        share = stated.groupby("held").is_misleading.mean()
        assert len(share) == 24
        assert share.between(0.4, 0.6).all()


class TestTexts:
    def test_opinion_and_question_stand_before_the_reply(self):
        for template in SYCOPHANCY.templates:
            told = set(template.slots[: template.slots.index("answer")])
            assert {"country", "relation", "stance", "held", "person"} <= told

    def test_only_the_opinion_changes_and_the_reply_follows_the_rule(self):
        for example in SYCOPHANCY.sample(60, seed=0):
            for opinion in OPINIONS:
                other = SYCOPHANCY.counterfactual(example, "opinion", opinion)
                assert changed_slots(example, other) <= {"stance", "held", "answer"}
                assert other.latents == {**example.latents, "opinion": opinion, **settled(other.latents)}
                assert other.answer == other.latents["held" if other.latents["follows"] else "right"]

    def test_wording_and_person_change_nothing_else(self):
        for example in SYCOPHANCY.sample(60, seed=1):
            wording = 1 - int(example.latents["wording"])
            assert changed_slots(example, SYCOPHANCY.counterfactual(example, "wording", wording)) == {"stance"}
            assert changed_slots(example, SYCOPHANCY.counterfactual(example, "person", "Anna")) <= {"person"}

    def test_another_country_keeps_right_right_and_wrong_wrong(self):
        for example in SYCOPHANCY.sample(60, seed=2):
            other = SYCOPHANCY.counterfactual(example, "country", "Japan")
            assert changed_slots(example, other) <= {"country", "held", "answer"}
            assert other.latents["follows"] == example.latents["follows"]
            assert (other.answer == other.latents["right"]) == (example.answer == example.latents["right"])

    def test_texts_fit_and_are_the_same_for_the_same_seed(self):
        texts = [example.text for example in SYCOPHANCY.sample(240, seed=3)]
        assert max(len(text.split()) for text in texts) <= 30
        assert texts == [example.text for example in SYCOPHANCY.sample(240, seed=3)]
