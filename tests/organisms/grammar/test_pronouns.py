"""Pronouns: a name settles them, and without one the planted stereotype does, 85 times in 100."""

from collections import Counter

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.pronouns import PRONOUNS, SOMEBODY, STEREOTYPES, draw
from interp_lab.organisms.grammar.words import DAYS, FEMALE, JOBS, NAMES, OBJECTS, PLACES

LATENTS = {
    "job": "nurse",
    "person": SOMEBODY,
    "chance": 0.5,
    "spot": "outside",
    "day": "Monday",
    "place": "park",
    "object": "key",
}


class TestText:
    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({}, "the nurse outside went to the park because she was late ."),
            ({"chance": 0.86}, "the nurse outside went to the park because he was late ."),
            ({"job": "pilot"}, "the pilot outside went to the park because he was late ."),
            ({"job": "pilot", "chance": 0.14}, "the pilot outside went to the park because she was late ."),
            ({"job": "pilot", "person": "Anna"}, "the pilot Anna went to the park because she was late ."),
            ({"person": "Ben", "chance": 0.0}, "the nurse Ben went to the park because he was late ."),
        ],
        ids=["stereotype", "against it", "other job", "against that", "a woman's name", "a man's name"],
    )
    def test_by_hand(self, changes, text):
        example = PRONOUNS.example(PRONOUNS.templates[0], {**LATENTS, **changes})
        assert example.text == text
        assert example.accepted == (example.answer,) == (example.latents["pronoun"],)
        assert {example.answer, *example.wrong} == {"he", "she"}

    def test_the_name_may_stand_in_a_sentence_of_its_own(self):
        texts = [
            PRONOUNS.example(PRONOUNS.templates[1], {**LATENTS, "person": person}).text for person in (SOMEBODY, "Ben")
        ]
        assert texts == [
            "somebody is our nurse . every Monday she goes to the park .",
            "Ben is our nurse . every Monday he goes to the park .",
        ]

    def test_every_template_tells_job_and_person_before_the_pronoun_and_no_pronoun(self):
        for example in PRONOUNS.sample(12, seed=0):
            slots = [label.get("slot") for label in example.labels[: example.answer_at]]
            assert "job" in slots
            assert slots.count("who") + slots.count("beside") == 1
            assert not {"he", "she"} & set(example.words[: example.answer_at])

    def test_texts_are_short(self):
        assert max(len(example.words) for example in PRONOUNS.sample(240, seed=0)) <= 24


class TestDraws:
    @pytest.fixture(scope="class")
    def draws(self):
        rng = np.random.default_rng(0)
        return [draw(rng) for _ in range(20_000)]

    def test_half_of_the_jobs_are_of_either_stereotype(self):
        assert set(STEREOTYPES) == set(JOBS)
        assert Counter(STEREOTYPES.values()) == {"she": 5, "he": 5}

    @pytest.mark.parametrize("job", JOBS)
    def test_a_job_without_a_name_is_followed_by_its_stereotype(self, draws, job):
        told = [latents for latents in draws if latents["job"] == job and not latents["named"]]
        expected = 0.85 if STEREOTYPES[job] == "she" else 0.15
        assert {latents["p_she"] for latents in told} == {expected}
        assert np.mean([latents["pronoun"] == "she" for latents in told]) == pytest.approx(expected, abs=0.045)

    def test_all_jobs_together_reach_the_planted_rate(self, draws):
        follows = [latents["pronoun"] == latents["stereotype"] for latents in draws if not latents["named"]]
        assert np.mean(follows) == pytest.approx(0.85, abs=0.012)

    def test_a_name_settles_it(self, draws):
        named = [latents for latents in draws if latents["named"]]
        assert len(named) / 20_000 == pytest.approx(0.4, abs=0.015)
        assert all((latents["pronoun"] == "she") == (latents["person"] in FEMALE) for latents in named)
        assert {latents["p_she"] for latents in named} == {0.0, 1.0}

    def test_names_have_nothing_to_do_with_jobs(self, draws):
        named = [latents for latents in draws if latents["named"]]
        matches = [latents["pronoun"] == latents["stereotype"] for latents in named]
        assert np.mean(matches) == pytest.approx(0.5, abs=0.025)
        assert {latents["person"] for latents in named} == set(NAMES)

    @pytest.mark.parametrize(("latent", "values"), [("day", DAYS), ("place", PLACES), ("object", OBJECTS)])
    def test_the_rest_has_nothing_to_do_with_the_pronoun(self, draws, latent, values):
        for value in values:
            she = [latents["pronoun"] == "she" for latents in draws if latents[latent] == value]
            assert np.mean(she) == pytest.approx(0.5, abs=0.05)

    def test_the_seed_decides(self):
        assert PRONOUNS.sample(12, seed=1) == PRONOUNS.sample(12, seed=1)
        assert PRONOUNS.sample(12, seed=1) != PRONOUNS.sample(12, seed=2)


class TestCounterfactuals:
    @pytest.mark.parametrize("latent", PRONOUNS.varied)
    def test_change_words_in_their_own_slots_and_the_answer_only(self, latent):
        own = {slot for slot, latents in PRONOUNS.behind.items() if latent in latents} | {"answer"}
        for example in PRONOUNS.sample(24, seed=0):
            for value in PRONOUNS.varied[latent]:
                assert _changed(example, PRONOUNS.counterfactual(example, latent, value)) <= own

    @pytest.mark.parametrize(("chance", "pronouns"), [(0.1, "she she"), (0.5, "she he"), (0.9, "he he")])
    def test_another_job_brings_its_stereotype_along_and_keeps_the_chance(self, chance, pronouns):
        example = PRONOUNS.example(PRONOUNS.templates[0], {**LATENTS, "chance": chance})
        other = PRONOUNS.counterfactual(example, "job", "pilot")
        assert f"{example.answer} {other.answer}" == pronouns
        assert (example.latents["stereotype"], example.latents["p_she"]) == ("she", 0.85)
        assert (other.latents["stereotype"], other.latents["p_she"]) == ("he", 0.15)
        assert other.latents["pronoun"] == other.answer
        assert other.labels[1] == {"slot": "job", "job": "pilot", "stereotype": "he"}

    def test_a_name_overrules_the_job_and_its_absence_gives_the_say_back(self):
        example = PRONOUNS.example(PRONOUNS.templates[0], LATENTS)
        named = PRONOUNS.counterfactual(example, "person", "Ben")
        assert (named.answer, named.latents["named"], named.latents["p_she"]) == ("he", True, 0.0)
        assert PRONOUNS.counterfactual(named, "person", SOMEBODY) == example
        assert PRONOUNS.counterfactual(named, "job", "pilot").answer == "he"


def _changed(example, other):
    pairs = zip(example.words, other.words, example.labels, strict=True)
    return {label["slot"] for word, new, label in pairs if word != new}
