"""One attribute at a time: which values are alike, and what lies between the two groups of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.audit.asked import Asked, Drawing, Example, asked_of, evenly
from interp_lab.audit.named import TwoGroups, value_named
from interp_lab.audit.reading import Reader
from interp_lab.audit.source import Written
from interp_lab.organisms.grammar import Value
from interp_lab.runs.fields import KeptFields
from interp_lab.tasks.sentences import in_turn


@dataclass(frozen=True)
class Scan(KeptFields):
    """The same texts with every value of every attribute, all else kept: what chooses."""

    attributes: tuple[str, ...]
    """Of each column."""
    values: tuple[str, ...]
    """Of each column."""
    p: Float[np.ndarray, "example column"]
    """Probability of the positive answer; NaN where the template does not show the attribute, or the text may not be
    seen."""
    templates: Shaped[np.ndarray, " example"]

    def columns(self, attribute: str) -> list[int]:
        """Return the columns of an attribute."""
        return [nth for nth, one in enumerate(self.attributes) if one == attribute]

    def deviations(self, attribute: str) -> Float[np.ndarray, " value"]:
        """Return how much likelier the positive answer is with each value than with the average one in the same text.

        Least squares over texts and values, since not every text has every value; NaN for a value that was never seen.
        """
        own = self.p[:, self.columns(attribute)]
        own = own[np.isfinite(own).sum(1) > 1]
        seen = np.isfinite(own)
        found = np.zeros(own.shape[1])
        for _ in range(50):  # alternating least squares: a few steps with few holes, and none without
            levels = np.where(seen, own - found, 0.0).sum(1) / np.maximum(seen.sum(1), 1)
            found = np.where(seen, own - levels[:, None], 0.0).sum(0) / np.maximum(seen.sum(0), 1)
            found -= found[seen.any(0)].mean() if seen.any() else 0.0
        return np.where(seen.any(0), found, np.nan)

    def groups(self, attribute: str) -> TwoGroups | None:
        """Return the values in two groups; `None` if fewer than two values were seen.

        Of all cuts of the values in order of their deviation, the one between whose groups lies most of the variance
        over values: what one split of a regression tree does.
        """
        deviations = self.deviations(attribute)
        names = [self.values[nth] for nth in self.columns(attribute)]
        order = [int(nth) for nth in np.argsort(-deviations, kind="stable") if np.isfinite(deviations[nth])]
        if len(order) < 2:
            return None
        sorted_ = deviations[order]
        cuts = range(1, len(order))
        between = [cut * (len(order) - cut) * (sorted_[:cut].mean() - sorted_[cut:].mean()) ** 2 for cut in cuts]
        cut = 1 + int(np.argmax(between))
        return TwoGroups(attribute, tuple(names[nth] for nth in order[:cut]), tuple(names[nth] for nth in order[cut:]))

    def effect(self, groups: TwoGroups) -> float:
        """Return the difference of the groups' mean deviations."""
        deviations = dict(
            zip((self.values[nth] for nth in self.columns(groups.attribute)), self.deviations(groups.attribute),
                strict=True)
        )  # fmt: skip
        upper, lower = (np.mean([deviations[value] for value in side]) for side in (groups.upper, groups.lower))
        return float(upper - lower)

    def differences(self, groups: TwoGroups) -> tuple[Float[np.ndarray, " example"], Shaped[np.ndarray, " example"]]:
        """Return P with the upper group less P with the lower one, for each text with values of both; its template."""
        columns = {self.values[nth]: nth for nth in self.columns(groups.attribute)}
        upper, lower = (self.p[:, [columns[value] for value in side]] for side in (groups.upper, groups.lower))
        both = np.isfinite(upper).any(1) & np.isfinite(lower).any(1)
        return np.nanmean(upper[both], axis=1) - np.nanmean(lower[both], axis=1), self.templates[both]


def scanned(reader: Reader, drawing: Drawing, attributes: Mapping[str, tuple[Value, ...]], *, n: int) -> Scan:
    """Write texts with every value of every attribute that may be seen, and read them all."""
    columns = [(name, value) for name, values in attributes.items() for value in values]
    templates, places, texts = [], [], []
    every = drawing.source.templates(reserved=drawing.reserved)
    for nth, template in enumerate(in_turn(every, n, rng=drawing.rng)):
        latents = drawing.source.draw(drawing.rng)
        templates.append(template.id)
        for column, (name, value) in enumerate(columns):
            if name not in drawing.source.shown(template):
                continue
            text = drawing.write(template, latents, **{name: value})
            if text is not None:
                places.append((nth, column))
                texts.append(text)
    p = np.full((n, len(columns)), np.nan)
    if texts:
        p[tuple(np.array(places).T)] = reader.read(texts)
    drawing.taken.update(texts)
    return Scan(tuple(name for name, _ in columns), tuple(str(value) for _, value in columns), p, np.array(templates))


def asked_single(
    reader: Reader,
    drawing: Drawing,
    groups: Sequence[TwoGroups],
    pool: Sequence[str],
    *,
    n: int,
    n_controls: int,
) -> Asked:
    """Ask about attributes between their two groups.

    The texts of an example: with a value of the upper group, with one of the lower group, and then the first of these
    with another attribute's word replaced, once for each control.

    Args:
        pool: attributes that controls replace; where there are none, they replace the value by another one of its
            group.

    Raises: ValueError, if there is nothing to compare with.
    """
    rows = []
    for one in groups:
        values = drawing.source.varied[one.attribute]
        sides = tuple([value_named(values, text, of=one.attribute) for text in side] for side in (one.upper, one.lower))
        others = [name for name in pool if name != one.attribute]
        if not others and len(sides[0]) < 2:
            raise ValueError(
                f"there is nothing to compare {one.attribute} with: every other attribute is tested too, and it has "
                "one value on the upper side; add an attribute that should make no difference"
            )

        def fits(template: Written, name: str = one.attribute, others: Sequence[str] = others) -> bool:
            shown = drawing.source.shown(template)
            return name in shown and (not others or not shown.isdisjoint(others))

        def make(
            template: Written, name: str = one.attribute, sides: tuple = sides, others: Sequence[str] = others
        ) -> Example | None:
            return _example(drawing, template, name, sides, others, n_controls=n_controls)

        rows.append((str(one), drawing.examples(n, fits, make, what=one.attribute)))
    return asked_of(reader, rows, n_texts=2 + n_controls, n=n)


def _example(
    drawing: Drawing,
    template: Written,
    attribute: str,
    sides: tuple[list[Value], list[Value]],
    others: Sequence[str],
    *,
    n_controls: int,
) -> Example | None:
    source, rng = drawing.source, drawing.rng
    latents = source.draw(rng)
    upper = drawing.one_of(template, latents, attribute, sides[0])
    lower = None if upper is None else drawing.one_of(template, latents, attribute, sides[1])
    if upper is None or lower is None:
        return None
    base = {**latents, attribute: upper[0]}
    usable = [name for name in others if name in source.shown(template)] or [attribute]
    texts = [upper[1], lower[1]]
    for _ in range(n_controls):
        found = None
        for name in evenly(rng, usable):
            values = sides[0] if name == attribute else source.varied[name]
            found = drawing.one_of(template, base, name, [value for value in values if value != base[name]])
            if found is not None:
                break
        if found is None:
            return None
        texts.append(found[1])
    return Example(template.id, tuple(texts))


def _should(drawing: Drawing, latents: Mapping[str, Value]) -> float:
    said = drawing.source.should(latents)
    return float("nan") if said is None else float(said)


def asked_ordinary(reader: Reader, drawing: Drawing, *, n: int) -> Asked:
    """Read ordinary texts, as they are drawn: one text in each example."""

    def make(template: Written) -> Example | None:
        latents = drawing.source.draw(drawing.rng)
        text = drawing.write(template, latents)
        return None if text is None else Example(template.id, (text,), _should(drawing, latents))

    examples = drawing.examples(n, lambda _: True, make, what="anything")
    return asked_of(reader, [("ordinary texts", examples)], n_texts=1, n=n)


def differences(held: Float[np.ndarray, "example text"]) -> Float[np.ndarray, " example"]:
    """Return P with the upper group less P with the lower one."""
    return held[:, 0] - held[:, 1]


def rewordings(held: Float[np.ndarray, "example text"]) -> Float[np.ndarray, "control example"]:
    """Return by how much P changes where another word is replaced, whichever way."""
    return np.abs(held[:, 2:] - held[:, :1]).T
