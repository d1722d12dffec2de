"""Names of labels, a behaviour of the grammar and one of its latents, and texts in which they vary."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from interp_lab import folds
from interp_lab.organisms.grammar import Example, Value
from interp_lab.organisms.grammar.corpus import BEHAVIOURS, behaviour
from interp_lab.types import nearest

RANDOM = "random"
"""A latent that no text has: a coin per text."""
MOST_CLASSES = 12
"""Values up to which a latent is taken for classes, and up to which `*` includes it."""
_SAMPLE = 200


@dataclass(frozen=True)
class LabelName:
    """What is probed for."""

    behaviour: str
    latent: str

    def __str__(self) -> str:
        """As it is written in a config."""
        return f"grammar/{self.behaviour}/{self.latent}"


def labels_named(names: Sequence[str]) -> tuple[LabelName, ...]:
    """Return the labels that names stand for, each once, `*` expanded.

    Raises: ValueError, for a name of another form, an unknown behaviour, or a latent that it has not.
    """
    found: dict[LabelName, None] = {}
    for name in names:
        parts = name.split("/")
        if len(parts) != 3 or parts[0] != "grammar":
            raise ValueError(f"{name!r} names no label; write grammar/BEHAVIOUR/LATENT, such as grammar/truth/is_true")
        sources = tuple(BEHAVIOURS) if parts[1] == "*" else (behaviour(parts[1]).name,)
        for source in sources:
            known = latents_of(source)
            if parts[2] not in ("*", RANDOM, *known):
                raise ValueError(
                    f"{source} has no latent {parts[2]!r}{nearest(parts[2], known)}; it has {', '.join(known)}"
                )
            few = [latent for latent, n in known.items() if 2 <= n <= MOST_CLASSES]
            found |= {LabelName(source, one): None for one in (few if parts[2] == "*" else [parts[2]])}
    return tuple(found)


def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    labels_named(names)
    return names


Labels = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_checked)]
"""Labels in a config, `grammar/BEHAVIOUR/LATENT`: a latent `*` stands for all of a behaviour that take from 2 to 12
values, a behaviour `*` for all behaviours."""


@lru_cache(maxsize=64)
def latents_of(name: str) -> dict[str, int]:
    """Return the latents of a behaviour, with how many values each takes in a few hundred texts."""
    drawn = behaviour(name).sample(_SAMPLE, seed=0)
    return {latent: len({example.latents[latent] for example in drawn}) for latent in drawn[0].latents}


def distinct_texts(
    name: LabelName, n: int, *, reserved: bool, values: Sequence[Value] | None = None, seed: int = 0
) -> list[Example]:
    """Draw texts whose prompts differ, so that none is both learnt from and tested; those with the values wanted.

    Args:
        n: as many at most; fewer where a behaviour has no more.
        reserved: of reserved templates, or of the others.

    Raises: ValueError, if not half as many differ.
    """
    source, found = behaviour(name.behaviour), dict[str, Example]()
    scale = folds.more_draws()
    for times in (1, 2, 4):  # a longer draw begins with a shorter one
        rng, found = np.random.default_rng(seed), {}
        drawn = source.sample(scale * (times * n + n // 4), seed=seed, reserved=reserved)
        for example in drawn:
            if name.latent == RANDOM:
                example = replace(example, latents={**example.latents, RANDOM: bool(rng.random() < 0.5)})
            if (values is None or example.latents[name.latent] in values) and folds.shows(example.prompt):
                found.setdefault(example.prompt, example)
        if len(found) >= n:
            break
    if len(found) < n // 2:
        among = "" if values is None else f" and have {name} among {', '.join(map(repr, values))}"
        kind = "reserved templates" if reserved else "ordinary templates"
        raise ValueError(
            f"of {len(drawn)} texts of {name.behaviour} ({kind}) only {len(found)}{folds.told()} differ{among}; ask "
            f"for fewer than {n}"
        )
    return list(found.values())[:n]
