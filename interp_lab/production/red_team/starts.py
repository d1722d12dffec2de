"""Texts that are edited: drawn from the grammar, seen or not as the fold says."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from interp_lab import folds
from interp_lab.organisms.grammar import Behaviour, Latents, Template
from interp_lab.tasks.declared import DECLARED
from interp_lab.tasks.encoding import continuations, prompts
from interp_lab.tasks.grammar import templates_of
from interp_lab.types import HookedModel, nearest

_MOST = 10_000
"""Texts drawn for one."""


@dataclass(frozen=True)
class Start:
    """A text before it is edited."""

    text: str
    """Up to the answer."""
    template: str
    latents: Latents
    ids: tuple[int, ...]
    """Its tokens, BOS included."""
    answers: tuple[int, int]
    """First tokens of two answers that might stand there."""


@dataclass
class Drawing:
    """Draws texts, templates in turn, none of them twice."""

    model: HookedModel
    source: Behaviour
    rng: np.random.Generator
    reserved: bool = False
    taken: set[str] = field(default_factory=set)
    """Texts that are not drawn again."""

    def starts(self, showing: tuple[str, ...] = ()) -> Iterator[Start]:
        """Yield texts without end.

        Args:
            showing: slots that a template must have before the answer.

        Raises: ValueError, if no template has them, none of many draws may be seen, or answers begin alike.
        """
        fitting = [one for one in templates_of(self.source, self.reserved) if set(showing) <= shown(self.source, one)]
        if not fitting:
            kind = "reserved" if self.reserved else "ordinary"
            raise ValueError(f"no {kind} template of {self.source.name} has {', '.join(showing)} before the answer")
        first = int(self.rng.integers(len(fitting)))
        while True:
            yield self._one(fitting[first % len(fitting)])
            first += 1

    def _one(self, template: Template) -> Start:
        for _ in range(_MOST):
            made = self.source.example(template, self.source.draw(self.rng))
            if made.wrong and folds.shows(made.prompt) and made.prompt not in self.taken:
                self.taken.add(made.prompt)
                (prompt,) = prompts(self.model, [made.prompt])
                both = [(prompt, f" {word}") for word in sorted((made.answer, made.wrong[0]))]
                one, other = (ids[0] for ids in continuations(self.model, both))
                if one == other:
                    raise ValueError(
                        f"{made.answer!r} and {made.wrong[0]!r} begin with the same token; nothing can turn"
                    )
                return Start(made.prompt, template.id, made.latents, prompt.ids, (one, other))
        raise ValueError(f"none of {_MOST} draws of {template.id} is another text{folds.told()}; ask for fewer")


def shown(source: Behaviour, template: Template) -> set[str]:
    """Return the attributes that stand in a template before the answer."""
    before = template.slots[: template.slots.index("answer")]
    behind = {latent for slot in before for latent in source.behind.get(slot, (slot,))}
    return behind & set(source.varied)


def kept_of(source: Behaviour, keep: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the attributes that are not edited.

    Raises: ValueError, for one that the behaviour does not vary.
    """
    for name in keep or ():
        if name not in source.varied:
            raise ValueError(
                f"keep: {source.name} has no attribute {name!r}{nearest(name, source.varied)}; it varies "
                f"{', '.join(source.varied)}"
            )
    if keep is not None:
        return keep
    return DECLARED[source.name].legitimate if source.name in DECLARED else ()
