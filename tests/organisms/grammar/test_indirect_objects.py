"""Indirect objects: the one who did not give is given to, whoever is named first."""

from collections import Counter

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.indirect_objects import INDIRECT_OBJECTS, draw
from interp_lab.organisms.grammar.words import NAMES

LATENTS = {"giver": "Ben", "receiver": "Anna", "order": "ABBA", "place": "park", "object": "key"}
FIRST = INDIRECT_OBJECTS.templates[0]


class TestText:
    @pytest.mark.parametrize(
        ("order", "text"),
        [
            ("ABBA", "when Anna and Ben went to the park , Ben gave a key to Anna ."),
            ("BABA", "when Ben and Anna went to the park , Ben gave a key to Anna ."),
        ],
    )
    def test_the_order_decides_who_is_named_first_and_nothing_else(self, order, text):
        example = INDIRECT_OBJECTS.example(FIRST, {**LATENTS, "order": order})
        assert example.text == text
        assert (example.answer, example.accepted, example.wrong) == ("Anna", ("Anna",), ("Ben",))

    def test_the_giver_is_named_twice_before_the_answer_and_the_receiver_once(self):
        for example in INDIRECT_OBJECTS.sample(240, seed=0):
            before = example.prompt.split()
            assert (before.count(str(example.latents["giver"])), before.count(example.answer)) == (2, 1)

    def test_texts_are_short(self):
        assert max(len(example.words) for example in INDIRECT_OBJECTS.sample(240, seed=0)) <= 24

    def test_a_third_of_the_templates_is_reserved(self):
        assert [template.reserved for template in INDIRECT_OBJECTS.templates] == [False] * 8 + [True] * 4


class TestDraws:
    @pytest.fixture(scope="class")
    def draws(self):
        rng = np.random.default_rng(0)
        return [draw(rng) for _ in range(20_000)]

    def test_both_orders_are_as_frequent_so_that_place_in_the_text_tells_nothing(self, draws):
        assert np.mean([latents["order"] == "ABBA" for latents in draws]) == pytest.approx(0.5, abs=0.015)

    @pytest.mark.parametrize("role", ["giver", "receiver"])
    def test_every_name_has_either_role_as_often_as_any_other(self, draws, role):
        counts = Counter(latents[role] for latents in draws)
        assert set(counts) == set(NAMES)
        assert all(count / 20_000 == pytest.approx(1 / 20, abs=0.008) for count in counts.values())

    def test_nobody_gives_to_himself(self, draws):
        assert all(latents["giver"] != latents["receiver"] for latents in draws)

    def test_the_seed_decides(self):
        assert INDIRECT_OBJECTS.sample(12, seed=1) == INDIRECT_OBJECTS.sample(12, seed=1)
        assert INDIRECT_OBJECTS.sample(12, seed=1) != INDIRECT_OBJECTS.sample(12, seed=2)


class TestCounterfactuals:
    def test_the_other_order_swaps_the_two_names_and_keeps_the_answer(self):
        for example in INDIRECT_OBJECTS.sample(24, seed=0):
            other = "BABA" if example.latents["order"] == "ABBA" else "ABBA"
            swapped = INDIRECT_OBJECTS.counterfactual(example, "order", other)
            assert _changed(example, swapped) == {"first", "second"}
            assert swapped.answer == example.answer

    def test_another_receiver_is_the_answer(self):
        for example in INDIRECT_OBJECTS.sample(24, seed=0):
            name = next(name for name in NAMES if name not in example.words)
            other = INDIRECT_OBJECTS.counterfactual(example, "receiver", name)
            assert other.answer == name
            assert _changed(example, other) in ({"first", "answer"}, {"second", "answer"})

    @pytest.mark.parametrize("latent", ["place", "object"])
    def test_place_and_object_change_nothing_but_their_own_word(self, latent):
        for example in INDIRECT_OBJECTS.sample(24, seed=0):
            values = INDIRECT_OBJECTS.varied[latent]
            value = next(value for value in values if value != example.latents[latent])
            assert _changed(example, INDIRECT_OBJECTS.counterfactual(example, latent, value)) == {latent}


def _changed(example, other):
    pairs = zip(example.words, other.words, example.labels, strict=True)
    return {label["slot"] for word, new, label in pairs if word != new}
