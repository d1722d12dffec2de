"""Rows of `interp-lab verify`: sources that are known to be copied, stated, or added up."""

import math
from functools import partial
from itertools import product

import numpy as np

from interp_lab.experiment import KnownAnswer
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model
from interp_lab.production.sources.ablations import Ablations
from interp_lab.production.sources.agreement import hits
from interp_lab.production.sources.asked import answered
from interp_lab.production.sources.drawn import drawn_texts
from interp_lab.production.sources.prompts import SourcedPrompt
from interp_lab.production.sources.scores import falls_without_each
from interp_lab.production.sources.subsets import subset_weights
from interp_lab.types import HookedModel

N_PROMPTS = 8
TOLERANCE = 1e-3
"""Largest error of a fall (log odds); heads of the compiled model miss all-or-nothing by that little."""
COPIED = 10.0
"""What the answer loses without the name that is copied: its logit is 10, and every other one 0, then as well."""
REPEATED = 10.0 - math.log(23) - 5.0 + math.log(math.exp(5.0) + 22)
"""Without one mention of the other name nothing inhibits it: both names have logit 5, and 22 others 0."""
N_STATED = 20
BY_HAND = (2.0, -3.0, 0.5)
"""What three sources add to log odds of -1, each by itself."""


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        KnownAnswer(
            "leaving out one word at a time, compiled/copying",
            "10 without the name that is copied, 7.003 without a mention of the other name, nothing without others",
            reads_copied,
            partial(reads_copied, shift=1),
        ),
        KnownAnswer(
            "leaving out one source at a time, organism",
            f"the statement that was asked for first, in at least 9 of 10 of {N_STATED} prompts with two",
            reads_stated,
            partial(reads_stated, shift=1),
        ),
        KnownAnswer(
            "weights of random subsets",
            "2, -3 and 0.5 where sources add these to log odds of -1",
            reads_sum,
            partial(reads_sum, turned=True),
        ),
    ]


def copied_prompts() -> tuple[HookedModel, list[SourcedPrompt], np.ndarray]:
    """Return the copying model, prompts in which every word is a source, and what leaving out each must cost."""
    model, drawn = load_model("compiled/copying"), compile_model("compiled/copying").sample_pairs(N_PROMPTS, 0)
    answers, repeated = (tokens.flatten().tolist() for tokens in (drawn.answers, drawn.wrong))
    words = [tuple(row) for row in drawn.clean.tolist()]
    parts = tuple((at,) for at in range(1, len(words[0]) - 1))
    by_hand = np.zeros((len(words), len(parts)))
    for row, tokens in enumerate(words):
        for nth, (at,) in enumerate(parts):
            by_hand[row, nth] = {answers[row]: COPIED, repeated[row]: REPEATED}.get(tokens[at], 0.0)
    made = [SourcedPrompt(one, parts, (answer,)) for one, answer in zip(words, answers, strict=True)]
    return model, made, by_hand


def reads_copied(*, shift: int = 0) -> tuple[bool, str]:
    """Whether the answer of the copying model falls by what was worked out when each word is left out, either way.

    Args:
        shift: read the word that many places further on; anything but 0 is a sabotage.
    """
    model, prompts, by_hand = copied_prompts()
    wrong = 0.0
    for way in ("text", "mask"):
        falls = falls_without_each(Ablations(model, prompts, way=way), prompts)
        wrong = max(wrong, float(np.abs(np.roll(falls, shift, axis=1) - by_hand).max()))
    return wrong < TOLERANCE, f"largest error {wrong:.1e} log odds"


def reads_stated(*, shift: int = 0) -> tuple[bool, str]:
    """Whether the organism's answers fall most without the statement that they repeat.

    Args:
        shift: read what is said of the source that many places further on; anything but 0 is a sabotage.
    """
    model = load_model("organism")
    asked = answered(model, drawn_texts(N_STATED, n_sources=2, seed=0, reserved=False), n_tokens=1)
    falls = falls_without_each(Ablations(model, asked.prompts), asked.prompts)
    truth = np.array([-1 if one.relevant is None else one.relevant for one in asked.texts])
    share = float(np.nansum(hits(np.roll(falls, shift, axis=1), truth)) / N_STATED)
    return share >= 0.9, f"{share:.0%} of {N_STATED} prompts"


def reads_sum(*, turned: bool = False) -> tuple[bool, str]:
    """Whether least squares over all subsets but one find what each source adds.

    Args:
        turned: take what is kept for what is left out: a sabotage.
    """
    kept = np.array(list(product((False, True), repeat=3)))[1:]
    values = -1 + kept @ np.array(BY_HAND)
    found, rest = subset_weights(~kept if turned else kept, values, alpha=0.0)
    wrong = float(np.abs(found - BY_HAND).max())
    return wrong < 1e-6, f"largest error {wrong:.1e}, {rest:.2f} without any"
