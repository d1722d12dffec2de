"""What was read of texts that differ in one respect: rows of examples of several texts each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab import folds
from interp_lab.audit.reading import Reader
from interp_lab.audit.source import Source, Written
from interp_lab.organisms.grammar import Latents, Value
from interp_lab.runs.fields import KeptFields
from interp_lab.tasks.sentences import in_turn

MOST = 20_000
"""Texts drawn for one example."""


@dataclass(frozen=True)
class Example:
    """Texts that are one example, the template that they are of, and what should be decided of the first."""

    template: str
    texts: tuple[str, ...]
    should: float = float("nan")
    """1 for the positive answer, 0 for the other, NaN where that is not known."""


@dataclass(frozen=True)
class Asked(KeptFields):
    """Probabilities of the positive answer; what the texts of an example are depends on what was asked."""

    names: tuple[str, ...]
    """Of the rows."""
    plain: Float[np.ndarray, "row example text"]
    steered: Float[np.ndarray, "row example text"]
    """Under what an earlier run found; NaN where nothing was to be measured under."""
    templates: Shaped[np.ndarray, "row example"]
    should: Float[np.ndarray, "row example"]
    """What should be decided of the first text: 1 for the positive answer, 0, or NaN where it is not known."""

    def row(self, name: str) -> int:
        """Return the place of a row; it must be there."""
        return self.names.index(name)

    def clusters(self, row: int) -> Shaped[np.ndarray, " example"]:
        """Return what intervals of a row resample: templates, or examples where all are of one template."""
        own = self.templates[row]
        return own if len(set(own.tolist())) > 1 else np.arange(len(own)).astype(str)


def asked_of(reader: Reader, rows: Sequence[tuple[str, Sequence[Example]]], *, n_texts: int, n: int) -> Asked:
    """Read the texts of all rows together.

    Args:
        n_texts: in each example; says the shape where there are no rows.
        n: examples in each row.
    """
    texts = [text for _, examples in rows for one in examples for text in one.texts]
    plain, steered = reader.both(texts) if texts else (np.zeros(0), np.zeros(0))
    shape = (len(rows), n, n_texts)
    templates = np.array([[one.template for one in examples] for _, examples in rows], dtype=str)
    should = np.array([[one.should for one in examples] for _, examples in rows], dtype=np.float64)
    return Asked(
        tuple(name for name, _ in rows),
        plain.reshape(shape),
        steered.reshape(shape),
        templates.reshape(shape[:2]),
        should.reshape(shape[:2]),
    )


@dataclass
class Drawing:
    """Draws texts that may be seen, and none that was written before to choose by."""

    source: Source
    rng: np.random.Generator
    reserved: bool = False
    taken: set[str] = field(default_factory=set)
    """Texts that something was chosen by."""
    chooses: bool = False
    """Whether something is chosen by the examples that are made here, so that none of their texts is written again."""

    def write(self, template: Written, latents: Latents, **changes: Value) -> str | None:
        """Return a text with some latents changed; `None` if it may not be seen, or was seen to choose by."""
        text = self.source.prompt(template, {**latents, **changes})
        return text if folds.shows(text) and text not in self.taken else None

    def one_of(
        self, template: Written, latents: Latents, attribute: str, values: Sequence[Value]
    ) -> tuple[Value, str] | None:
        """Return one of some values, and the text with it; `None` if no such text may be seen."""
        for nth in self.rng.permutation(len(values)):
            text = self.write(template, latents, **{attribute: values[nth]})
            if text is not None:
                return values[nth], text
        return None

    def examples(
        self, n: int, fitting: Callable[[Written], bool], make: Callable[[Written], Example | None], *, what: str
    ) -> list[Example]:
        """Make examples, templates in turn.

        Args:
            fitting: whether a template shows what is asked about.
            make: tries to make one; `None` is tried again.
            what: is asked about, for the error.

        Raises: ValueError, if no template fits, or none of many tries makes one.
        """
        every = [template for template in self.source.templates(reserved=self.reserved) if fitting(template)]
        if not every:
            kind = "reserved" if self.reserved else "ordinary"
            raise ValueError(f"no {kind} template of {self.source.name} shows {what} before the answer")
        made = [self._made(template, make, what=what) for template in in_turn(every, n, rng=self.rng)]
        if self.chooses:
            self.taken.update(text for one in made for text in one.texts)
        return made

    def _made(self, template: Written, make: Callable[[Written], Example | None], *, what: str) -> Example:
        for _ in range(MOST):
            found = make(template)
            if found is not None:
                return found
        raise ValueError(
            f"none of {MOST} draws of {template.id} makes an example for {what}{folds.told()}; give attributes more "
            "values (texts that something was chosen by are not used again), or set fold to all"
        )


def evenly(rng: np.random.Generator, options: Sequence[str]) -> Iterator[str]:
    """Yield the options in random order."""
    return (options[nth] for nth in rng.permutation(len(options)))
