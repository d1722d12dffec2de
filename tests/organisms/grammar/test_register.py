from itertools import product

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.register import CUES, NEUTRAL, PURPOSES, REGISTER, REGISTERS, SLOTS, draw

MESSAGE = {
    "register": "formal",
    "purpose": "request",
    "neutral": "degree noun",
    "topic": "map",
    "recipient": "Ben",
    "sender": "Anna",
    "place": "park",
    "day": "Monday",
}


def written(**latents):
    return REGISTER.example(REGISTER.templates[0], {**MESSAGE, **latents})


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    return [draw(rng) for _ in range(10_000)]


class TestMessage:
    @pytest.mark.parametrize(
        ("latents", "text"),
        [
            ({}, "dear Ben , we require the map soon . the question is on our list . sincerely , Anna ."),
            (
                {"purpose": "thanks", "neutral": "greeting noun"},
                "hello Ben , we appreciate the map greatly . the question is on our list . regards , Anna .",
            ),
            (
                {"register": "informal", "neutral": "greeting verb"},
                "hello Ben , we need the map quick . the thing is on our list . bye , Anna .",
            ),
            (
                {"register": "informal", "purpose": "thanks", "neutral": "verb degree"},
                "hey Ben , we like the map here . the thing is on our list . cheers , Anna .",
            ),
        ],
        ids=["formal request", "formal thanks", "informal request", "informal thanks"],
    )
    def test_is_of_one_register_from_greeting_to_closing(self, latents, text):
        assert written(**latents).text == text

    @pytest.mark.parametrize("neutral", NEUTRAL)
    def test_shows_its_register_in_all_cues_but_the_neutral_ones(self, neutral):
        for register, purpose in product(REGISTERS, PURPOSES):
            message = written(register=register, purpose=purpose, neutral=neutral)
            for word, label in zip(message.words, message.labels, strict=True):
                if label.get("slot") in SLOTS:
                    shown = CUES[label["slot"], purpose].index(word)
                    assert shown == (2 if label["slot"] in neutral.split() else REGISTERS.index(register))

    def test_the_first_wrong_closing_is_that_of_the_other_register(self):
        assert written().wrong == ("bye", "regards", "cheers")
        assert written(register="informal", purpose="thanks").wrong[0] == "regards"

    @pytest.mark.parametrize("template", REGISTER.templates, ids=lambda template: template.id)
    def test_every_template_has_three_places_so_that_one_shows_the_register_and_two_the_purpose_before_the_closing(
        self, template
    ):
        before = template.slots[: template.slots.index("answer")]
        assert len(set(before) & set(SLOTS)) >= 3
        assert {"verb", "degree"} <= set(before)


class TestDraw:
    def test_latents_are_even_and_independent(self, drawn):
        options = (REGISTERS, PURPOSES, NEUTRAL)
        for cell in product(*options):
            found = np.mean([(one["register"], one["purpose"], one["neutral"]) == cell for one in drawn])
            assert found == pytest.approx(1 / 24, abs=0.01)

    def test_nobody_writes_to_himself(self, drawn):
        assert all(one["sender"] != one["recipient"] for one in drawn)


class TestCounterfactual:
    def test_changes_every_cue_and_the_closing_and_nothing_else(self):
        informal = REGISTER.counterfactual(written(), "register", "informal")
        changed = [(one, other) for one, other in zip(written().words, informal.words, strict=True) if one != other]
        assert changed == [
            ("dear", "hey"),
            ("require", "want"),
            ("sincerely", "bye"),
        ]

    def test_other_neutral_places_leave_the_answer_alone(self):
        other = REGISTER.counterfactual(written(), "neutral", "greeting noun")
        changed = [(one, new) for one, new in zip(written().words, other.words, strict=True) if one != new]
        assert changed == [("dear", "hello"), ("soon", "promptly")]
