"""Agreement: the verb has the number of the subject, whatever stands between."""

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.agreement import AGREEMENT, NUMBERS, PLURALS, draw
from interp_lab.organisms.grammar.words import ADJECTIVES, OBJECTS

LATENTS = {
    "subject": "key",
    "subject_number": "plural",
    "attractor": "lamp",
    "attractor_number": "singular",
    "tense": "present",
    "state": "cold",
    "name": "Anna",
    "place": "park",
}


class TestText:
    @pytest.mark.parametrize(
        ("changes", "text", "wrong"),
        [
            ({}, "today the keys near the lamp are still cold .", "is"),
            ({"subject_number": "singular"}, "today the key near the lamp is still cold .", "are"),
            ({"attractor_number": "plural"}, "today the keys near the lamps are still cold .", "is"),
            ({"tense": "past"}, "yesterday the keys near the lamp were still cold .", "was"),
            ({"tense": "perfect"}, "lately the keys near the lamp have been cold .", "has"),
            (
                {"tense": "perfect", "subject_number": "singular"},
                "lately the key near the lamp has been cold .",
                "have",
            ),
        ],
    )
    def test_by_hand(self, changes, text, wrong):
        example = AGREEMENT.example(AGREEMENT.templates[0], {**LATENTS, **changes})
        assert example.text == text
        assert example.wrong == (wrong,)

    def test_subject_then_attractor_then_verb_with_the_tense_told_before_it(self):
        for example in AGREEMENT.sample(12, seed=0):
            slots = [label.get("slot") for label in example.labels]
            assert slots.index("subject") < slots.index("attractor") < slots.index("answer")
            assert slots.index("when") < slots.index("answer")

    def test_texts_are_short(self):
        assert max(len(example.words) for example in AGREEMENT.sample(240, seed=0)) <= 24

    def test_no_plural_is_a_singular(self):
        assert set(PLURALS) == set(OBJECTS)
        assert len({*PLURALS.values(), *OBJECTS}) == 20


class TestDraws:
    @pytest.fixture(scope="class")
    def draws(self):
        rng = np.random.default_rng(0)
        return [draw(rng) for _ in range(20_000)]

    def test_numbers_are_even_and_independent(self, draws):
        cells = [(latents["subject_number"], latents["attractor_number"]) for latents in draws]
        for subject in NUMBERS:
            for attractor in NUMBERS:
                assert cells.count((subject, attractor)) / 20_000 == pytest.approx(0.25, abs=0.015)

    def test_what_is_said_tells_nothing_about_the_number(self, draws):
        for state in ADJECTIVES:
            plural = [latents["subject_number"] == "plural" for latents in draws if latents["state"] == state]
            assert np.mean(plural) == pytest.approx(0.5, abs=0.06)

    def test_the_two_nouns_differ(self, draws):
        assert all(latents["subject"] != latents["attractor"] for latents in draws)

    def test_the_nearest_noun_is_right_only_half_of_the_time(self):
        examples = AGREEMENT.sample(2000, seed=0)
        agrees = [example.latents["attractor_number"] == example.latents["subject_number"] for example in examples]
        assert np.mean(agrees) == pytest.approx(0.5, abs=0.04)
        assert all((example.answer in ("are", "were", "have")) == _is_plural(example) for example in examples)

    def test_the_seed_decides(self):
        assert AGREEMENT.sample(12, seed=1) == AGREEMENT.sample(12, seed=1)
        assert AGREEMENT.sample(12, seed=1) != AGREEMENT.sample(12, seed=2)


class TestCounterfactuals:
    @pytest.mark.parametrize("latent", AGREEMENT.varied)
    def test_change_words_in_their_own_slots_only(self, latent):
        own = {slot for slot, latents in AGREEMENT.behind.items() if latent in latents}
        for example in AGREEMENT.sample(12, seed=0):
            for value in AGREEMENT.varied[latent]:
                assert _changed(example, AGREEMENT.counterfactual(example, latent, value)) <= own

    @pytest.mark.parametrize(
        ("latent", "changed"),
        [("subject_number", {"subject", "answer"}), ("attractor_number", {"attractor"})],
    )
    def test_only_the_number_of_the_subject_turns_the_verb(self, latent, changed):
        for example in AGREEMENT.sample(24, seed=0):
            number = next(number for number in NUMBERS if number != example.latents[latent])
            other = AGREEMENT.counterfactual(example, latent, number)
            assert _changed(example, other) == changed
            assert other.answer == (example.wrong[0] if "answer" in changed else example.answer)


def _is_plural(example):
    return example.latents["subject_number"] == "plural"


def _changed(example, other):
    pairs = zip(example.words, other.words, example.labels, strict=True)
    return {label["slot"] for word, new, label in pairs if word != new}
