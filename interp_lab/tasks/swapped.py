"""Labels that say nothing: the right and the wrong answers of half of the pairs exchanged, by what their prompts say.

A negative control: what is found on such pairs, on average over pairs, is no finding.
"""

from dataclasses import replace
from hashlib import blake2b

from interp_lab.tasks.pairs import Pairs

_SALT = b"interp_lab swapped"


def swapped(pairs: Pairs, *, seed: int) -> Pairs:
    """Return the pairs with right and wrong answers exchanged where a hash of the clean prompt says so.

    That is in every other pair. Whatever draws a pair, its labels are exchanged or not by the seed and its own text,
    so that a model could learn them by heart and in no other way.

    Raises: ValueError, for a pair without wrong answers.
    """
    without = next((nth for nth, wrong in enumerate(pairs.wrong) if not wrong), None)
    if without is not None:
        raise ValueError(
            f"{pairs.clean_texts[without]!r} has no wrong answer to exchange; take a task whose pairs have"
        )
    picked = [_picked(text, seed) for text in pairs.clean_texts]
    sides = zip(pairs.answers, pairs.wrong, pairs.corrupted_answers, picked, strict=True)
    changed = [(wrong, right, right if after else after) if swap else (right, wrong, after)
               for right, wrong, after, swap in sides]  # fmt: skip
    answers, wrong, corrupted = (tuple(side) for side in zip(*changed, strict=True))
    return replace(pairs, answers=answers, wrong=wrong, corrupted_answers=corrupted)


def _picked(text: str, seed: int) -> bool:
    return bool(blake2b(f"{seed} {text}".encode(), digest_size=1, key=_SALT).digest()[0] & 1)
