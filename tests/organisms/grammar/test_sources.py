import numpy as np
import pandas as pd
import pytest

from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.behaviours.sources import FICTIONAL, SOURCES, draw, settled
from interp_lab.organisms.grammar.words import COUNTRIES

BY_SOURCE = {
    "kind": "contradiction", "asked_by": "source", "relation": "capital", "first_source": "map",
    "second_source": "book", "first_country": "France", "second_country": "France", "first_of": "Italy",
    "second_of": "Spain", "relevant": "second",
}  # fmt: skip
BY_COUNTRY = {**BY_SOURCE, "kind": "fictional", "asked_by": "country", "first_country": "Ixoria",
              "second_country": "Ombria"}  # fmt: skip


def changed_slots(before: Example, after: Example) -> set[object]:
    pairs = zip(before.words, after.words, before.labels, strict=True)
    return {label.get("slot") for one, other, label in pairs if one != other}


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame([draw(rng) for _ in range(8_000)])


class TestRules:
    @pytest.mark.parametrize(
        ("latents", "text", "wrong"),
        [
            (
                BY_SOURCE,
                "map : capital of France , Rome . book : capital of France , Madrid . "
                "book : capital of France , Madrid .",
                ("Rome", "Paris", "Berlin"),
            ),
            (
                {**BY_SOURCE, "relevant": "first"},
                "map : capital of France , Rome . book : capital of France , Madrid . map : capital of France , Rome .",
                ("Madrid", "Paris", "Berlin"),
            ),
            (
                BY_COUNTRY,
                "map : capital of Ixoria , Rome . book : capital of Ombria , Madrid . "
                "notes : capital of Ombria , Madrid .",
                ("Rome", "Berlin"),
            ),
        ],
        ids=["second source", "first source", "second country"],
    )
    def test_the_answer_follows_the_statement_that_is_asked_for(self, latents, text, wrong):
        example = SOURCES.example(SOURCES.templates[1], latents)
        assert example.text == text
        assert example.wrong == wrong

    def test_known_facts_and_contradictions(self):
        assert settled(BY_SOURCE) == {
            "country": "France", "source": "book", "stated": "Madrid", "distracting": "Rome", "known": "Paris",
            "contradicts": True,
        }  # fmt: skip
        truthful = settled({**BY_SOURCE, "second_of": "France"})
        assert (truthful["stated"], truthful["contradicts"]) == ("Paris", False)
        assert (settled(BY_COUNTRY)["known"], settled(BY_COUNTRY)["contradicts"]) == ("unknown", False)

    def test_fictional_countries_are_no_real_ones(self):
        assert len(set(FICTIONAL)) == 12
        assert not set(FICTIONAL) & set(COUNTRIES)


class TestDraws:
    def test_two_thirds_are_fictional_half_of_them_asked_by_country(self, drawn):
        shares = drawn.groupby(["kind", "asked_by"]).size() / len(drawn)
        assert shares.to_dict() == pytest.approx(
            {("contradiction", "source"): 1 / 3, ("fictional", "country"): 1 / 3, ("fictional", "source"): 1 / 3},
            abs=0.02,
        )

    def test_place_and_truth_do_not_tell_which_source_counts(self, drawn):
        assert (drawn.relevant == "first").mean() == pytest.approx(0.5, abs=0.02)
        real = drawn[drawn.kind == "contradiction"]
        assert real.contradicts.mean() == pytest.approx(0.75, abs=0.02)
        one_is_true = real[(real.stated == real.known) | (real.distracting == real.known)]
        assert len(one_is_true) / len(real) == pytest.approx(0.5, abs=0.03)
        assert (one_is_true.stated == one_is_true.known).mean() == pytest.approx(0.5, abs=0.04)

    def test_statements_never_agree_and_the_question_is_never_open(self, drawn):
        assert (drawn.stated != drawn.distracting).all()
        assert (drawn.first_source != drawn.second_source).all()
        by_country = drawn.asked_by == "country"
        assert ((drawn.first_country != drawn.second_country) == by_country).all()
        assert (drawn.first_country.isin(FICTIONAL) == (drawn.kind == "fictional")).all()

    def test_no_fictional_country_has_a_fact_of_its_own(self, drawn):
        capitals = drawn[(drawn.kind == "fictional") & (drawn.relation == "capital")]
        assert (capitals.groupby("country").stated.nunique() == 12).all()
        assert (
            capitals.groupby("country").stated.agg(lambda words: words.value_counts(normalize=True).max()).max() < 0.2
        )


class TestTexts:
    def test_the_answer_was_read_before_and_is_what_the_asked_source_says(self):
        for example in SOURCES.sample(600, seed=0):
            before = example.words[: example.answer_at]
            assert example.answer in before
            assert example.latents["distracting"] in before
            assert example.answer == example.latents["stated"] not in example.wrong
            asked = "notes" if example.latents["asked_by"] == "country" else example.latents["source"]
            assert asked in before

    def test_asking_for_the_other_statement_changes_the_question_and_the_answer_only(self):
        for example in SOURCES.sample(240, seed=1):
            relevant = "first" if example.latents["relevant"] == "second" else "second"
            other = SOURCES.counterfactual(example, "relevant", relevant)
            question = "country" if example.latents["asked_by"] == "country" else "asked"
            assert changed_slots(example, other) == {question, "answer"}
            assert (other.answer, other.latents["distracting"]) == (example.latents["distracting"], example.answer)

    def test_another_word_of_the_relevant_source_is_followed_and_one_of_the_other_is_not(self):
        for example in SOURCES.sample(240, seed=2):
            free = next(n for n in COUNTRIES if n not in example.latents.values())
            for place in ("first", "second"):
                other = SOURCES.counterfactual(example, f"{place}_of", free)
                is_followed = place == example.latents["relevant"]
                assert changed_slots(example, other) == ({place, "answer"} if is_followed else {place})

    def test_there_is_always_a_wrong_answer_even_where_both_come_to_agree(self):
        example = SOURCES.example(SOURCES.templates[1], BY_COUNTRY)
        agreeing = SOURCES.counterfactual(example, "first_of", "Spain")
        assert agreeing.answer == agreeing.latents["distracting"] == "Madrid"
        assert agreeing.wrong == ("Berlin",)

    def test_the_relation_changes_its_words_and_both_values(self):
        for example in SOURCES.sample(60, seed=3):
            relation = "language" if example.latents["relation"] == "capital" else "capital"
            other = SOURCES.counterfactual(example, "relation", relation)
            assert changed_slots(example, other) == {"relation", "first", "second", "answer"}

    def test_texts_fit_and_are_the_same_for_the_same_seed(self):
        texts = [example.text for example in SOURCES.sample(240, seed=4)]
        assert max(len(text.split()) for text in texts) <= 40
        assert texts == [example.text for example in SOURCES.sample(240, seed=4)]
