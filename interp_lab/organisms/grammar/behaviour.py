"""A family of texts: how its latents are drawn, and what they make of a template."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from interp_lab.folds import open_templates
from interp_lab.organisms.grammar.example import Example, Latents, Value
from interp_lab.organisms.grammar.template import Template
from interp_lab.types import nearest


@runtime_checkable
class Draw(Protocol):
    """Draws the latents of one text; what is random about a text is decided here, and nowhere else."""

    def __call__(self, rng: np.random.Generator) -> dict[str, Value]:
        """Return every latent, outcomes (a decision, a pronoun) included."""
        ...


@runtime_checkable
class Fill(Protocol):
    """Says what stands in every slot of every template, given the latents; no randomness."""

    def __call__(self, latents: Latents) -> Mapping[str, str]:
        """Return slot values; the slot `answer` among them."""
        ...


@runtime_checkable
class Answers(Protocol):
    """Says which words might stand, or might as well stand, where the answer stands."""

    def __call__(self, latents: Latents) -> tuple[str, ...]:
        """Return them, the most telling one first."""
        ...


@runtime_checkable
class Settle(Protocol):
    """Says what follows from the latents that were drawn, such as a probability or a decision."""

    def __call__(self, latents: Latents) -> Mapping[str, Value]:
        """Return the latents that follow."""
        ...


@runtime_checkable
class Details(Protocol):
    """Says what is known of the single words of a slot that holds several."""

    def __call__(self, latents: Latents) -> Mapping[str, Sequence[Mapping[str, Value]]]:
        """Return, by slot, one set of labels for each of its words."""
        ...


@dataclass(frozen=True)
class Behaviour:
    """Templates, a source of latents, and how latents become words."""

    name: str
    templates: tuple[Template, ...]
    draw: Draw
    fill: Fill
    wrong: Answers
    """What the answer would be under other latents."""
    behind: Mapping[str, tuple[str, ...]]
    """Which latents stand behind a slot: they become labels of the words in it."""
    varied: Mapping[str, tuple[Value, ...]]
    """Latents that a counterfactual may change, one at a time, with the values they may take; changing one of these
    changes words only in its own slots (and the answer), and keeps the number of words."""
    settle: Settle | None = None
    """Recomputes the latents that follow from the others, so that a counterfactual leaves none of them stale; `None`
    if none do."""
    accepted: Answers | None = None
    """All answers that are as right as the one drawn (any later year, say); `None` if there is only the one."""
    details: Details | None = None
    """Labels of single words, beside those that `behind` gives to the whole slot; `None` if there are none."""
    weight: float = 1.0
    """Share of the training text, relative to the other behaviours."""

    def __post_init__(self) -> None:
        for template in self.templates:
            if template.slots.count("answer") != 1:
                raise ValueError(f"template {template.id} must have the slot 'answer' exactly once: {template.text!r}")

    def example(self, template: Template, latents: Latents) -> Example:
        """Write one text.

        Raises: ValueError, for a slot that `fill` leaves empty; FoldError, for a reserved template where those are
            closed (see `folds`).
        """
        if template.reserved:
            open_templates(True)
        latents = self._settled(latents)
        filled = template.fill(self.fill(latents))
        labels = self._labels([slot for _, slot in filled], latents)
        at = [slot for _, slot in filled].index("answer")
        words = tuple(word for word, _ in filled)
        return Example(
            behaviour=self.name,
            template=template.id,
            reserved=template.reserved,
            words=words,
            labels=labels,
            latents=dict(latents),
            answer_at=at,
            answer=words[at],
            accepted=(words[at],) if self.accepted is None else self.accepted(latents),
            wrong=tuple(word for word in self.wrong(latents) if word != words[at]),
        )

    def text(self, template: Template, latents: Latents) -> str:
        """Write the text alone, which is that of `example`, without what is known about it: a third of the work.

        Raises: as `example`.
        """
        return " ".join(word for word, _ in template.fill(self.fill(self._settled(latents))))

    def _settled(self, latents: Latents) -> Latents:
        return latents if self.settle is None else {**latents, **self.settle(latents)}

    def _labels(self, slots: Sequence[str | None], latents: Latents) -> tuple[dict[str, Value], ...]:
        details = {} if self.details is None else self.details(latents)
        labels: list[dict[str, Value]] = []
        so_far: Counter[str] = Counter()
        for slot in slots:
            if slot is None:
                labels.append({})
                continue
            of_words = details.get(slot, ({},))
            own = of_words[so_far[slot] % len(of_words)]  # a slot that stands twice in a text starts again
            labels.append({"slot": slot, **{name: latents[name] for name in self.behind.get(slot, ())}, **own})
            so_far[slot] += 1
        return tuple(labels)

    def sample(self, n: int, *, seed: int, reserved: bool | None = None) -> list[Example]:
        """Draw `n` texts, templates in turn so that each comes up as often as any other.

        Args:
            reserved: only reserved templates, or only the others; `None` takes all that are open (see `folds`).

        Raises: ValueError, for `n` below 1; FoldError, for reserved templates where they are closed.
        """
        if n < 1:
            raise ValueError(f"n={n} makes an empty data set; ask for at least one text")
        rng, kind = np.random.default_rng(seed), open_templates(reserved)
        usable = [template for template in self.templates if kind in (None, template.reserved)]
        first = int(rng.integers(len(usable)))
        return [self.example(usable[(first + nth) % len(usable)], self.draw(rng)) for nth in range(n)]

    def counterfactual(self, example: Example, latent: str, value: Value) -> Example:
        """Write the same text with one latent changed, everything random kept.

        Raises: ValueError, for a latent that may not be varied, or a value it cannot take.
        """
        if latent not in self.varied:
            raise ValueError(
                f"{self.name} cannot vary {latent!r}{nearest(latent, self.varied)}; it varies {', '.join(self.varied)}"
            )
        if value not in self.varied[latent]:
            raise ValueError(f"{latent} of {self.name} cannot be {value!r}; it takes {self.varied[latent]}")
        template = next(template for template in self.templates if template.id == example.template)
        return self.example(template, {**example.latents, latent: value})

    @property
    def words(self) -> set[str]:
        """The words of the templates themselves; what slots add is found by sampling."""
        return {part for template in self.templates for part in template.text.split() if not part.startswith("{")}


def pick(rng: np.random.Generator, options: Sequence[Value]) -> Value:
    """Draw one of the options (a plain Python value, so that latents compare and store well)."""
    return options[int(rng.integers(len(options)))]
