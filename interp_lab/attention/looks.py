"""What heads look like: types that hold on every text they were looked for on, each above its null."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.heads import typed_heads
from interp_lab.attention.readings import HeadScores
from interp_lab.claims import Split
from interp_lab.stats import Intervals, bootstrap_interval
from interp_lab.types import HeadIndex

REPEATS, TEXT = "repeats", "text"
"""What scores were measured on."""


@dataclass(frozen=True)
class Looks:
    """Scores of every head on every text, and the types that follow from them."""

    config: AttentionHeadsConfig
    types: Mapping[str, tuple[str, ...]]
    """By text the names of the types, in the order of every `type` axis."""
    select: Mapping[str, HeadScores]
    """By text; what types are chosen on."""
    second: HeadScores
    """On repeats of another period, where types must hold, too."""
    report: Mapping[str, HeadScores]
    """By text, on other sequences: what is reported."""

    @property
    def texts(self) -> tuple[str, ...]:
        """What was read: repeats, and natural text if there is any."""
        return tuple(self.select)

    @property
    def n_heads(self) -> tuple[int, int]:
        """Layers, and heads in each."""
        _, n_layers, n_heads, _ = self.second.scores.shape
        return n_layers, n_heads

    @cached_property
    def on(self) -> dict[str, Bool[np.ndarray, "type layer head"]]:
        """By text, which heads look like which type, chosen on the select half (on repeats on both periods)."""
        found = {text: scores.looks(self.config) for text, scores in self.select.items()}
        return {**found, REPEATS: found[REPEATS] & self.second.looks(self.config)}

    @cached_property
    def of_heads(self) -> dict[HeadIndex, tuple[str, ...]]:
        """The types of every head that has any, on either text."""
        found: dict[HeadIndex, tuple[str, ...]] = {}
        for text, looks in self.on.items():
            for head, kinds in typed_heads(looks, self.types[text]).items():
                found[head] = tuple(dict.fromkeys((*found.get(head, ()), *kinds)))
        return dict(sorted(found.items()))

    @property
    def untyped(self) -> list[HeadIndex]:
        """The heads that look like no type ("mixed"): the controls of every ablation."""
        return [head for head in np.ndindex(*self.n_heads) if head not in self.of_heads]

    @cached_property
    def intervals(self) -> dict[str, Intervals]:
        """By text the mean score with interval, on the report half; axes type, layer, head."""
        level, seed = self.config.level, self.config.seed
        return {text: bootstrap_interval(one.scores, level=level, seed=seed) for text, one in self.report.items()}

    def null(self, text: str, kind: str) -> float:
        """Return the mean of a type's null on the report half."""
        return float(self.report[text].null[self.types[text].index(kind)].mean())

    def told(self, head: HeadIndex) -> str:
        """Return the scores of a head's types, each beside its null."""
        parts = []
        for text, looks in self.on.items():
            for kind in typed_heads(looks, self.types[text]).get(head, ()):
                score = self.intervals[text].at(self.types[text].index(kind), *head)
                where = "" if text == REPEATS else " on text"
                parts.append(f"{kind} score{where} {score} (null {self.null(text, kind):.3f})")
        return "; ".join(parts)

    @cached_property
    def agreement(self) -> dict[str, float]:
        """By text, how far the types found on the report half alone are those found on the select half alone.

        Jaccard of the pairs of head and type; 1 where neither half finds any.
        """
        shares = {}
        for text in self.texts:
            first, other = (half[text].looks(self.config) for half in (self.select, self.report))
            shares[text] = float((first & other).sum() / (first | other).sum()) if (first | other).any() else 1.0
        return shares

    def best(self) -> dict[str, float]:
        """Return per type the report score of the head with the highest select score, on repeats where they have it."""
        found = {}
        for text in reversed(self.texts):
            for nth, kind in enumerate(self.types[text]):
                at = np.unravel_index(self.select[text].scores[nth].mean(-1).argmax(), self.n_heads)
                found[kind] = float(self.intervals[text].estimate[(nth, *at)])
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all that `from_arrays` needs besides the config."""
        found = {f"types_{text}": np.array(names) for text, names in self.types.items()}
        parts = {f"select_{text}": one for text, one in self.select.items()}
        parts |= {"second": self.second, **{f"report_{text}": one for text, one in self.report.items()}}
        for name, one in parts.items():
            found |= {f"{name}_scores": one.scores, f"{name}_null": one.null}
        return found

    @classmethod
    def from_arrays(cls, config: AttentionHeadsConfig, arrays: Mapping[str, np.ndarray]) -> "Looks":
        """Rebuild from `arrays`; others are left alone."""

        def read(name: str) -> HeadScores:
            return HeadScores(arrays[f"{name}_scores"], arrays[f"{name}_null"])

        texts = [text for text in (REPEATS, TEXT) if f"types_{text}" in arrays]
        halves = [{text: read(f"{half}_{text}") for text in texts} for half in (Split.SELECT, Split.REPORT)]
        types = {text: tuple(map(str, arrays[f"types_{text}"])) for text in texts}
        return cls(config, types, halves[0], read("second"), halves[1])
