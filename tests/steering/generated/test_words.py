"""Words of either side, and repetition, by hand."""

import math

import numpy as np
import pytest

from interp_lab.steering.generated import GeneratedConfig
from interp_lab.steering.generated.lexicon import Lexicon, balance, lexicon_of, lexicon_shares, marks, words_of
from interp_lab.steering.generated.repetition import distinct, repeated, repetition

OWN = Lexicon(frozenset({"great", "loved"}), frozenset({"awful"}))


class TestLexicon:
    @pytest.mark.parametrize(
        ("text", "positive", "negative", "told"),
        [
            ("it was great , and loved .", 2 / 7, 0.0, 1.0),
            ("Great but awful", 1 / 3, 1 / 3, 0.0),
            ("great , great , awful", 2 / 5, 1 / 5, 1 / 3),
            ("nothing of it", 0.0, 0.0, 0.0),
            ("", 0.0, 0.0, 0.0),
            ("greatly unloved", 0.0, 0.0, 0.0),
        ],
    )
    def test_shares_of_words(self, text, positive, negative, told):
        shares = lexicon_shares([text], [OWN])
        np.testing.assert_allclose(shares[:, 0], [positive, negative])
        np.testing.assert_allclose(balance(shares), [told])

    def test_each_text_has_its_own(self):
        shares = lexicon_shares(
            ["Oslo", "Oslo"], [OWN.with_words(["Oslo"], ["Rome"]), OWN.with_words(["Rome"], [" Oslo"])]
        )
        assert balance(shares).tolist() == [1.0, -1.0]

    def test_words_are_cut_off_their_punctuation(self):
        assert words_of("It's great!! (awful)") == ["it's", "great", "!!", "(", "awful", ")"]

    def test_answers_of_a_trait_are_in_it(self):
        found = lexicon_of("sentiment", ["fine"])
        assert {"great", "loved", "fine"} <= found.positive
        assert "never" in found.negative

    def test_no_word_is_on_both_sides(self):
        with pytest.raises(ValueError, match="'awful' is counted for both sides"):
            OWN.with_words(["awful"], [])


class TestMarks:
    @pytest.mark.parametrize(
        ("answer", "told"),
        [(" great", ["great"]), (" Yes,", ["yes"]), (" A", []), ("(B)", []), (" would avoid", []), ("!", [])],
    )
    def test_are_answers_of_one_word(self, answer, told):
        assert marks(answer) == told


class TestRepetition:
    @pytest.mark.parametrize(
        ("tokens", "two", "four"),
        [
            ([1, 2, 3, 4, 5], 1.0, 0.0),
            ([1, 1, 1, 1, 1], 1 / 4, 1 / 2),
            ([1, 2, 1, 2, 1, 2], 2 / 5, 1 / 3),
            ([1, 2], 1.0, math.nan),
            ([1], math.nan, math.nan),
        ],
    )
    def test_runs(self, tokens, two, four):
        np.testing.assert_allclose([distinct(tokens), repeated(tokens)], [two, four])
        np.testing.assert_allclose(repetition([tokens])[:, 0], [two, four])


class TestConfig:
    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"n_random": 19}, "n_random"),
            ({"opening": 1}, "opening"),
            ({"positive_words": ("very good",)}, "'very good' is not one word"),
            ({"positive_words": ("good",), "negative_words": ("Good",)}, "'good' is counted for both sides"),
        ],
    )
    def test_is_refused(self, given, told):
        with pytest.raises(ValueError, match=told):
            GeneratedConfig.from_mapping(given)
