"""Sentences with named slots, for tokenizers that read ordinary text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import TypeVar

import numpy as np

from interp_lab.folds import open_templates
from interp_lab.tasks.roles import Place, numbered
from interp_lab.types import nearest

T = TypeVar("T")


@dataclass(frozen=True)
class Sentence:
    """Text with slots such as `{place}`, up to where the answer begins."""

    id: str
    """Task and number; stable, because splits are by template."""
    text: str
    reserved: bool = False
    """Held out from everything that selects."""

    @property
    def slots(self) -> set[str]:
        """The names of the slots."""
        return {name for _, name, _, _ in Formatter().parse(self.text) if name is not None}

    def fill(self, **values: str) -> str:
        """Return the text with every slot filled; values without a slot are left over.

        Raises: ValueError, for a slot without a value.
        """
        for slot in sorted(self.slots - set(values)):
            raise ValueError(f"template {self.id} has a slot {slot!r} that is not filled{nearest(slot, values)}")
        return self.text.format(**values)

    def places(self, **values: str) -> dict[str, Place]:
        """Return where in the filled text each slot is; one that stands twice is `name` and `name.2`."""
        found, at = [], 0
        for literal, slot, _, _ in Formatter().parse(self.text):
            at += len(literal)
            if slot is not None and values[slot]:
                found.append((slot, Place(at, at + len(values[slot]))))
                at += len(values[slot])
        return numbered(found)


def sentences(
    task: str, *, slots: Sequence[str], ordinary: Sequence[str], reserved: Sequence[str] = ()
) -> tuple[Sentence, ...]:
    """Number the templates of a task.

    Args:
        slots: what every one of them must have.

    Raises: ValueError, for a template without one of the slots, or one that ends in a space.
    """
    made = tuple(
        Sentence(f"{task}/{number:02d}", text, reserved=number >= len(ordinary))
        for number, text in enumerate((*ordinary, *reserved))
    )
    for sentence in made:
        missing = [slot for slot in slots if slot not in sentence.slots]
        if missing:
            raise ValueError(
                f"template {sentence.id} has no slot {missing[0]!r}{nearest(missing[0], sentence.slots)}: "
                f"{sentence.text!r}; write {{{missing[0]}}} where it belongs"
            )
        if sentence.text != sentence.text.rstrip():
            raise ValueError(f"template {sentence.id} ends in a space, which belongs to the answer: {sentence.text!r}")
    return made


def usable(templates: Sequence[Sentence], *, reserved: bool | None) -> list[Sentence]:
    """Return the reserved templates, the others, or (`None`) all that are open (see `folds`).

    Raises: ValueError, if there are none of the kind; FoldError, for reserved ones where they are closed.
    """
    kind = open_templates(reserved)
    kept = [template for template in templates if kind in (None, template.reserved)]
    if not kept:
        raise ValueError(f"none of the {len(templates)} templates is {'reserved' if reserved else 'not reserved'}")
    return kept


def in_turn(options: Sequence[T], n: int, *, rng: np.random.Generator) -> Iterator[T]:
    """Go round the options `n` times in all, from a random one on, so that each comes up as often as any other.

    Raises: ValueError, for `n` below 1.
    """
    if n < 1:
        raise ValueError(f"n={n} makes an empty data set; ask for at least one pair")
    first = int(rng.integers(len(options)))
    return (options[(first + nth) % len(options)] for nth in range(n))


def pick_other(rng: np.random.Generator, options: Sequence[str], *, than: Sequence[str] = ()) -> str:
    """Draw one of the options that is none of `than`."""
    left = [option for option in options if option not in than]
    return left[int(rng.integers(len(left)))]
