"""Induction: in random tokens that come round again, what followed the current token the last time?

Needs no tokenizer. Source of the task: Olsson et al. 2022, arXiv 2209.11895.
"""

from collections.abc import Iterator

import numpy as np

from interp_lab.folds import shows, told
from interp_lab.tasks.alignment import TextPair, pairs_of_rows
from interp_lab.tasks.batch import Padding
from interp_lab.tasks.encoding import pieces
from interp_lab.tasks.pairs import Answer, Pairs
from interp_lab.tasks.repeats import any_repeats, beginning_token, ordinary_tokens, spelt
from interp_lab.tasks.sentences import Sentence, in_turn, usable
from interp_lab.types import HookedModel

NAME = "induction"
PERIODS = tuple(Sentence(f"{NAME}/period-{period}", str(period), reserved=period in (8, 12)) for period in range(5, 15))
"""Lengths of the segment that is repeated: the templates of this task."""
_TRIES = 1000
"""Times that as many pairs as are asked for are drawn, until as many may be seen."""


def induction_pairs(
    model: HookedModel,
    n: int,
    *,
    seed: int,
    reserved: bool | None = None,
    bos_token: int | None = None,
    padding: Padding = "right",
) -> Pairs:
    """Draw `[BOS, x, start of x]`; in the corrupted row another token stands where the answer stood in `x`.

    The rows differ in that one token, which is the wrong answer. Where in the second copy a row ends is drawn.

    Args:
        reserved: only reserved periods, or only the others; `None` takes all.
        bos_token: what rows begin with; see `repeats.repeats_for`.

    Raises: ValueError, for `n` below 1, a context or a vocabulary that is too small, or a model without BOS.
    """
    rng = np.random.default_rng(seed)
    drawn = list(in_turn(usable(PERIODS, reserved=reserved), n, rng=rng))
    rows = {
        period: _rows(model, int(period.text), drawn.count(period), rng, bos_token) for period in dict.fromkeys(drawn)
    }
    pairs, clean, corrupted, roles = [], [], [], []
    for period in drawn:
        one, other, place = next(rows[period])
        right, wrong = (str(one[1 + place]),), (str(other[1 + place]),)
        latents = {"period": int(period.text), "place": place}
        pairs.append(TextPair("", "", right, wrong, period.id, wrong, period.reserved, latents))
        clean.append(one)
        corrupted.append(other)
        roles.append({"start": 0, "first": place, "first+1": place + 1, "second": len(one) - 1})
    right = tuple(((int(pair.answers[0]),),) for pair in pairs)
    wrong = tuple(((int(pair.wrong[0]),),) for pair in pairs)
    texts = ([_text(model, row) for row in clean], [_text(model, row) for row in corrupted])
    answers = (right, wrong, wrong)
    return pairs_of_rows(
        model,
        pairs,
        clean=clean,
        corrupted=corrupted,
        texts=texts,
        answers=answers,
        roles=roles,
        name=NAME,
        padding=padding,
    )


def _rows(
    model: HookedModel, period: int, n: int, rng: np.random.Generator, bos_token: int | None
) -> Iterator[tuple[Answer, Answer, int]]:
    """Yield clean rows, corrupted rows, and the place of the answer in the segment, `n` or more of them.

    Where not all may be seen, those that may.
    """
    symbols = ordinary_tokens(model, beginning_token(model) if bos_token is None else bos_token)
    if len(symbols) <= period:
        raise ValueError(f"a period of {period} leaves none of the {len(symbols)} tokens over to corrupt a row with")
    for _ in range(_TRIES):
        drawn = any_repeats(model, n, period, seed=int(rng.integers(2**31)), bos_token=bos_token)
        for row in drawn.tokens.tolist():
            place = int(rng.integers(1, period))
            clean = row[: 1 + period + place]
            spare = int(symbols[int(rng.integers(len(symbols)))])
            while spare in row:
                spare = int(symbols[int(rng.integers(len(symbols)))])
            corrupted = [*clean[: 1 + place], spare, *clean[2 + place :]]
            if shows(spelt(clean), spelt(corrupted)):
                yield tuple(clean), tuple(corrupted), place
    raise ValueError(f"among {_TRIES * n} pairs of period {period} are fewer than {n}{told()}; ask for fewer")


def _text(model: HookedModel, row: Answer) -> str:
    tokens = map(str, row) if getattr(model, "tokenizer", None) is None else pieces(model, row)
    return " ".join(tokens)
