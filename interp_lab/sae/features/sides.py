"""Two sets of texts to compare: where they come from, which units are independent, and which half chooses."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.stats import split_by_template
from interp_lab.tasks import Contrast, ContrastRule, grammar_contrast, grammar_documents, read_documents
from interp_lab.tasks.grammar_texts import CONTRASTS
from interp_lab.types import nearest


@dataclass(frozen=True)
class Sides:
    """Texts of two kinds, with their independent units (templates, or documents)."""

    name: str
    names: tuple[str, str]
    """Of the two sides."""
    first: tuple[str, ...]
    second: tuple[str, ...]
    first_units: tuple[str, ...]
    second_units: tuple[str, ...]
    paired: bool
    """Whether texts in the same place belong together: partners that differ in one thing, or one text in two models."""
    unit: str
    """What the independent units are."""

    def rows(self, first: Bool[np.ndarray, " first"], second: Bool[np.ndarray, " second"]) -> "Sides":
        """Return some of the texts of each side."""
        return Sides(
            self.name, self.names, *(
                tuple(value for value, kept in zip(values, mask, strict=True) if kept)
                for values, mask in (
                    (self.first, first), (self.second, second), (self.first_units, first),
                    (self.second_units, second),
                )
            ), self.paired, self.unit,
        )  # fmt: skip


def contrast_sides(name: str, n: int, *, seed: int, reserved: bool) -> Sides:
    """Return a contrast of the grammar: texts up to before the answer.

    Args:
        name: in `CONTRASTS`, or `BEHAVIOUR/LATENT` of a latent that takes two values.

    Raises: ValueError, for an unknown name, or a latent with more or fewer values.
    """
    rule = CONTRASTS[name] if name in CONTRASTS else _rule(name)
    drawn = grammar_contrast(rule, n, seed=seed, reserved=reserved)
    return from_contrast(drawn, name=name, names=(_told(rule.positive), _told(rule.negative)), unit="template")


def from_contrast(contrast: Contrast, *, name: str, names: tuple[str, str], unit: str) -> Sides:
    """Return the sides of a contrast, each pair (or, of unpaired ones, each text of a side) once."""
    if contrast.paired:
        rows = list(dict.fromkeys(zip(contrast.positive, contrast.negative, contrast.positive_templates, strict=True)))
        first, second, units = zip(*rows, strict=True)
        return Sides(name, names, first, second, units, units, True, unit)
    sides = [
        dict(zip(texts, templates, strict=True))
        for texts, templates in (
            (contrast.positive, contrast.positive_templates),
            (contrast.negative, contrast.negative_templates),
        )
    ]
    return Sides(
        name, names, tuple(sides[0]), tuple(sides[1]), tuple(sides[0].values()), tuple(sides[1].values()), False, unit
    )


def file_sides(files: tuple[str, str], n: int) -> Sides:
    """Return the first documents of two files or folders; every distinct text is a unit.

    Raises: ValueError, for files that there are not, or fewer than four documents in one.
    """
    found = [dict.fromkeys(one.text for one in islice(read_documents(Path(name)), n)) for name in files]
    for name, texts in zip(files, found, strict=True):
        if len(texts) < 4:
            raise ValueError(f"{name} has {len(texts)} different documents; a comparison of halves needs at least 4")
    units = [tuple(f"{side}{nth}" for nth in range(len(texts))) for side, texts in zip("ab", found, strict=True)]
    names = (Path(files[0]).name, Path(files[1]).name)
    return Sides(" / ".join(names), names, tuple(found[0]), tuple(found[1]), units[0], units[1], False, "document")


def model_sides(names: tuple[str, str], n: int, *, seed: int, reserved: bool, contrast: str | None) -> Sides:
    """Return the same texts for two models, each text once.

    Args:
        contrast: the texts are the first side of it; `None` takes texts of all behaviours, answers included. What
            tuning turned one way for some texts and the other way for others is not seen in the mean of all.

    Raises: ValueError, as `contrast_sides`.
    """
    if contrast is None:
        texts = {one.text: one.name for one in grammar_documents(n, seed=seed, reserved=reserved)}
        told = names[1]
    else:
        own = contrast_sides(contrast, n, seed=seed, reserved=reserved)
        texts = dict(zip(own.first, own.first_units, strict=True))
        told = f"{contrast} in {names[1]}"
    first, units = tuple(texts), tuple(texts.values())
    return Sides(told, names, first, first, units, units, True, "template")


def halves(sides: Sides, *, seed: int) -> tuple[Sides, Sides]:
    """Return the half that chooses and the half that reports; equal texts are in the same one.

    Raises: ValueError, if the texts of a template cannot be shared out.
    """
    both = (*sides.first, *sides.second)
    strata = [_stratum(sides, unit) for unit in (*sides.first_units, *sides.second_units)]
    n, linked = len(sides.first), _Linked(both)
    if sides.paired:
        for text, partner in zip(sides.first, sides.second, strict=True):
            linked.join(text, partner)
    together = [linked.root(text) for text in both]
    if sides.paired:
        strata, together = strata[:n], together[:n]
    splits = split_by_template(strata, held_out=None, together=together, seed=seed)
    chosen = np.zeros(len(strata), dtype=bool)
    chosen[splits.select] = True
    first, second = (chosen, chosen) if sides.paired else (chosen[:n], chosen[n:])
    return sides.rows(first, second), sides.rows(~first, ~second)


def _stratum(sides: Sides, unit: str) -> str:
    """Return what shares its texts between both halves: a template; documents all together, side by side."""
    return unit if sides.unit == "template" else unit[:1]


class _Linked:
    """Texts that must not be parted."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.above = {text: text for text in texts}

    def root(self, text: str) -> str:
        while self.above[text] != text:
            text = self.above[text]
        return text

    def join(self, one: str, other: str) -> None:
        self.above[self.root(one)] = self.root(other)


def _rule(name: str) -> ContrastRule:
    source, _, latent = name.partition("/")
    if not latent:
        known = ", ".join(CONTRASTS)
        raise ValueError(f"{name!r} names no set of texts{nearest(name, CONTRASTS)}; use {known}, or BEHAVIOUR/LATENT")
    drawn = [one.latents for one in behaviour(source).sample(400, seed=0)]
    if latent not in drawn[0]:
        raise ValueError(f"{source} has no latent {latent!r}{nearest(latent, drawn[0])}; it has {list(drawn[0])}")
    values = sorted({one[latent] for one in drawn}, key=str)
    if len(values) != 2:
        shown = ", ".join(map(str, values[:5]))
        raise ValueError(f"{name!r} takes {len(values)} values ({shown}); name a latent that takes two")
    return ContrastRule(source, latent, (values[1],), (values[0],))


def _told(values: Sequence[object]) -> str:
    return ", ".join(map(str, values[:2])) + (", ..." if len(values) > 2 else "")
