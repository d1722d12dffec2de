from collections import Counter

import numpy as np
import pytest

from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.behaviours.truth import TRUTH, draw, settled
from interp_lab.organisms.grammar.words import COUNTRIES

ITALY = {"country": "Italy", "relation": "capital", "is_true": False, "slip": 1, "person": "Ben", "stated": "Madrid"}


def changed_slots(before: Example, after: Example) -> set[object]:
    pairs = zip(before.words, after.words, before.labels, strict=True)
    return {label.get("slot") for one, other, label in pairs if one != other}


class TestTruth:
    @pytest.mark.parametrize(
        ("latents", "text"),
        [
            ({}, "statement : the capital of Italy is Madrid . this is false ."),
            ({"is_true": True}, "statement : the capital of Italy is Rome . this is true ."),
            ({"slip": 11}, "statement : the capital of Italy is Paris . this is false ."),
            ({"relation": "language"}, "statement : the language of Italy is Spanish . this is false ."),
        ],
        ids=["the next country's", "its own", "round the list", "language"],
    )
    def test_marks_a_statement(self, latents, text):
        assert TRUTH.example(TRUTH.templates[0], {**ITALY, **latents}).text == text

    def test_marks_true_exactly_what_is_so(self):
        for example in TRUTH.sample(1200, seed=0):
            is_so = example.latents["stated"] in COUNTRIES[str(example.latents["country"])]
            assert example.answer == ("true" if is_so else "false")
            assert example.latents["is_true"] == is_so
            assert example.wrong == ("false" if is_so else "true",)

    def test_the_stated_word_stands_before_the_mark_with_its_labels(self):
        for example in TRUTH.sample(120, seed=1):
            stated = [label for label in example.labels[: example.answer_at] if label.get("slot") == "stated"]
            assert [label["is_true"] for label in stated] == [example.latents["is_true"]]
            assert example.labels[example.answer_at]["is_true"] == example.latents["is_true"]

    def test_neither_country_nor_stated_word_nor_relation_tells_the_truth_value(self):
        rng = np.random.default_rng(0)
        drawn = [draw(rng) for _ in range(12_000)]
        assert abs(np.mean([one["is_true"] for one in drawn]) - 0.5) < 0.02
        for name in ("country", "stated", "relation", "person"):
            total = Counter(one[name] for one in drawn)
            true = Counter(one[name] for one in drawn if one["is_true"])
            assert all(abs(true[value] / count - 0.5) < 5 * 0.5 / count**0.5 for value, count in total.items())
        assert len(Counter(one["stated"] for one in drawn)) == 24

    def test_the_switch_changes_the_stated_word_and_the_mark(self):
        for example in TRUTH.sample(120, seed=2):
            switched = TRUTH.counterfactual(example, "is_true", not example.latents["is_true"])
            assert changed_slots(example, switched) == {"stated", "answer"}
            assert switched.latents == {**switched.latents, **settled(switched.latents)}

    def test_another_country_or_relation_keeps_the_mark(self):
        for example in TRUTH.sample(120, seed=3):
            country = "Turkey" if example.latents["country"] != "Turkey" else "France"
            moved = TRUTH.counterfactual(example, "country", country)
            assert changed_slots(example, moved) == {"country", "stated"}
            assert moved.latents["stated"] != example.latents["stated"]
            relation = "language" if example.latents["relation"] == "capital" else "capital"
            assert changed_slots(example, TRUTH.counterfactual(example, "relation", relation)) == {"relation", "stated"}

    def test_texts_are_short_and_the_same_for_the_same_seed(self):
        texts = [example.text for example in TRUTH.sample(120, seed=4)]
        assert max(len(text.split()) for text in texts) <= 24
        assert texts == [example.text for example in TRUTH.sample(120, seed=4)]
