"""Two values at a time: all pairs of values screened in texts that hold dozens of them each, the best looked at alone.

A screen of every pair in texts of its own costs several texts for each of thousands of pairs. Here every attribute of a
text is drawn evenly and by itself, so that each text holds one pair of values for each pair of attributes, and every
pair of values comes up in many backgrounds: what single values do is fitted (log odds as a sum), and what counts is how
often the answer is not the one that this sum expects, among texts that hold both values. A pair that turns answers
around, whichever way they were, stands out; a pair that pushes one way stands out on one side only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from interp_lab.audit.asked import Asked, Drawing, Example, asked_of
from interp_lab.audit.named import TURN, PairsThat, ValuePair, value_named
from interp_lab.audit.reading import Reader
from interp_lab.audit.source import Written
from interp_lab.audit.turned import EDGE, SIDES
from interp_lab.organisms.grammar import Value
from interp_lab.runs.fields import KeptFields

FEWEST = 2
"""Texts on either side from which something is said of a pair."""
N_TRIES = 200
"""Other pairs of values that are tried for one control."""
_PENALTY = 1.0


@dataclass(frozen=True)
class Screen(KeptFields):
    """Texts with every attribute drawn evenly."""

    attributes: tuple[str, ...]
    """Of each column."""
    values: tuple[str, ...]
    """Of each column."""
    held: Int[np.ndarray, "example column"]
    """1 where the text shows this value before its answer."""
    p: Float[np.ndarray, " example"]
    templates: Shaped[np.ndarray, " example"]

    @property
    def surprise(self) -> Float[np.ndarray, " example"]:
        """Probability of the answer that single values do not speak for."""
        return np.where(self.expected > 0, 1 - self.p, self.p)

    @property
    def expected(self) -> Float[np.ndarray, " example"]:
        """Log odds that single values add up to."""
        odds = np.log(np.clip(self.p, EDGE, 1 - EDGE) / np.clip(1 - self.p, EDGE, 1 - EDGE))
        return self._added_up(odds)

    def _added_up(self, values: Float[np.ndarray, " example"]) -> Float[np.ndarray, " example"]:
        """Return the sum of what templates and single values do, fitted by least squares."""
        names = sorted(set(self.templates.tolist()))
        where = np.array([[own == name for name in names] for own in self.templates.tolist()], dtype=np.float64)
        features = np.concatenate([self.held.astype(np.float64), where], axis=1)
        features = features - features.mean(0)
        weights = np.linalg.solve(
            features.T @ features + _PENALTY * np.eye(features.shape[1]), features.T @ (values - values.mean())
        )
        return values.mean() + features @ weights

    @property
    def n_pairs(self) -> int:
        """Pairs of values of two attributes that are held by enough texts of either side."""
        return int(np.triu(self._enough, 1).sum())

    @property
    def _enough(self) -> Shaped[np.ndarray, "column column"]:
        own = np.array(self.attributes)
        found = own[:, None] != own[None]
        for side in SIDES:
            held = self.held[np.sign(self.expected) == side].astype(np.int64)
            found &= held.T @ held >= FEWEST
        return found

    def best(self, n: int, *, that: PairsThat = TURN) -> list[ValuePair]:
        """Return the pairs with most surprise on the side where they have less of it, less its standard error.

        Pairs that bring one answer are those in whose texts the answer is furthest from the sum of what single values
        do to its probability.
        """
        if that != TURN:
            held = self.held.astype(np.float64)
            count = held.T @ held
            rest = self.p - self._added_up(self.p)
            score = np.abs(held.T @ (held * rest[:, None])) / np.maximum(count, 1) - 0.5 / np.sqrt(np.maximum(count, 1))
            return self._first(np.where(count >= FEWEST, score, -np.inf), n)
        surprise, scores = self.surprise, []
        for side in SIDES:
            rows = np.sign(self.expected) == side
            held = self.held[rows].astype(np.float64)
            count = np.maximum(held.T @ held, 1)
            mean = held.T @ (held * surprise[rows, None]) / count
            scores.append(mean - 0.5 / np.sqrt(count))
        return self._first(np.where(self._enough, np.minimum(*scores), -np.inf), n)

    def _first(self, score: Float[np.ndarray, "column column"], n: int) -> list[ValuePair]:
        own = np.array(self.attributes)
        score = np.where(np.triu(own[:, None] != own[None], 1), score, -np.inf)
        order = np.argsort(-score, axis=None, kind="stable")[:n]
        found = [(int(at) // len(score), int(at) % len(score)) for at in order if np.isfinite(score.ravel()[at])]
        return [ValuePair(self._named(one), self._named(other)) for one, other in found]

    def _named(self, column: int) -> tuple[str, str]:
        return self.attributes[column], self.values[column]


def screened(reader: Reader, drawing: Drawing, attributes: Mapping[str, tuple[Value, ...]], *, n: int) -> Screen:
    """Draw texts evenly, and read them; `drawing` must be one that chooses."""
    columns = {(name, value): nth for nth, (name, value) in enumerate(
        (name, value) for name, values in attributes.items() for value in values
    )}  # fmt: skip
    held = np.zeros((n, len(columns)), dtype=np.int64)
    rng, source = drawing.rng, drawing.source
    shown_in: dict[str, frozenset[str]] = {}

    def make(template: Written) -> Example | None:
        drawn = {name: values[int(rng.integers(len(values)))] for name, values in attributes.items()}
        text = drawing.write(template, {**source.draw(rng), **drawn})
        if text is None:
            return None
        shown_in[text] = source.shown(template)
        latents.append(drawn)
        return Example(template.id, (text,))

    latents: list[dict[str, Value]] = []
    examples = drawing.examples(n, lambda _: True, make, what="anything")
    for nth, (drawn, example) in enumerate(zip(latents, examples, strict=True)):
        for name in shown_in[example.texts[0]].intersection(attributes):
            held[nth, columns[name, drawn[name]]] = 1
    texts = [example.texts[0] for example in examples]
    return Screen(
        tuple(name for name, _ in columns), tuple(str(value) for _, value in columns), held, reader.read(texts),
        np.array([example.template for example in examples]),
    )  # fmt: skip


def asked_pairs(
    reader: Reader, drawing: Drawing, pairs: Sequence[ValuePair], *, n: int, n_controls: int, attributes: Sequence[str]
) -> Asked:
    """Ask about pairs of values.

    The texts of an example: with neither value, with the first, with the second, with both; and then, once for each
    control, two values of two other attributes: the first, the second, both.

    Args:
        attributes: whose values controls take.
    """
    rows = []
    for pair in pairs:
        names = (pair.first[0], pair.second[0])
        changes = {
            name: value_named(drawing.source.varied[name], text, of=name) for name, text in (pair.first, pair.second)
        }
        others = [name for name in attributes if name not in names]

        def fits(template: Written, names: tuple[str, str] = names, others: Sequence[str] = others) -> bool:
            shown = drawing.source.shown(template)
            return shown.issuperset(names) and (not n_controls or len(shown.intersection(others)) > 1)

        def make(
            template: Written, changes: Mapping[str, Value] = changes, others: Sequence[str] = others
        ) -> Example | None:
            return _example(drawing, template, changes, others, n_controls=n_controls)

        rows.append((str(pair), drawing.examples(n, fits, make, what=str(pair))))
    return asked_of(reader, rows, n_texts=4 + 3 * n_controls, n=n)


def _example(
    drawing: Drawing, template: Written, changes: Mapping[str, Value], others: Sequence[str], *, n_controls: int
) -> Example | None:
    source, rng = drawing.source, drawing.rng
    latents = source.draw(rng)
    if any(latents[name] == value for name, value in changes.items()):
        return None
    texts = _with_each(drawing, template, latents, changes)
    neither = drawing.write(template, latents)
    if texts is None or neither is None:
        return None
    usable = [name for name in others if name in source.shown(template)]
    found = [neither, *texts]
    for _ in range(n_controls):
        control = _control(drawing, template, latents, usable)
        if control is None:
            return None
        found += control
    return Example(template.id, tuple(found))


def _with_each(
    drawing: Drawing, template: Written, latents: Mapping[str, Value], changes: Mapping[str, Value]
) -> list[str] | None:
    """Return texts with the first change, the second, and both; `None` if one of them may not be seen."""
    (first, one), (second, other) = changes.items()
    texts: list[str] = []
    for change in ({first: one}, {second: other}, dict(changes)):
        text = drawing.write(template, latents, **change)
        if text is None:
            return None
        texts.append(text)
    return texts


def _control(
    drawing: Drawing, template: Written, latents: Mapping[str, Value], usable: Sequence[str]
) -> list[str] | None:
    rng = drawing.rng
    for _ in range(N_TRIES):
        drawn = {}
        for nth in rng.permutation(len(usable))[:2]:
            values = [value for value in drawing.source.varied[usable[nth]] if value != latents[usable[nth]]]
            drawn[usable[nth]] = values[int(rng.integers(len(values)))]
        texts = _with_each(drawing, template, latents, drawn)
        if texts is not None:
            return texts
    return None
