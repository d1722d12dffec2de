"""Contexts in which every latent fires on one token, in all combinations; and models that know the tokens."""

import itertools
import json
import re
from collections.abc import Callable

import numpy as np

from interp_lab.sae.naming import Contexts

LATENTS = {7: "approved", 9: "river"}
"""Two latents, and the token that each fires on."""


def planted_contexts(*, copies: int = 8) -> Contexts:
    """Contexts with every combination of the two tokens, `copies` of each, all different texts and documents.

    Whether a context has one token says nothing about whether it has the other: so the wrong label is right half of
    the time, exactly.
    """
    texts, values = [], []
    for copy, present in itertools.product(range(copies), itertools.product([True, False], repeat=len(LATENTS))):
        words = ["the", "a", "of", "and", "in", "to", "it", "was", f"filler{copy}", "-".join(map(str, present))]
        own = np.zeros((len(LATENTS), len(words)))
        for nth, (has, token) in enumerate(zip(present, LATENTS.values(), strict=True)):
            place = (copy + 4 * nth) % 8
            if has:
                words[place] = token
                own[nth, place] = 1.0 + copy
        texts.append(tuple(words))
        values.append(own)
    stacked = np.stack(values, axis=1)
    return Contexts(tuple(texts), np.arange(len(texts)), tuple(LATENTS), stacked)


def excerpts(prompt: str) -> list[str]:
    """Excerpts of a prompt: the JSON strings of its numbered lines."""
    found = re.findall(r'^\d+\. ("(?:[^"\\]|\\.)*")', prompt, re.MULTILINE)
    return [json.loads(text) for text in found]


def told_label(prompt: str) -> str:
    """The label that a judge is told."""
    return json.loads(re.search(r'said to react to this: (".*")$', prompt, re.MULTILINE)[1])


def explaining(prompt: str) -> str:
    """Name the token that is highlighted most often: an explainer that sees what there is to see."""
    marked = re.findall(r"<<(.*?)>>", " ".join(excerpts(prompt)))
    return max(sorted(set(marked)), key=marked.count)


def judging(prompt: str) -> str:
    """Answer by whether the token in the label is in the excerpt, or within its marks."""
    label, answers = told_label(prompt), []
    for text in excerpts(prompt):
        where = re.findall(r"<<(.*?)>>", text) if "<<" in text else [text]
        answers.append(int(any(label in one.split() for one in where)))
    return f"Here you are: {json.dumps(answers)}"


def silent_now_and_then(judge: Callable[[str], str], *, every: int) -> Callable[[str], str]:
    """A judge whose every n-th answer cannot be read."""
    asked = itertools.count(1)

    def answer(prompt: str) -> str:
        return "I would rather not say." if next(asked) % every == 0 else judge(prompt)

    return answer
