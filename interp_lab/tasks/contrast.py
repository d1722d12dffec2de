"""Contrast sets: texts of two kinds, from which a direction is made."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

Index = Sequence[int] | Int[np.ndarray, " row"]


class Chosen(NamedTuple):
    """Which texts of either side to take."""

    positive: list[int]
    negative: list[int]
    paired: bool
    """Whether they are still partners."""


def chosen_sides(name: str, positive: Index, negative: Index | None, *, paired: bool) -> Chosen:
    """Return which texts of a contrast are taken, of paired ones without `negative` the partners.

    Raises: ValueError, if there are no partners and `negative` is not given.
    """
    if negative is None and not paired:
        raise ValueError(f"contrast {name!r} is not paired; say which negative texts to take as well")
    chosen = [int(i) for i in positive]
    others = chosen if negative is None else [int(i) for i in negative]
    return Chosen(chosen, others, paired and others == chosen)


@dataclass(frozen=True)
class Contrast:
    """Texts with something and texts without it (or with its opposite)."""

    name: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    positive_templates: tuple[str, ...]
    """The independent units, as in `Pairs`."""
    negative_templates: tuple[str, ...]
    paired: bool
    """Whether each positive text and the negative one in the same place differ in nothing else."""

    def __post_init__(self) -> None:
        if not self.positive or not self.negative:
            raise ValueError(
                f"contrast {self.name!r} has {len(self.positive)} positive and {len(self.negative)} negative texts; "
                "give at least one of each"
            )
        for texts, templates in (
            (self.positive, self.positive_templates),
            (self.negative, self.negative_templates),
        ):
            if len(texts) != len(templates):
                raise ValueError(
                    f"contrast {self.name!r} has {len(templates)} templates for {len(texts)} texts; give each its own"
                )
        if self.paired:
            self._require_pairs()

    def rows(self, positive: Index, negative: Index | None = None) -> "Contrast":
        """Return some of the texts.

        Args:
            negative: which negative ones; `None` takes the partners of the positive ones.

        Raises: ValueError, if there are no partners and `negative` is not given, or a side would be empty.
        """
        chosen = chosen_sides(self.name, positive, negative, paired=self.paired)
        return replace(
            self,
            positive=tuple(self.positive[i] for i in chosen.positive),
            negative=tuple(self.negative[i] for i in chosen.negative),
            positive_templates=tuple(self.positive_templates[i] for i in chosen.positive),
            negative_templates=tuple(self.negative_templates[i] for i in chosen.negative),
            paired=chosen.paired,
        )

    def _require_pairs(self) -> None:
        if len(self.positive) != len(self.negative):
            raise ValueError(
                f"contrast {self.name!r} is paired, and has {len(self.positive)} positive and {len(self.negative)} "
                "negative texts; give as many of each, or paired=False"
            )
        same = [text for text, other in zip(self.positive, self.negative, strict=True) if text == other]
        if same:
            raise ValueError(f"contrast {self.name!r} has a pair of identical texts, {same[0]!r}; leave it out")
