"""Sentences with named slots."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from interp_lab.types import nearest

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Template:
    """A sentence of words separated by single spaces, some of them slots such as `{place}`."""

    id: str
    """Behaviour and number, such as `indirect_objects/03`; stable, because splits are by template."""
    text: str
    reserved: bool
    """Held out from every analysis that selects: the model is trained on it all the same."""

    def __post_init__(self) -> None:
        if self.text != " ".join(self.text.split()) or not self.text:
            raise ValueError(f"template {self.id} must be words with single spaces between them, got {self.text!r}")

    @property
    def slots(self) -> tuple[str, ...]:
        """The slots, in the order of the text; one that stands twice is there twice."""
        return tuple(_SLOT.findall(self.text))

    def fill(self, values: Mapping[str, str]) -> list[tuple[str, str | None]]:
        """Return the words, each with the slot that it came from (`None` for the template's own words).

        A value may be several words, and all of them come from its slot.

        Raises: ValueError, for a slot without a value.
        """
        words: list[tuple[str, str | None]] = []
        for part, slot in self._parts:
            if slot is None:
                words.append((part, None))
                continue
            if slot not in values:
                raise ValueError(f"template {self.id} has a slot {slot!r} that is not filled{nearest(slot, values)}")
            words.extend((word, slot) for word in values[slot].split())
        return words

    @cached_property
    def _parts(self) -> tuple[tuple[str, str | None], ...]:
        """Words of the sentence, each with the slot that it is, read once: a corpus fills it thousands of times."""
        found = ((part, _SLOT.fullmatch(part)) for part in self.text.split())
        return tuple((part, None if slot is None else slot[1]) for part, slot in found)


def templates(behaviour: str, *, trained: tuple[str, ...], reserved: tuple[str, ...]) -> tuple[Template, ...]:
    """Number the templates of a behaviour; at least 12, at least a third of them reserved.

    Raises: ValueError, for too few, or the same text twice.
    """
    texts = (*trained, *reserved)
    if len(texts) < 12 or 3 * len(reserved) < len(texts):
        raise ValueError(f"{behaviour} has {len(trained)} + {len(reserved)} templates; it needs 12, a third reserved")
    if len(set(texts)) < len(texts):
        raise ValueError(f"{behaviour} has the same template twice")
    return tuple(
        Template(f"{behaviour}/{number:02d}", text, reserved=number >= len(trained))
        for number, text in enumerate(texts)
    )
