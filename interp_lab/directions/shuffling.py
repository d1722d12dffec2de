"""Directions of labels that say nothing: what a method finds in the same texts when there is nothing to be found."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from interp_lab.directions.found import ContrastActivations
from interp_lab.directions.methods import directions_of
from interp_lab.directions.vectors import Directions


def shuffled(
    found: ContrastActivations, n: int, *, seed: int, method: str = "mean_difference", matched: bool = True
) -> list[Directions]:
    """Return directions of shuffled labels: partners are swapped in half of the pairs, or texts change sides.

    Shuffling is balanced: each new side has as much of the one old side as of the other, and so in every template, as
    far as counts allow. Labels shuffled freely are off balance by chance, and where all pairs differ alike, nearly all
    of what they give is a little of the true direction; made as long as that, it would act like it and be no control.

    Args:
        method: as in `directions_of`, but for `pca`.
        matched: give them the length of the true direction at each hook point; else they keep their own.

    Raises: ValueError, for `n` below 1, fewer than four texts a side, or `pca`, which does not see which partner
        stands on which side; as `directions_of`.
    """
    if n < 1:
        raise ValueError(f"n={n} shuffled directions are none; draw at least one")
    if method == "pca":
        raise ValueError(
            "principal components of differences are the same whichever partner stands on which side, so that swapping "
            "them controls nothing; shuffle for another method, or use random_like(..., orthogonal=True)"
        )
    fewest = min(found.positive.shape[1], found.negative.shape[1])
    if fewest < 4:
        raise ValueError(f"{fewest} texts on a side of {found.name!r} cannot be shuffled; give at least four")
    true = directions_of(found, method, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    drawn = [_drawn(found, generator) for _ in range(n)]
    made = [directions_of(replace(found, **sides), method, seed=seed) for sides in drawn]
    return [_named(one, true, nth, seed=seed, matched=matched) for nth, one in enumerate(made)]


def _drawn(found: ContrastActivations, generator: torch.Generator) -> dict[str, Tensor]:
    """Return both sides, half of each from the other; so, as far as counts allow, in each template."""
    positive, negative = found.positive.clone(), found.negative.clone()
    n, other = positive.shape[1], negative.shape[1]
    n_swapped = n // 2 if found.paired else round(n * other / (n + other))
    mine = _evenly(found.positive_templates, n_swapped, generator)
    theirs = mine if found.paired else _evenly(found.negative_templates, n_swapped, generator)
    positive[:, mine], negative[:, theirs] = found.negative[:, theirs], found.positive[:, mine]
    return {"positive": positive, "negative": negative}


def _evenly(templates: Sequence[str], n: int, generator: torch.Generator) -> Int[Tensor, " chosen"]:
    """Draw `n` texts, of each template about the same share."""
    names = {name: nth for nth, name in enumerate(dict.fromkeys(templates))}
    ranks = torch.randperm(len(names), generator=generator)[[names[name] for name in templates]]
    lots = torch.randperm(len(templates), generator=generator)
    in_turn = lots[ranks[lots].argsort(stable=True)]
    first = int(torch.randint(len(templates), (), generator=generator))
    return in_turn[(first + torch.arange(n) * len(templates) // n) % len(templates)]


def _named(one: Directions, true: Directions, nth: int, *, seed: int, matched: bool) -> Directions:
    scale = (true.norms / one.norms)[:, None] if matched else 1.0
    about = {**one.about, "shuffled": nth, "seed": seed, "matched": matched}
    return replace(
        one, vectors=one.vectors * scale, name=f"{true.name}, labels shuffled", method=one.method, about=about
    )
