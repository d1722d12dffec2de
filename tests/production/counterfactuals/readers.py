"""Readers whose every answer is known, without a model's say: by a table of words, or by the rule of a behaviour."""

import numpy as np

from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.production.counterfactuals.cases import Case
from interp_lab.production.counterfactuals.reading import Read, Reader
from interp_lab.production.counterfactuals.search import Problem
from interp_lab.production.counterfactuals.words import Edit, Words
from tests.tasks.reading import grammar_reader


class Known(Reader):
    """Reads by a function of a case and a text; keeps what it was asked, each text once."""

    def __init__(self, turn_of):
        super().__init__(grammar_reader())
        self.turn_of, self.asked = turn_of, {}

    def read(self, asked):
        for case, text in asked:
            if text not in self.asked:
                self.asked[text] = self.turn_of(case, text)
                self.n_texts += 1
        return [self.asked[text] for case, text in asked]


def turned(turn, fluency=0.0):
    """A text to which the first of two answers is preferred, until the turn is above 0."""
    return Read((0.0, float(turn)), fluency)


def table(weights, *, together=None, start=-1.0):
    """A reader for which each word adds its weight, and words that all stand there add one more."""

    def turn_of(case, text):
        words = set(text.split())
        extra = sum(gain for some, gain in (together or {}).items() if words.issuperset(some))
        return turned(start + sum(weights.get(word, 0.0) for word in words) + extra)

    return Known(turn_of)


def plain_problem(words, options, *, estimates=None, turn=-1.0):
    """A text of which each word may become one of its options."""
    made = [
        Edit(f"word {nth}", ((nth, new),), f"{old} > {new}", new)
        for nth, old in enumerate(words)
        for new in options.get(old, ())
    ]
    case = Case(Words.of(" ".join(words)), "t", (" yes", " no"), tuple(made))
    return Problem(case, tuple(made), np.zeros(len(made)) if estimates is None else np.array(estimates), 0, turn)


def by_rule(name):
    """A reader that decides as a rule of the grammar does."""

    def turn_of(case, text):
        now = Words.of(text).words
        changed = {
            edit.what: edit.value for edit in case.vocabulary if all(now[nth] == new for nth, new in edit.places)
        }
        settled = behaviour(name).settle({**case.latents, **changed})
        logit = {" approved": settled["p_from_text"] - 0.5, " rejected": 0.5 - settled["p_from_text"]}
        return Read(tuple(logit[answer] for answer in case.answers), 0.0)

    return Known(turn_of)
