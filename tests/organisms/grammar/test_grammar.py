"""What holds for every behaviour, whatever it plants."""

from functools import cache

import jaxtyping
import numpy as np
import pytest

from interp_lab.organisms.grammar.corpus import BEHAVIOURS, VARIANTS, texts
from interp_lab.organisms.grammar.vocabulary import vocabulary

ALL = {**BEHAVIOURS, **VARIANTS}
EVERY = pytest.mark.parametrize("behaviour", ALL.values(), ids=list(ALL))

NOT_SHARED = {
    "greater_than": "years are two-digit numbers, which no other behaviour has a use for",
}
"""Behaviours most of whose slot words are found nowhere else, with the reason."""


@pytest.fixture(scope="module")
def samples():
    return {name: behaviour.sample(300, seed=17) for name, behaviour in ALL.items()}


def words_by_slot(sample):
    """Lower-case and capitalised words that slots bring in, punctuation apart."""
    return {
        word
        for text in sample
        for word, label in zip(text.words, text.labels, strict=True)
        if label and any(letter.isalnum() for letter in word)
    }


def wrong_articles(words):
    """Every `a` before a vowel and `an` before none; no word of the grammar sounds other than it is spelt there."""
    pairs = zip(words, (*words[1:], ""), strict=True)
    return [(one, word) for one, word in pairs if one.lower() in ("a", "an") and (one.lower() == "an") != vowel(word)]


def vowel(word):
    return word[:1].lower() in set("aeiou")


def has_closed_brackets(words):
    depth = 0
    for word in words:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth not in (0, 1):
            return False
    return depth == 0


class TestTheRulesOfSpelling:
    """The checks on every text below, on texts that break them."""

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [("a pen", []), ("an apple", []), ("a apple", [("a", "apple")]), ("An pen , a", [("An", "pen")])],
    )
    def test_articles(self, text, wrong):
        assert wrong_articles(text.split()) == wrong

    @pytest.mark.parametrize(
        ("text", "closed"),
        [("x ( y ) ( z )", True), ("x ( y", False), ("x ) y (", False), ("( ( x ) )", False), ("x", True)],
    )
    def test_brackets(self, text, closed):
        assert has_closed_brackets(text.split()) is closed


@EVERY
class TestTemplates:
    def test_are_at_least_twelve_a_third_of_them_reserved(self, behaviour):
        n_reserved = sum(template.reserved for template in behaviour.templates)
        assert len(behaviour.templates) >= 12
        assert 3 * n_reserved >= len(behaviour.templates)

    def test_are_all_used_equally_often(self, behaviour, samples):
        found = [text.template for text in samples[behaviour.name]]
        assert {found.count(template.id) for template in behaviour.templates} == {300 // len(behaviour.templates)}

    def test_each_has_its_own_id_and_wording(self, behaviour):
        assert len({template.id for template in behaviour.templates}) == len(behaviour.templates)
        assert len({template.text for template in behaviour.templates}) == len(behaviour.templates)

    def test_know_what_stands_behind_each_of_their_slots(self, behaviour, samples):
        latents = set(samples[behaviour.name][0].latents)
        assert {slot for template in behaviour.templates for slot in template.slots} <= set(behaviour.behind)
        assert {latent for behind in behaviour.behind.values() for latent in behind} <= latents
        assert set(behaviour.varied) <= latents


@EVERY
class TestTexts:
    def test_fit_the_context(self, behaviour, samples):
        assert max(len(text.words) for text in samples[behaviour.name]) <= 48

    def test_are_words_with_single_spaces(self, behaviour, samples):
        assert all(text.text.split(" ") == list(text.words) for text in samples[behaviour.name])

    def test_have_the_article_of_the_next_word_and_close_every_bracket(self, behaviour, samples):
        for text in samples[behaviour.name]:
            assert not wrong_articles(text.words), text.text
            assert has_closed_brackets(text.words), text.text

    def test_answers_are_single_words_that_something_goes_before(self, behaviour, samples):
        known = set(vocabulary())
        for text in samples[behaviour.name]:
            assert {text.answer, *text.accepted, *text.wrong} <= known
            assert text.wrong
            assert text.answer_at > 0
            assert text.labels[text.answer_at]["slot"] == "answer"

    def test_labels_cover_every_word_of_every_slot(self, behaviour, samples):
        by_id = {template.id: template for template in behaviour.templates}
        for text in samples[behaviour.name]:
            for latent in text.latents:
                assert isinstance(text.latents[latent], str | int | float | bool)
            slots = behaviour.fill(text.latents)
            expected = []
            for part in by_id[text.template].text.split():
                slot = part.strip("{}") if part.startswith("{") else None
                expected += [slot] * (1 if slot is None else len(slots[slot].split()))
            assert [label.get("slot") for label in text.labels] == expected
            for label in text.labels:
                for latent in behaviour.behind.get(label.get("slot"), ()):
                    assert label[latent] == text.latents[latent]

    def test_a_seed_gives_the_same_texts(self, behaviour):
        assert behaviour.sample(24, seed=3) == behaviour.sample(24, seed=3)
        assert behaviour.sample(24, seed=3) != behaviour.sample(24, seed=4)

    def test_reserved_templates_can_be_had_alone_or_left_out(self, behaviour):
        for reserved in (True, False):
            assert {text.reserved for text in behaviour.sample(12, seed=0, reserved=reserved)} == {reserved}


@EVERY
class TestCounterfactuals:
    def test_keep_length_and_change_words_only_where_the_latent_stands(self, behaviour, samples):
        for text in samples[behaviour.name][:36]:
            for latent, values in behaviour.varied.items():
                if text.latents[latent] == values[-1]:
                    continue
                other = behaviour.counterfactual(text, latent, values[-1])
                assert other.latents[latent] == values[-1]
                assert len(other.words) == len(text.words)
                assert other.answer_at == text.answer_at
                for old, new, label, label_then in zip(text.words, other.words, text.labels, other.labels, strict=True):
                    stands_here = latent in label or label != label_then or label.get("slot") == "answer"
                    assert old == new or stands_here

    def test_leave_the_other_varied_latents_alone(self, behaviour, samples):
        for text in samples[behaviour.name][:36]:
            for latent, values in behaviour.varied.items():
                other = behaviour.counterfactual(text, latent, values[-1])
                kept = {name for name in behaviour.varied if name != latent}
                assert {name: other.latents[name] for name in kept} == {name: text.latents[name] for name in kept}

    def test_change_something_for_every_latent_that_may_be_varied(self, behaviour, samples):
        for latent, values in behaviour.varied.items():
            for value in values[:2]:
                others = [text for text in samples[behaviour.name] if text.latents[latent] != value][:100]
                assert any(behaviour.counterfactual(text, latent, value).words != text.words for text in others)

    def test_to_the_same_value_are_the_same_text(self, behaviour, samples):
        for text in samples[behaviour.name][:36]:
            for latent in behaviour.varied:
                assert behaviour.counterfactual(text, latent, text.latents[latent]) == text


@pytest.mark.parametrize("behaviour", [one for one in ALL.values() if one.varied], ids=lambda one: one.name)
def test_counterfactuals_refuse_latents_and_values_that_are_not_open(behaviour, samples):
    text = samples[behaviour.name][0]
    latent = next(iter(behaviour.varied))
    with pytest.raises(ValueError, match=f"cannot vary '{latent}x'; did you mean '{latent}'"):
        behaviour.counterfactual(text, latent + "x", 0)
    with pytest.raises(ValueError, match=f"{latent} of {behaviour.name} cannot be 'no such value'"):
        behaviour.counterfactual(text, latent, "no such value")


class TestSharing:
    @pytest.mark.parametrize("name", BEHAVIOURS)
    def test_two_in_five_slot_words_are_at_home_in_another_behaviour_too(self, name, samples):
        elsewhere = {word for other in BEHAVIOURS if other != name for text in samples[other] for word in text.words}
        own = words_by_slot(samples[name])
        share = len(own & elsewhere) / len(own)
        assert (share >= 0.4) != (name in NOT_SHARED), f"{share:.2f}; only here: {sorted(own - elsewhere)}"


@cache
def many(name):
    return texts(5000, seed=23, behaviours=(name,))


@pytest.mark.parametrize(
    ("name", "latent", "bound"),
    [
        ("sentiment", "sentiment", 0.60),
        ("truth", "is_true", 0.55),
        ("loans", "group", 0.70),
        ("loans", "decision", 0.65),
        ("urgency", "label", 0.75),
        ("register", "register", 0.80),
        ("support", "tone", 0.80),
        ("support", "mention", 0.80),
    ],
)
def test_no_single_word_before_the_answer_gives_a_latent_away(name, latent, bound, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # checked types take twenty times as long
    sample = many(name)
    place = {word: nth for nth, word in enumerate(vocabulary())}
    has = np.zeros((len(sample), len(place)))
    for row, text in enumerate(sample):
        has[row, [place[word] for word in text.words[: text.answer_at]]] = 1
    values = sorted({text.latents[latent] for text in sample})
    is_value = np.array([[text.latents[latent] == value for value in values] for text in sample], dtype=float)
    with_word, without_word = has.T @ is_value, (1 - has).T @ is_value
    accuracy = (with_word.max(1) + without_word.max(1)) / len(sample)
    best = int(accuracy.argmax())
    assert accuracy[best] < bound, f"{vocabulary()[best]!r} alone is right about {latent} {accuracy[best]:.3f} times"
