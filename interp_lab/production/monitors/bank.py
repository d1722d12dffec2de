"""Many monitors as one: stacked by hook point, so that each takes one matrix product however many there are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.decoding import Positions, from_position, generated, last_prompt_token, prompt
from interp_lab.decoding.where import policy_of
from interp_lab.directions.vectors import width_at
from interp_lab.hooks import require_hook
from interp_lab.models import identity_of
from interp_lab.production.monitors.monitor import Monitor, Reads
from interp_lab.production.monitors.over import Over, over_of
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Stack:
    """The monitors of one hook point."""

    hook: str
    members: tuple[int, ...]
    """Their numbers in the bank."""
    weights: Float[Tensor, "d monitor"]
    bias: Float[Tensor, " monitor"]
    after: tuple[tuple[str, Int[Tensor, " _"]], ...]
    """What is done to the scores of which of them, where it is something."""
    jumps: Float[Tensor, " monitor"]
    over: tuple[tuple[Over, Int[Tensor, " _"]], ...]
    """How the scores of which of them are aggregated."""
    signs: Float[Tensor, " monitor"]
    bars: Float[Tensor, " monitor"]
    at_least: Int[Tensor, " monitor"]
    reads: tuple[tuple[str, Int[Tensor, " _"]], ...]
    """Which tokens which of them score."""

    @classmethod
    def of(cls, hook: str, monitors: Sequence[Monitor], *, device: torch.device) -> "Stack":
        """Stack those of the monitors that read a hook point."""
        members = tuple(nth for nth, one in enumerate(monitors) if one.hook == hook)
        here = [monitors[nth] for nth in members]

        def grouped(values: Sequence[str]) -> list[tuple[str, Tensor]]:
            return [(one, torch.tensor([n for n, v in enumerate(values) if v == one], device=device))
                    for one in dict.fromkeys(values)]  # fmt: skip

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)

        return cls(
            hook=hook,
            members=members,
            weights=torch.stack([one.weights.detach().float().to(device) for one in here], -1),
            bias=column([one.bias for one in here]),
            after=tuple((what, at) for what, at in grouped([one.after for one in here]) if what != "identity"),
            jumps=column([one.jump for one in here]),
            over=tuple((over_of(name), at) for name, at in grouped([one.over for one in here])),
            signs=column([one.sign for one in here]),
            bars=column([one.bar for one in here]),
            at_least=torch.tensor([one.at_least for one in here], device=device),
            reads=tuple((what, at) for what, at in grouped([one.reads for one in here])),
        )  # fmt: skip

    def scores(self, activation: Float[Tensor, "batch pos d"]) -> Float[Tensor, "batch pos monitor"]:
        """Return every monitor's score of every token, by one matrix product, in float32."""
        flat = activation.reshape(-1, activation.shape[-1]).float()
        found = torch.addmm(self.bias, flat, self.weights)
        for what, at in self.after:
            found[:, at] = _AFTER[what](found[:, at], self.jumps[at])
        return found.reshape(*activation.shape[:-1], -1)


_AFTER = {
    "sigmoid": lambda scores, jumps: scores.sigmoid(),
    "relu": lambda scores, jumps: scores.relu(),
    "jumprelu": lambda scores, jumps: torch.where(scores > jumps, scores, 0.0),
}


@dataclass(frozen=True)
class MonitorBank:
    """Monitors that look on together; `watch` begins to."""

    monitors: tuple[Monitor, ...]

    def __post_init__(self) -> None:
        if not self.monitors:
            raise ValueError("a bank of no monitors would watch nothing; give at least one")
        name, n = Counter(self.names).most_common(1)[0]
        if n > 1:
            raise ValueError(f"{n} monitors are called {name!r}; name them apart")
        for hook in self.hooks:
            widths = {one.name: len(one.weights) for one in self.monitors if one.hook == hook}
            if len(set(widths.values())) > 1:
                raise ValueError(f"monitors at {hook} have weights of different lengths: {widths}")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the monitors, in order."""
        return tuple(one.name for one in self.monitors)

    @cached_property
    def hooks(self) -> tuple[str, ...]:
        """Hook points that are read, each once."""
        return tuple(dict.fromkeys(one.hook for one in self.monitors))

    @property
    def multiply_adds(self) -> int:
        """Of all scores of one token."""
        return sum(len(one.weights) for one in self.monitors)

    def require_fits(self, model: HookedModel) -> None:
        """Refuse a model that some monitor was not made for.

        Raises: ValueError, for a hook point that the model has not or at which tokens have no single vector, another
            width, model or weight processing.
        """
        for one in self.monitors:
            require_hook(model, one.hook)
            width = width_at(model, one.hook)
            if width != len(one.weights):
                raise ValueError(
                    f"monitor {one.name!r} has {len(one.weights)} weights, and activations at {one.hook} have {width} "
                    "entries; use a monitor that was made there"
                )
            if one.model is not None:
                identity_of(model).require_same(one.model, what=f"monitor {one.name!r}", hooks=(one.hook,))

    def stacks(self, device: torch.device) -> tuple[Stack, ...]:
        """Return the monitors by hook point, on a device."""
        return tuple(Stack.of(hook, self.monitors, device=device) for hook in self.hooks)


def policy(model: HookedModel, reads: Reads) -> Positions:
    """Return which tokens are scored."""
    if reads in ("all", "all+bos"):
        return policy_of(model, reads)
    if reads == "last":
        return last_prompt_token()
    if reads == "reply":
        return from_position(-1)
    return (prompt() if reads == "prompt" else generated()) & policy_of(model, "all")
