"""Interventions that are made together, in one run."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from interp_lab.hooks import Edit
from interp_lab.interventions.intervention import Intervention
from interp_lab.types import Site


@dataclass(frozen=True)
class Combined:
    """Several interventions in one run, in turn where they meet; each has its own operation, positions and gate.

    A set of heads that are each patched where they matter, or a patch while something else is ablated.
    """

    parts: tuple[Intervention, ...]
    name: str
    """What tables and claims call it."""

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError(f"{self.name!r} combines no interventions; give at least one")

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where it acts."""
        return tuple(dict.fromkeys(site for part in self.parts for site in part.sites))

    def rows(self, index: Int[Tensor, " example"]) -> "Combined":
        """Return it on a subset (or repetition) of the prompts it was made for."""
        return Combined(tuple(part.rows(index) for part in self.parts), self.name)

    def edits(self) -> dict[str, Edit]:
        """Return what it does to each hook point, for `hooks.edited`."""
        by_hook: dict[str, list[Edit]] = {}
        for part in self.parts:
            for hook, edit in part.edits().items():
                by_hook.setdefault(hook, []).append(edit)
        return {hook: in_turn(edits) for hook, edits in by_hook.items()}


def in_turn(edits: Sequence[Edit]) -> Edit:
    """Return one edit that makes several, in order."""

    def edit(activation: Tensor) -> Tensor:
        for each in edits:
            activation = each(activation)
        return activation

    return edit
