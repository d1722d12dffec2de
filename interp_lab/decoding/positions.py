"""At which tokens an intervention acts, in absolute positions of each row's own sequence.

A policy decides on each token by itself (its id, its position, its row's prompt length), so that it
selects the same tokens whether the model sees the whole sequence or, with a cache, only the last one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from interp_lab.decoding.batch import Window


@dataclass(frozen=True)
class Positions:
    """A position policy; combine with `&`, `|` and `~`. Padding is never selected."""

    name: str
    select: Callable[[Window], Bool[Tensor, "batch pos"]]

    def __call__(self, window: Window) -> Bool[Tensor, "batch pos"]:
        """Return which tokens of the window are selected."""
        return self.select(window) & window.real

    def __and__(self, other: "Positions") -> "Positions":
        return Positions(f"({self.name} and {other.name})", lambda window: self(window) & other(window))

    def __or__(self, other: "Positions") -> "Positions":
        return Positions(f"({self.name} or {other.name})", lambda window: self(window) | other(window))

    def __invert__(self) -> "Positions":
        return Positions(f"not {self.name}", lambda window: ~self(window))

    def __str__(self) -> str:
        return self.name


def everywhere() -> Positions:
    """Return the policy that selects every token the model reads."""
    return Positions("all", lambda window: window.real)


def prompt() -> Positions:
    """Return the policy that selects the tokens of the prompt."""
    return Positions("prompt", lambda window: window.positions < window.prompt_lengths)


def generated() -> Positions:
    """Return the policy that selects tokens the model generated, as it reads them.

    The last token generated is never read; and what predicts the first generated token is the last
    token of the prompt, so take `from_position(-1)` to act on every prediction.
    """
    return Positions("generated", lambda window: window.positions >= window.prompt_lengths)


def from_position(k: int) -> Positions:
    """Return the policy that selects position `k` and all after it; negative counts from the end of the prompt."""
    return Positions(f"from {k}", lambda window: window.positions >= _absolute(k, window))


def at_positions(*where: int) -> Positions:
    """Return the policy that selects these positions; negative counts from the end of the prompt.

    Raises: ValueError, if no position is given.
    """
    if not where:
        raise ValueError("at_positions needs at least one position")
    name = "at " + ", ".join(str(k) for k in where)
    return Positions(name, lambda window: torch.stack([window.positions == _absolute(k, window) for k in where]).any(0))


def last_prompt_token() -> Positions:
    """Return the policy that selects the token from which the first new one is predicted."""
    return Positions("last prompt token", at_positions(-1).select)


def matching(tokens: Iterable[int]) -> Positions:
    """Return the policy that selects tokens by id, in the prompt and among those generated.

    Raises: ValueError, if no id is given.
    """
    ids = torch.tensor(sorted(set(tokens)), dtype=torch.long)
    if len(ids) == 0:
        raise ValueError("matching needs at least one token id")
    return Positions(f"tokens {', '.join(str(i) for i in ids.tolist())}", lambda window: torch.isin(window.tokens, ids))


def _absolute(k: int, window: Window) -> Tensor:
    """Position `k` in each row; one before the row's beginning is clear of every token, padding included."""
    if k >= 0:
        return torch.full_like(window.prompt_lengths, k)
    return window.prompt_lengths + k
