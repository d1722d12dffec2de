"""Sentiment: no word tells it, a noun with its adjective does, and the verdict follows."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from interp_lab.organisms.grammar.behaviours.sentiment import SENTIMENT, TOPICS, VERDICTS, draw
from interp_lab.organisms.grammar.words import ADJECTIVES

LATENTS = {
    "sentiment": "positive",
    "topic": "meal",
    "cues": "013",
    "lead": "would",
    "setting": "slow",
    "name": "Anna",
    "place": "Eastgate",
    "day": "Monday",
}
SIDES = {
    (noun, word): side
    for things in TOPICS.values()
    for noun, words in things.items()
    for side, word in zip(("positive", "negative"), words, strict=True)
}


@pytest.fixture(scope="module")
def sample():
    return SENTIMENT.sample(6000, seed=0)


class TestText:
    def test_praise_by_hand(self):
        example = SENTIMENT.example(SENTIMENT.templates[3], LATENTS)
        assert example.text == (
            "the meal in Eastgate had a cold beer , a warm soup and a soft bread , so it was one that Anna "
            "would recommend ."
        )
        assert (example.answer, example.wrong) == ("recommend", ("avoid",))

    def test_blame_by_hand(self):
        example = SENTIMENT.example(SENTIMENT.templates[6], {**LATENTS, "sentiment": "negative", "lead": "found"})
        assert example.text == (
            "Anna came back from Eastgate after a slow Monday . about the meal : warm beer , cold soup . "
            "verdict : found awful ."
        )
        assert (example.answer, example.wrong) == ("awful", ("great",))

    def test_every_text_has_two_or_three_cues_that_agree(self, sample):
        for example in sample[:240]:
            slots = {str(label.get("slot")): word for word, label in zip(example.words, example.labels, strict=True)}
            cues = [(slots[f"noun{nth}"], slots[f"cue{nth}"]) for nth in (1, 2, 3) if f"cue{nth}" in slots]
            assert len(cues) in (2, 3)
            assert {SIDES[cue] for cue in cues} == {example.latents["sentiment"]}

    def test_cues_and_the_word_that_names_the_verdict_come_before_it(self, sample):
        for example in sample[:12]:
            slots = [label.get("slot") for label in example.labels[: example.answer_at]]
            assert {"noun1", "cue1", "noun2", "cue2", "topic", "lead"} <= set(slots)
            assert slots[-1] == "lead"

    def test_texts_fit_the_context(self, sample):
        assert max(len(example.words) for example in sample) <= 36

    def test_cue_words_are_labelled_with_the_sentiment_and_neutral_ones_are_not(self):
        example = SENTIMENT.example(SENTIMENT.templates[2], LATENTS)
        labels = dict(zip(example.words, example.labels, strict=True))
        assert labels["cold"] == {"slot": "cue1", "sentiment": "positive", "topic": "meal", "cues": "013"}
        assert labels["slow"] == {"slot": "setting", "setting": "slow"}


class TestTables:
    def test_every_adjective_praises_two_nouns_and_blames_two(self):
        counts = Counter((word, side) for (_, word), side in SIDES.items())
        assert counts == {(word, side): 2 for word in ADJECTIVES for side in ("positive", "negative")}

    def test_no_noun_belongs_to_two_topics(self):
        nouns = [noun for things in TOPICS.values() for noun in things]
        assert len(set(nouns)) == len(nouns) == 24

    def test_no_verdict_stands_on_two_sides(self):
        answers = [answer for pair in VERDICTS.values() for answer in pair]
        assert len(set(answers)) == len(answers) == 10


class TestNoWordTells:
    def test_every_word_before_the_answer_is_as_frequent_with_praise_as_with_blame(self, sample):
        praised = defaultdict(list)
        for example in sample:
            for word in set(example.words[: example.answer_at]):
                praised[word].append(example.latents["sentiment"] == "positive")
        for word, positive in praised.items():
            assert np.mean(positive) == pytest.approx(0.5, abs=2.5 / np.sqrt(len(positive))), word  # five errors

    def test_the_words_together_tell_nothing_and_noun_with_adjective_tells_all(self, sample):
        truth = np.array([example.latents["sentiment"] == "positive" for example in sample])
        words = CountVectorizer(token_pattern=r"\S+").fit_transform([example.prompt for example in sample])
        pairs = CountVectorizer(token_pattern=r"\S+").fit_transform([_pairs(example) for example in sample])
        assert _held_out_accuracy(words, truth) < 0.55
        assert _held_out_accuracy(pairs, truth) > 0.99

    @pytest.fixture(scope="class")
    def draws(self):
        rng = np.random.default_rng(0)
        return [draw(rng) for _ in range(20_000)]

    def test_the_neutral_adjective_is_drawn_apart(self, draws):
        shares = defaultdict(list)
        for latents in draws:
            shares[latents["setting"]].append(latents["sentiment"] == "positive")
        assert set(shares) == set(ADJECTIVES)
        assert all(np.mean(share) == pytest.approx(0.5, abs=0.06) for share in shares.values())

    def test_all_cues_and_topics_are_drawn_evenly(self, draws):
        assert np.mean([latents["sentiment"] == "positive" for latents in draws]) == pytest.approx(0.5, abs=0.015)
        for latent, n_values in (("topic", 6), ("cues", 24), ("lead", 5)):
            counts = Counter(latents[latent] for latents in draws)
            assert len(counts) == n_values
            assert max(counts.values()) / min(counts.values()) < 1.3


class TestCounterfactuals:
    @pytest.mark.parametrize("latent", SENTIMENT.varied)
    def test_change_words_in_their_own_slots_only(self, latent):
        own = {slot for slot, latents in SENTIMENT.behind.items() if latent in latents}
        for example in SENTIMENT.sample(12, seed=0):
            for value in SENTIMENT.varied[latent]:
                assert _changed(example, SENTIMENT.counterfactual(example, latent, value)) <= own

    def test_the_other_sentiment_replaces_every_cue_and_the_verdict(self):
        for example in SENTIMENT.sample(12, seed=0):
            sentiment = "negative" if example.latents["sentiment"] == "positive" else "positive"
            other = SENTIMENT.counterfactual(example, "sentiment", sentiment)
            slots = {str(label.get("slot")) for label in example.labels}
            assert _changed(example, other) == {"answer"} | {slot for slot in slots if slot.startswith("cue")}
            assert (other.answer,) == example.wrong

    def test_the_seed_decides(self, sample):
        assert SENTIMENT.sample(12, seed=0) == sample[:12]
        assert SENTIMENT.sample(12, seed=1) != sample[:12]


def _changed(example, other):
    pairs = zip(example.words, other.words, example.labels, strict=True)
    return {label["slot"] for word, new, label in pairs if word != new}


def _pairs(example):
    slots = {str(label.get("slot")): word for word, label in zip(example.words, example.labels, strict=True)}
    return " ".join(f"{slots[f'cue{nth}']}-{slots[f'noun{nth}']}" for nth in (1, 2))


def _held_out_accuracy(features, truth):
    half = len(truth) // 2
    return LogisticRegression(max_iter=500).fit(features[:half], truth[:half]).score(features[half:], truth[half:])
