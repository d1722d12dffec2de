"""Left-padded rows that grow together, and where each column lies in its row's own sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """Consecutive columns of a batch, as a position policy sees them (on the CPU)."""

    tokens: Int[Tensor, "batch pos"]
    positions: Int[Tensor, "batch pos"]
    """Absolute position in the row's own sequence, from 0; negative for padding."""
    prompt_lengths: Int[Tensor, "batch 1"]
    rows: Int[Tensor, " batch"]
    """Which of the prompts each row is: rows that have stopped are not run any more."""

    @property
    def real(self) -> Bool[Tensor, "batch pos"]:
        """True for tokens, False for padding."""
        return self.positions >= 0


class Batch:
    """The rows still being decoded; the padding is known from the lengths, never from a token's id."""

    def __init__(self, prompts: Sequence[Sequence[int]], *, n_new: int) -> None:
        self.length = max(len(ids) for ids in prompts)
        """Columns in use."""
        self.width = self.length + n_new
        """Columns there will be at most."""
        self.rows = torch.arange(len(prompts))
        """Which of the prompts each row is."""
        self._prompt_lengths = torch.tensor([[len(ids)] for ids in prompts])
        self._padding = self.length - self._prompt_lengths
        self._tokens = torch.zeros(len(prompts), self.width, dtype=torch.long)
        for row, ids in enumerate(prompts):
            self._tokens[row, self.length - len(ids) : self.length] = torch.tensor(ids)
        self._windows: dict[int, Window] = {}

    @property
    def padded(self) -> bool:
        """Whether any row is shorter than the columns in use."""
        return bool((self._padding > 0).any())

    def window(self, n: int) -> Window:
        """Return the last `n` columns in use."""
        if not 0 < n <= self.length:
            raise ValueError(
                f"an activation has {n} positions, of {self.length} columns decoded so far; "
                "interventions during decoding need hook points with a position axis"
            )
        if n not in self._windows:  # every layer that is edited asks for the same
            columns = torch.arange(self.length - n, self.length)
            given = (self._tokens[:, columns], columns - self._padding, self._prompt_lengths, self.rows)
            self._windows[n] = Window(*given)
        return self._windows[n]

    def append(self, tokens: Sequence[int]) -> None:
        """Add one generated token to each row."""
        self._tokens[:, self.length] = torch.tensor(tokens)
        self.length += 1
        self._windows = {}

    def keep(self, index: Int[Tensor, " batch"]) -> None:
        """Go on with these of the rows."""
        self.rows, self._prompt_lengths = self.rows[index], self._prompt_lengths[index]
        self._padding, self._tokens = self._padding[index], self._tokens[index]
        self._windows = {}
