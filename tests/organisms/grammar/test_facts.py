import numpy as np
import pytest

from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.behaviours.facts import FACTS, NATIONS, after, draw, fact
from interp_lab.organisms.grammar.behaviours.sources import SOURCES
from interp_lab.organisms.grammar.behaviours.sycophancy import SYCOPHANCY
from interp_lab.organisms.grammar.behaviours.truth import TRUTH
from interp_lab.organisms.grammar.words import CAPITALS, COUNTRIES, LANGUAGES

FRANCE = {"country": "France", "relation": "capital", "person": "Anna", "elsewhere": "Oslo"}


def changed_slots(before: Example, after: Example) -> set[object]:
    pairs = zip(before.words, after.words, before.labels, strict=True)
    return {label.get("slot") for one, other, label in pairs if one != other}


class TestFacts:
    @pytest.mark.parametrize(
        ("template", "relation", "text"),
        [
            (0, "capital", "the capital of France is Paris ."),
            (1, "capital", "in France people are ruled from Paris ."),
            (1, "language", "in France people learn to speak French ."),
            (5, "language", "while in Oslo , Anna learned that the language of France is French ."),
        ],
    )
    def test_writes_what_is_known(self, template, relation, text):
        example = FACTS.example(FACTS.templates[template], {**FRANCE, "relation": relation})
        assert example.text == text

    def test_answers_every_template_with_the_fact(self):
        for example in FACTS.sample(500, seed=0):
            capital, language = COUNTRIES[str(example.latents["country"])]
            assert example.answer == (capital if example.latents["relation"] == "capital" else language)

    def test_says_what_the_answer_would_be_for_each_other_country(self):
        example = FACTS.example(FACTS.templates[0], FRANCE)
        assert set(example.wrong) == set(CAPITALS) - {"Paris"}
        assert example.wrong[0] == "Rome", "the next country of the list comes first"
        other = FACTS.example(FACTS.templates[0], {**FRANCE, "relation": "language"})
        assert set(other.wrong) == set(LANGUAGES) - {"French"}

    def test_tells_country_and_relation_before_the_answer(self):
        for example in FACTS.sample(240, seed=1):
            known = {name for label in example.labels[: example.answer_at] for name in label}
            assert {"country", "relation"} <= known

    def test_country_and_relation_are_even_and_the_other_capital_is_never_the_answer(self):
        rng = np.random.default_rng(0)
        drawn = [draw(rng) for _ in range(12_000)]
        counts = {nation: sum(one["country"] == nation for one in drawn) for nation in NATIONS}
        assert all(850 < count < 1150 for count in counts.values())
        assert abs(np.mean([one["relation"] == "capital" for one in drawn]) - 0.5) < 0.02
        assert all(one["elsewhere"] != fact(str(one["country"]), "capital") for one in drawn)

    def test_a_counterfactual_changes_one_thing_and_the_answer(self):
        for example in FACTS.sample(120, seed=2):
            country = after(str(example.latents["country"]), 5)
            assert changed_slots(example, FACTS.counterfactual(example, "country", country)) == {"country", "answer"}
            relation = "language" if example.latents["relation"] == "capital" else "capital"
            changed = changed_slots(example, FACTS.counterfactual(example, "relation", relation))
            assert changed <= {"relation", "doing", "answer"}
            assert "answer" in changed
            assert changed_slots(example, FACTS.counterfactual(example, "person", "Anna")) <= {"person"}

    def test_texts_are_short_and_the_same_for_the_same_seed(self):
        texts = [example.text for example in FACTS.sample(120, seed=3)]
        assert max(len(text.split()) for text in texts) <= 20
        assert texts == [example.text for example in FACTS.sample(120, seed=3)]
        assert texts != [example.text for example in FACTS.sample(120, seed=4)]

    def test_no_other_behaviour_begins_as_a_fact_does_and_says_something_else(self):
        """A text that states falsehoods must be told from a fact before the word where the two part."""
        others = [t.text for family in (TRUTH, SOURCES, SYCOPHANCY) for t in family.templates]
        for template in FACTS.templates:
            words = template.text.split()
            start = words[: words.index("{answer}")]
            assert not [text for text in others if _alike(text.split()[: len(start)], start)]

    def test_refuses_a_relation_of_which_nothing_is_known(self):
        with pytest.raises(ValueError, match=r"'river'.*capital, language"):
            fact("France", "river")


def _alike(words: list[str], start: list[str]) -> bool:
    return len(words) == len(start) and all(
        one == other or (one.startswith("{") and other.startswith("{")) for one, other in zip(words, start, strict=True)
    )
