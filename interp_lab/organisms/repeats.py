"""Text in which a random segment comes back: the only regularity is the repetition.

The second copy can be predicted by looking up what followed the current token last time
(induction) and by nothing else, provided that period and offset vary: with a fixed period,
"attend to the position `period` back" does as well, and a model learns that instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Generator, Tensor

SYMBOLS = range(1, 181)
"""The 180 symbols of `organism-attn`."""
BOS = 0
"""Its beginning-of-sequence token; never part of a segment."""


@dataclass(frozen=True)
class RepeatedTokens:
    """Sequences `[BOS, prefix, x, x, ...]`, and where in each the copies lie."""

    tokens: Int[Tensor, "batch pos"]
    period: Int[Tensor, " batch"]
    """Length of the repeated segment `x` (tokens)."""
    offset: Int[Tensor, " batch"]
    """Length of the prefix: the first copy starts at position `1 + offset`."""

    def __len__(self) -> int:
        """Count the sequences."""
        return len(self.tokens)

    def subset(self, rows: Sequence[int] | Int[Tensor, " row"]) -> "RepeatedTokens":
        """Return the sequences at `rows`, in that order."""
        index = torch.as_tensor(rows, dtype=torch.long)
        return RepeatedTokens(self.tokens[index], self.period[index], self.offset[index])

    def split(self, seed: int) -> tuple["RepeatedTokens", "RepeatedTokens"]:
        """Return two halves drawn at random: one to choose on, one to report on.

        Raises: ValueError, if there are fewer than two sequences.
        """
        if len(self) < 2:
            raise ValueError(f"{len(self)} sequence cannot be split in two; make at least 2")
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        half = (len(self) + 1) // 2
        return self.subset(order[:half].sort().values), self.subset(order[half:].sort().values)

    def previous_occurrence(self) -> Int[Tensor, "batch pos"]:
        """Return where each token was last seen (a position), or -1 where the segment has not come round yet."""
        position = torch.arange(self.tokens.shape[1]).expand_as(self.tokens)
        source = position - self.period[:, None]
        return source.where(source > self.offset[:, None], -1)


def varied_repeats(
    n_sequences: int,
    generator: Generator,
    *,
    n_pos: int,
    periods: tuple[int, int],
    symbols: range = SYMBOLS,
    bos: int = BOS,
    distinct: bool = True,
) -> RepeatedTokens:
    """Draw sequences that differ in period and offset and fill the context: training data.

    The period is uniform on `periods` (both ends included). The offset leaves room for two copies and favours
    short prefixes (a uniform number squared, times the room): the first positions are looked up later only if
    the segment starts there, and with uniform offsets a model hardly learns to use them. The segment repeats to
    the end of the context, where the last copy may be cut.

    Args:
        generator: source of all randomness.
        n_pos: length of every sequence, BOS included.
        periods: shortest and longest period.
        symbols: token ids to draw from.
        distinct: draw prefix and segment jointly without replacement; see `repeated_segments`.

    Raises: ValueError, if nothing is asked for, a period is below 1 or does not fit twice, or symbols run out.
    """
    low, high = periods
    if not 1 <= low <= high:
        raise ValueError(f"periods={periods} must be (shortest, longest) with 1 <= shortest <= longest")
    _require_room(high, 0, n_ctx=n_pos)
    _require_sequences(n_sequences)
    period = torch.randint(low, high + 1, (n_sequences,), generator=generator)
    room = n_pos - 1 - 2 * period
    offset = (torch.rand(n_sequences, generator=generator).square() * (room + 1)).long().minimum(room)
    return repeated_segments(
        period, offset, n_pos=n_pos, generator=generator, symbols=symbols, bos=bos, distinct=distinct
    )


def repeated_twice(
    n_sequences: int,
    period: int,
    *,
    seed: int,
    offset: int = 0,
    n_ctx: int | None = None,
    symbols: range = SYMBOLS,
    bos: int = BOS,
    distinct: bool = True,
) -> RepeatedTokens:
    """Draw `[BOS, prefix, x, x]` with one period and offset: what induction scores are measured on.

    Args:
        period: length of `x` (tokens).
        offset: length of the prefix; induction scores of the form `[BOS, x, x]` need 0.
        n_ctx: context of the model that will read it, to be told here rather than there that it does not fit.
        distinct: draw prefix and segment jointly without replacement; see `repeated_segments`.

    Raises: ValueError, if nothing is asked for, the period is below 1, the context too short, or symbols run out.
    """
    _require_sequences(n_sequences)
    n_pos = 1 + offset + 2 * period
    _require_room(period, offset, n_ctx=n_pos if n_ctx is None else n_ctx)
    return repeated_segments(
        torch.full((n_sequences,), period),
        torch.full((n_sequences,), offset),
        n_pos=n_pos,
        generator=torch.Generator().manual_seed(seed),
        symbols=symbols,
        bos=bos,
        distinct=distinct,
    )


def repeated_segments(
    period: Int[Tensor, " batch"],
    offset: Int[Tensor, " batch"],
    *,
    n_pos: int,
    generator: Generator,
    symbols: range = SYMBOLS,
    bos: int = BOS,
    distinct: bool = True,
) -> RepeatedTokens:
    """Lay out one random sequence per `(period, offset)`: BOS, prefix, then the segment until `n_pos` is full.

    With `distinct` no symbol occurs twice before the second copy starts. Every token of a later copy then has
    exactly one antecedent per copy, so attention that an induction head pays to another token is an error of
    the head and not of the text. The price: the first copy is a little more predictable than uniform
    (a symbol seen once will not come again), `ln(n - k)` nats instead of `ln n` after `k` tokens.

    Raises: ValueError, if nothing is asked for, a period is below 1 or an offset below 0, BOS is among the
        symbols, or there are fewer of them than distinct tokens are needed.
    """
    _require_sequences(len(period))
    if int(period.min()) < 1 or int(offset.min()) < 0:
        raise ValueError(
            f"the shortest period is {int(period.min())} and the smallest offset {int(offset.min())}; "
            "periods are at least 1, offsets at least 0"
        )
    if bos in symbols:
        raise ValueError(f"bos={bos} is one of the symbols {symbols}; choose symbols that leave it out")
    n_drawn = int((offset + period).max())
    needed = n_drawn if distinct else 1
    if len(symbols) < needed:
        raise ValueError(
            f"prefix and segment need {needed} distinct symbols and there are {len(symbols)}; "
            "shorten them, give more symbols, or pass distinct=False"
        )
    drawn = _draw(len(period), n_drawn, n_symbols=len(symbols), distinct=distinct, generator=generator)
    place = torch.arange(n_pos - 1).expand(len(period), -1)
    past = (place - offset[:, None]) % period[:, None] + offset[:, None]
    source = place.where(place < offset[:, None], past)
    tokens = torch.tensor(symbols)[drawn.gather(1, source)]
    return RepeatedTokens(torch.nn.functional.pad(tokens, (1, 0), value=bos), period, offset)


def _draw(
    n_rows: int, n_columns: int, *, n_symbols: int, distinct: bool, generator: Generator
) -> Int[Tensor, "batch drawn"]:
    if not distinct:
        return torch.randint(n_symbols, (n_rows, n_columns), generator=generator)
    # In float64 two equal keys, whose order argsort could decide either way, do not happen.
    keys = torch.rand(n_rows, n_symbols, generator=generator, dtype=torch.float64)
    return keys.argsort(dim=-1)[:, :n_columns]


def _require_sequences(n_sequences: int) -> None:
    if n_sequences < 1:
        raise ValueError(f"n_sequences={n_sequences} makes an empty data set; ask for at least one sequence")


def _require_room(period: int, offset: int, *, n_ctx: int) -> None:
    needed = 1 + offset + 2 * period
    if needed > n_ctx:
        raise ValueError(
            f"period {period} does not fit: BOS, a prefix of {offset} and two copies need {needed} positions, "
            f"there are {n_ctx}; use a period of at most {max((n_ctx - 1 - offset) // 2, 0)}"
        )
