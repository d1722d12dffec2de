"""How the scores of a row's tokens become one, token by token as they come: running aggregates."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

State = tuple[Tensor, ...]
Update = Callable[[Tensor, Tensor, State], tuple[Tensor, State]]

WAYS = ("max", "mean", "last", "any K", "ema H")
"""The highest score so far; the mean; the latest; the K-th highest (above a threshold once K tokens are); a moving
average in which a token weighs half as much H tokens later, which begins at the first score."""


@dataclass(frozen=True)
class Over:
    """One way to aggregate; it goes on with what it keeps of earlier tokens, so that chunks do not matter."""

    name: str
    initial: Callable[[int, int], State]
    """What is kept before the first token, for so many rows and monitors."""
    update: Update
    """Takes `(batch, pos, monitor)` scores, which of them were read, and what was kept; returns the aggregate up to
    each token, and what to keep. A token that was not read changes nothing; before the first one that was, NaN."""


def over_of(name: str) -> Over:
    """Return the aggregation that a name stands for; see `WAYS`.

    Raises: ValueError, for another name, K below 1, or a half-life that is not positive.
    """
    kind, _, text = name.partition(" ")
    if kind == "max" and not text:
        return _highest(name, 1)
    if kind == "any" and text.isdecimal() and int(text) > 0:
        return _highest(name, int(text))
    if kind == "ema" and re.fullmatch(r"\d+(\.\d+)?", text) and float(text) > 0:
        return Over(name, _nothing_yet, _moving(0.5 ** (1 / float(text))))
    if name == "mean":
        return Over(name, lambda n, m: (torch.zeros(n, m), torch.zeros(n, m)), _mean)
    if name == "last":
        return Over(name, _nothing_yet, _moving(0.0))
    raise ValueError(f"over={name!r} is no way to aggregate scores; use one of {', '.join(WAYS)}, such as 'any 3'")


def _nothing_yet(n_rows: int, n_monitors: int) -> State:
    return (torch.full((n_rows, n_monitors), torch.nan),)


def _highest(name: str, k: int) -> Over:
    """The k highest so far, each of which hands down what it is not to the next."""

    def update(scores: Tensor, read: Tensor, state: State) -> tuple[Tensor, State]:
        coming, kept, running = scores.masked_fill(~read, -torch.inf), [], scores
        for place in range(k):
            running = torch.cat([state[0][:, None, :, place], coming], 1).cummax(1).values
            coming = torch.minimum(coming, running[:, :-1])
            kept.append(running[:, -1])
        found = running[:, 1:]
        return found.masked_fill(found == -torch.inf, torch.nan), (torch.stack(kept, -1),)

    return Over(name, lambda n, m: (torch.full((n, m, k), -torch.inf),), update)


def _mean(
    scores: Float[Tensor, "batch pos monitor"], read: Bool[Tensor, "batch pos monitor"], state: State
) -> tuple[Tensor, State]:
    sums = state[0][:, None] + scores.masked_fill(~read, 0.0).cumsum(1)
    counts = state[1][:, None] + read.to(sums).cumsum(1)
    return sums / counts, (sums[:, -1], counts[:, -1])  # 0 / 0 is NaN, as it should be


def _moving(kept: float) -> Update:
    """An average in which each token takes the place of a share of what was there.

    Every token is a linear map of what was there; maps of neighbours are composed in pairs, so that n tokens take
    log2(n) steps.
    """

    def update(scores: Tensor, read: Tensor, state: State) -> tuple[Tensor, State]:
        (before,) = state
        seen = torch.cat([~before.isnan()[:, None], read], 1).cumsum(1)[:, :-1] > 0
        began = before.nan_to_num()[:, None]
        times = torch.where(read, torch.where(seen, kept, 0.0), 1.0).to(scores)
        plus = torch.where(read, scores * torch.where(seen, 1 - kept, 1.0).to(scores), 0.0)
        shift, n = 1, scores.shape[1]
        while shift < n:
            earlier = torch.nn.functional.pad(plus[:, :-shift], (0, 0, shift, 0))
            factor = torch.nn.functional.pad(times[:, :-shift], (0, 0, shift, 0), value=1.0)
            plus, times, shift = plus + times * earlier, times * factor, 2 * shift
        running = (plus + times * began).masked_fill(~(seen | read), torch.nan)
        return running, (running[:, -1],)

    return update
