import numpy as np
import pandas as pd
import pytest

from interp_lab.organisms.grammar import Example, Template
from interp_lab.organisms.grammar.behaviours.sources import FICTIONAL, SOURCES, draw, settled
from interp_lab.organisms.grammar.words import CAPITALS, COUNTRIES, LANGUAGES

BY_SOURCE = {
    "kind": "contradiction", "asked_by": "source", "relation": "capital", "first_source": "map",
    "second_source": "book", "first_country": "France", "second_country": "France", "first_of": "Italy",
    "second_of": "Spain", "relevant": "second",
}  # fmt: skip
BY_COUNTRY = {**BY_SOURCE, "kind": "fictional", "asked_by": "country", "first_country": "Ixoria",
              "second_country": "Ombria"}  # fmt: skip
BY_SOURCE_OF_A_FICTIONAL_ONE = {**BY_COUNTRY, "asked_by": "source", "relation": "language", "second_country": "Ixoria"}
STATED = {*CAPITALS, *LANGUAGES}
"""Every word that a statement can state."""


def changed_slots(before: Example, after: Example) -> set[object]:
    pairs = zip(before.words, after.words, before.labels, strict=True)
    return {label.get("slot") for one, other, label in pairs if one != other}


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame([draw(rng) for _ in range(8_000)])


def template(number: int) -> Template:
    return next(one for one in SOURCES.templates if one.id == f"sources/{number:02d}")


def at(example: Example, slot: str) -> int:
    """The one place of a slot that stands once."""
    places = [place for place, label in enumerate(example.labels) if label.get("slot") == slot]
    assert len(places) == 1
    return places[0]


class TestRules:
    @pytest.mark.parametrize(
        ("number", "latents", "text", "wrong"),
        [
            (0, BY_SOURCE,
             "capital . France : map Rome . France : book Madrid . France : book Madrid .",
             ("Rome", "Paris", "Berlin")),
            (0, {**BY_SOURCE, "relevant": "first"},
             "capital . France : map Rome . France : book Madrid . France : map Rome .",
             ("Madrid", "Paris", "Berlin")),
            (0, BY_COUNTRY,
             "capital . map : Ixoria Rome . book : Ombria Madrid . notes : Ombria Madrid .",
             ("Rome", "Berlin")),
            (7, BY_SOURCE_OF_A_FICTIONAL_ONE,
             "language ? map Italian ( Ixoria ) . book Spanish ( Ixoria ) . book Spanish ( Ixoria ) .",
             ("Italian", "German")),
            (10, {**BY_COUNTRY, "relevant": "first"},
             "map , book : Ixoria Rome , Ombria Madrid . which capital for notes ? Ixoria Rome .",
             ("Madrid", "Berlin")),
            (3, BY_SOURCE,
             "what capital has France , book ? France : map Rome . France : book Madrid . answer : book Madrid .",
             ("Rome", "Paris", "Berlin")),
        ],
        ids=["second source", "first source", "second country", "source on a fictional country", "first country",
             "asked before it is told"],
    )  # fmt: skip
    def test_the_answer_follows_the_statement_whose_key_is_asked(self, number, latents, text, wrong):
        example = SOURCES.example(template(number), latents)
        assert example.text == text
        assert example.wrong == wrong

    @pytest.mark.parametrize("latents", [BY_SOURCE, BY_COUNTRY], ids=["by source", "by country"])
    @pytest.mark.parametrize("written", SOURCES.templates, ids=lambda one: one.id)
    def test_a_key_stands_right_before_its_word_in_statements_and_question(self, written, latents):
        example, key = SOURCES.example(written, latents), latents["asked_by"]
        for slot, expected in (
            ("first", [latents[f"first_{key}"], "Rome"]),
            ("second", [latents[f"second_{key}"], "Madrid"]),
            ("answer", [latents[f"second_{key}"], "Madrid"]),
        ):
            place = at(example, slot)
            assert list(example.words[place - 1 : place + 1]) == expected
        places = [at(example, slot) for slot in ("first", "second", "answer")]
        assert places == sorted(places)

    @pytest.mark.parametrize(
        ("latents", "about", "asked"),
        [(BY_SOURCE, ("France", "France"), "France"), (BY_COUNTRY, ("map", "book"), "notes")],
        ids=["by source", "by country"],
    )
    @pytest.mark.parametrize("written", SOURCES.templates, ids=lambda one: one.id)
    def test_what_a_question_is_about_leaves_open_which_statement_is_meant(self, written, latents, about, asked):
        example = SOURCES.example(written, latents)
        assert tuple(example.words[at(example, f"{one}_about")] for one in ("first", "second")) == about
        assert example.words[at(example, "asked_about")] == asked

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

    def test_truth_does_not_tell_which_source_counts(self, drawn):
        real = drawn[drawn.kind == "contradiction"]
        assert real.contradicts.mean() == pytest.approx(0.75, abs=0.02)
        one_is_true = real[(real.stated == real.known) | (real.distracting == real.known)]
        assert len(one_is_true) / len(real) == pytest.approx(0.5, abs=0.03)
        assert (one_is_true.stated == one_is_true.known).mean() == pytest.approx(0.5, abs=0.04)

    def test_no_other_latent_tells_which_statement_is_asked_for(self, drawn):
        assert (drawn.relevant == "first").mean() == pytest.approx(0.5, abs=0.02)
        others = ["kind", "asked_by", "relation"]
        others += [f"{one}_{what}" for one in ("first", "second") for what in ("source", "country", "of")]
        for name in others:
            first = (drawn.relevant == "first").groupby(drawn[name])
            off = (first.mean() - 0.5).abs() / (0.5 / first.size() ** 0.5)
            assert off.max() < 4, f"{name} {off.idxmax()!r}: {off.max():.1f} standard errors from a half"

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
    def test_the_answer_is_what_stood_behind_the_asked_key_and_no_other_word_did(self):
        for example in SOURCES.sample(600, seed=0):
            *before, key, answer = example.words[: example.answer_at + 1]
            told = [before[nth + 1] for nth in range(len(before) - 1) if before[nth] == key]
            told = [word for word in told if word in STATED]
            assert told == [answer] == [example.latents["stated"]]
            assert key == example.latents[example.latents["asked_by"]]
            assert example.latents["distracting"] in before
            assert answer not in example.wrong

    def test_asking_for_the_other_statement_changes_the_asked_key_and_the_answer_only(self):
        """So that nothing but the key tells the answer: all else is the same for both."""
        for example in SOURCES.sample(240, seed=1):
            relevant = "first" if example.latents["relevant"] == "second" else "second"
            other = SOURCES.counterfactual(example, "relevant", relevant)
            assert changed_slots(example, other) == {"asked_key", "answer"}
            assert (other.answer, other.latents["distracting"]) == (example.latents["distracting"], example.answer)

    def test_either_place_is_asked_for_half_of_the_time_whatever_the_template(self):
        texts = pd.DataFrame([{"template": e.template, **e.latents} for e in SOURCES.sample(4_800, seed=5)])
        shares = (texts.relevant == "first").groupby([texts.template, texts.asked_by]).mean()
        assert len(shares) == 24
        assert shares.between(0.35, 0.65).all()

    def test_another_word_of_the_relevant_source_is_followed_and_one_of_the_other_is_not(self):
        for example in SOURCES.sample(240, seed=2):
            free = next(n for n in COUNTRIES if n not in example.latents.values())
            for place in ("first", "second"):
                other = SOURCES.counterfactual(example, f"{place}_of", free)
                is_followed = place == example.latents["relevant"]
                assert changed_slots(example, other) == ({place, "answer"} if is_followed else {place})

    def test_there_is_always_a_wrong_answer_even_where_both_come_to_agree(self):
        example = SOURCES.example(template(1), BY_COUNTRY)
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
