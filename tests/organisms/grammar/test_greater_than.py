"""Greater-than: any later year of the century, and no other."""

from collections import Counter

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.greater_than import CENTURIES, GREATER_THAN, STARTS, draw, fill

LATENTS = {
    "start": 32,
    "century": 17,
    "share": 0.0,
    "noun": "war",
    "country": "France",
    "name": "Anna",
    "place": "park",
}


class TestText:
    def test_by_hand(self):
        example = GREATER_THAN.example(GREATER_THAN.templates[0], LATENTS)
        assert example.text == "the war lasted from the year 17 32 to the year 17 33 ."
        assert (example.answer, len(example.accepted), len(example.wrong)) == ("33", 66, 31)
        assert example.wrong[:2] == ("32", "31")

    @pytest.mark.parametrize(
        ("start", "share", "end"),
        [(32, 0.0, "33"), (32, 0.5, "66"), (32, 0.9999, "98"), (97, 0.0, "98"), (97, 0.9999, "98"), (2, 0.0, "03")],
    )
    def test_the_end_lies_a_share_of_the_way_through_the_later_years(self, start, share, end):
        assert fill({**LATENTS, "start": start, "share": share})["answer"] == end

    def test_accepted_and_wrong_are_all_years_split_behind_the_start(self):
        for example in GREATER_THAN.sample(500, seed=0):
            start = int(example.latents["start"])
            assert {int(year) for year in example.accepted} == set(range(start + 1, 99))
            assert {int(year) for year in example.wrong} == set(range(2, start + 1))

    def test_the_century_is_the_same_both_times_and_stands_before_either_year(self):
        for example in GREATER_THAN.sample(60, seed=0):
            century = str(example.latents["century"])
            slots = [label.get("slot") for label in example.labels]
            start = slots.index("start")
            assert start < example.answer_at
            assert example.words[start - 1] == example.words[example.answer_at - 1] == century

    def test_few_tokens_are_numbers_and_texts_are_short(self):
        examples = GREATER_THAN.sample(600, seed=0)
        numbers = {word for example in examples for word in (*example.words, *example.accepted) if word.isdigit()}
        assert numbers == {f"{year:02d}" for year in range(2, 99)}
        assert max(len(example.words) for example in examples) <= 26


class TestDraws:
    @pytest.fixture(scope="class")
    def draws(self):
        rng = np.random.default_rng(0)
        return [draw(rng) for _ in range(20_000)]

    def test_later_years_are_equally_likely(self, draws):
        ends = Counter(fill({**latents, "start": 58})["answer"] for latents in draws)
        assert set(ends) == {str(year) for year in range(59, 99)}
        assert all(count / 20_000 == pytest.approx(1 / 40, abs=0.006) for count in ends.values())

    def test_starts_and_centuries_are_equally_likely(self, draws):
        starts = Counter(latents["start"] for latents in draws)
        centuries = Counter(latents["century"] for latents in draws)
        assert set(starts) == set(STARTS) == set(range(2, 98))
        assert min(starts.values()) > 130  # of 208 expected, standard error 14
        assert set(centuries) == set(CENTURIES) == set(range(11, 19))
        assert all(count / 20_000 == pytest.approx(1 / 8, abs=0.012) for count in centuries.values())

    def test_neither_century_nor_noun_has_to_do_with_the_years(self, draws):
        starts = np.array([latents["start"] for latents in draws])
        centuries = np.array([latents["century"] for latents in draws])
        nouns = np.array([latents["noun"] for latents in draws])
        assert abs(np.corrcoef(starts, centuries)[0, 1]) < 0.03
        assert all(starts[nouns == noun].mean() == pytest.approx(49.5, abs=2.5) for noun in set(nouns))

    def test_the_seed_decides(self):
        assert GREATER_THAN.sample(12, seed=1) == GREATER_THAN.sample(12, seed=1)
        assert GREATER_THAN.sample(12, seed=1) != GREATER_THAN.sample(12, seed=2)


class TestCounterfactuals:
    @pytest.mark.parametrize("latent", GREATER_THAN.varied)
    def test_change_words_in_their_own_slots_only(self, latent):
        own = {slot for slot, latents in GREATER_THAN.behind.items() if latent in latents}
        for example in GREATER_THAN.sample(12, seed=0):
            for value in GREATER_THAN.varied[latent]:
                other = GREATER_THAN.counterfactual(example, latent, value)
                assert _changed(example, other) <= own
                assert int(other.answer) > int(other.latents["start"])

    def test_a_later_start_makes_right_answers_wrong(self):
        example = GREATER_THAN.example(GREATER_THAN.templates[0], LATENTS)
        later = GREATER_THAN.counterfactual(example, "start", 90)
        assert later.text == "the war lasted from the year 17 90 to the year 17 91 ."
        assert set(example.accepted) & set(later.wrong) == {str(year) for year in range(33, 91)}


def _changed(example, other):
    pairs = zip(example.words, other.words, example.labels, strict=True)
    return {label["slot"] for word, new, label in pairs if word != new}
