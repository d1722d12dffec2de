"""Nonsense: a segment stands twice, and nothing but looking it up tells its second copy."""

from collections import Counter

import numpy as np
import pytest

from interp_lab.organisms.grammar import Behaviour, Template
from interp_lab.organisms.grammar.behaviours.nonsense import NONSENSE, WORDS, draw

LATENTS = {
    "period": 5,
    "offset": 2,
    "before": "Anna key",
    "body": "red Ben park lamp",
    "last": "cook",
    "spare": "Eastgate",
}


@pytest.fixture(scope="module")
def sample():
    return NONSENSE.sample(4000, seed=0)


class TestText:
    def test_by_hand(self):
        example = NONSENSE.example(NONSENSE.templates[2], LATENTS)
        assert example.text == "say it twice : Anna key red Ben park lamp cook red Ben park lamp cook ."
        assert (example.answer, example.wrong) == ("cook", ("red", "Ben", "park", "lamp"))

    def test_labels_tell_copy_and_place_in_the_segment(self):
        example = NONSENSE.example(NONSENSE.templates[4], LATENTS)
        told = [(word, label.get("copy"), label.get("index")) for word, label in _labelled(example)]
        assert told == [
            ("Anna", None, None), ("key", None, None),
            ("red", 1, 0), ("Ben", 1, 1), ("park", 1, 2), ("lamp", 1, 3), ("cook", 1, 4),
            ("and", None, None), ("again", None, None),
            ("red", 2, 0), ("Ben", 2, 1), ("park", 2, 2), ("lamp", 2, 3), ("cook", 2, 4),
            (".", None, None),
        ]  # fmt: skip
        assert example.labels[-2] == {
            "slot": "answer", "period": 5, "offset": 2, "last": "cook", "copy": 2, "index": 4
        }  # fmt: skip

    def test_the_copies_are_equal_as_long_as_the_period_and_in_order(self, sample):
        for example in sample[:600]:
            copies = {copy: [(label["index"], word) for word, label in _labelled(example, copy)] for copy in (1, 2)}
            assert copies[1] == copies[2]
            assert [index for index, _ in copies[1]] == list(range(int(example.latents["period"])))

    def test_no_word_has_two_antecedents(self, sample):
        for example in sample[:600]:
            counts = Counter(word for word in example.words if word in WORDS)
            assert all(counts[word] == 1 for word, label in _labelled(example) if label.get("slot") == "before")
            assert all(counts[word] == 2 for word, _ in _labelled(example, 1))

    def test_the_words_of_templates_are_not_among_those_of_segments(self):
        assert not NONSENSE.words & set(WORDS)
        assert len(set(WORDS)) == len(WORDS) == 62

    def test_texts_fit_the_context(self, sample):
        assert 44 <= max(len(example.words) for example in sample) <= 48


class TestDraws:
    @pytest.fixture(scope="class")
    def draws(self):
        rng = np.random.default_rng(0)
        return [draw(rng) for _ in range(20_000)]

    def test_period_and_offset_are_uniform_and_independent(self, draws):
        cells = Counter((latents["period"], latents["offset"]) for latents in draws)
        assert set(cells) == {(period, offset) for period in range(5, 15) for offset in range(9)}
        assert all(count / 20_000 == pytest.approx(1 / 90, abs=0.004) for count in cells.values())
        assert all(len(str(latents["body"]).split()) == int(latents["period"]) - 1 for latents in draws)
        assert all(len(str(latents["before"]).split()) == latents["offset"] for latents in draws)

    def test_every_word_is_as_likely_to_be_the_answer(self, draws):
        counts = Counter(latents["last"] for latents in draws)
        assert set(counts) == set(WORDS)
        assert all(count / 20_000 == pytest.approx(1 / 62, abs=0.0045) for count in counts.values())

    def test_looking_back_a_fixed_distance_does_not_find_the_answer(self, sample):
        distances = Counter(example.answer_at - example.words.index(example.answer) for example in sample)
        assert len(distances) >= 10
        assert max(distances.values()) / len(sample) < 0.15

    def test_the_seed_decides(self, sample):
        assert NONSENSE.sample(12, seed=0) == sample[:12]
        assert NONSENSE.sample(12, seed=1) != sample[:12]


class TestCounterfactuals:
    def test_another_last_word_is_the_answer_and_stands_at_the_end_of_the_first_copy(self):
        example = NONSENSE.example(NONSENSE.templates[0], LATENTS)
        other = NONSENSE.counterfactual(example, "last", "store")
        assert other.text == "Anna key red Ben park lamp store red Ben park lamp store ."

    @pytest.mark.parametrize(
        ("last", "text"),
        [
            ("red", "Anna key Eastgate Ben park lamp red Eastgate Ben park lamp red ."),
            ("key", "Anna Eastgate red Ben park lamp key red Ben park lamp key ."),
            ("Eastgate", "Anna key red Ben park lamp Eastgate red Ben park lamp Eastgate ."),
        ],
        ids=["of the segment", "from before it", "the spare word itself"],
    )
    def test_a_word_that_is_there_already_gives_way_to_the_spare_one(self, last, text):
        example = NONSENSE.example(NONSENSE.templates[0], LATENTS)
        assert NONSENSE.counterfactual(example, "last", last).text == text

    def test_no_last_word_ever_stands_twice_in_a_copy_or_changes_the_length(self):
        for example in NONSENSE.sample(24, seed=0):
            for last in WORDS:
                other = NONSENSE.counterfactual(example, "last", last)
                assert len(other.words) == len(example.words)
                assert other.words.count(last) == 2
                assert last not in other.wrong


class TestDetails:
    def test_a_slot_that_stands_twice_starts_again(self):
        twice = Behaviour(
            name="twice",
            templates=(Template("twice/00", "{pair} or {pair} {answer}", reserved=False),),
            draw=lambda rng: {},
            fill=lambda latents: {"pair": "a b", "answer": "c"},
            wrong=lambda latents: ("d",),
            behind={},
            varied={},
            details=lambda latents: {"pair": ({"nth": 1}, {"nth": 2})},
        )
        labels = twice.example(twice.templates[0], {}).labels
        assert [label.get("nth") for label in labels] == [1, 2, None, 1, 2, None]


def _labelled(example, copy=None):
    words = list(zip(example.words, example.labels, strict=True))
    return words if copy is None else [(word, label) for word, label in words if label.get("copy") == copy]
