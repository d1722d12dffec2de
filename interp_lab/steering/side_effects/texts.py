"""What was found of side effects, in words."""

from collections.abc import Sequence

import numpy as np

from interp_lab.steering.side_effects.cosines import outside
from interp_lab.steering.side_effects.found import SideEffectsFound
from interp_lab.steering.side_effects.matrix import Cell, Verdict, interaction
from interp_lab.steering.side_effects.on_trait import pairs_of
from interp_lab.steering.side_effects.stability import Stability, over_draws
from interp_lab.steering.side_effects.tables import SIGNS, full_by_layer
from interp_lab.types import Site

CLOSE = 0.95
"""Cosine from which two directions are called the same."""
MOST_NAMED = 4
"""Effects of a kind that are named."""

MATRIX_DOES_NOT_SHOW = (
    "That a trait which is left alone here is left alone elsewhere: effects are means over these prompts, of answers "
    "of one token. Where the model is sure of its answers they stay although their odds have moved, which another "
    "direction on top may bring to light: that is why log odds stand beside them, as a share of what the trait's own "
    "direction does to them. A mean that stays may hide prompts that move both ways (size per prompt says)."
)
INTERACTIONS_DO_NOT_SHOW = (
    "That two directions with nothing beyond the sum are read apart: they may add up in log odds because one readout "
    "takes both. The other way round, a norm over the whole activation makes any second vector weaken the first, so "
    "that what counts is what lies beyond what random directions of the same length do in its place. The sum of two "
    "shares of a range is no yardstick: it may lie beyond the range."
)
COSINES_DO_NOT_SHOW = (
    "That the model uses a direction, or that two with a cosine of zero leave each other alone: later layers may read "
    "both. The null band is that of directions made with shuffled labels from the same texts; it is wider than that of "
    "random directions in the whole space, because activations vary along few directions. As many cosines are "
    "compared, some lie outside their band by chance. Intervals are over templates drawn again."
)
STABILITY_DOES_NOT_SHOW = (
    "What other templates would give: all texts are of the same ones. The dotted line is what the pairs of the full "
    "direction lead to expect if no two were more alike than others; it is rough where their gap is small beside the "
    "noise. Layers are compared at one coefficient, which is a longer vector in some than in "
    "others; a layer with less effect there may have as much at another coefficient, and at another price. A gate, "
    "where steering has one, is left out there."
)


def summary(found: SideEffectsFound) -> str:
    """Return what was found, in a line."""
    return f"side effects ({found.setting}): {_verdicts(found)}"


def matrix_suggests(found: SideEffectsFound) -> str:
    """Return how directions were scaled, and which traits of others they move."""
    verdicts = _verdicts(found)
    return (
        f"Way of steering: {found.setting}. {_scaled(found)} {verdicts[0].upper()}{verdicts[1:]}. Moved (framed) is a "
        f"change beyond {found.margin:g} of the range, or of log odds beyond {found.odds_margin:.0%} of what the "
        "trait's own direction does to them, and beyond random directions of the same length; left alone is one whose "
        "whole interval lies within these. Prompts neither made a direction nor set a coefficient; intervals are over "
        "templates."
    )


def _scaled(found: SideEffectsFound) -> str:
    """Return how far directions were meant to move their own trait, and how far they do on the prompts reported."""
    sought = [trait for trait, given in zip(found.traits, found.given, strict=True) if not given]
    given = [trait for trait in found.traits if trait not in sought]
    short = [trait for trait, reached in zip(found.traits, found.reached, strict=True) if not reached]
    told = f"The coefficient of {' and '.join(given)} is the one that was chosen. " if given else ""
    ablated = len({cell.sign for cell in found.cells[0]}) == 1
    if sought and not ablated:
        never = f" (that of {' and '.join(short)} never gets there)" if short else ""
        told += (
            f"That of {' and '.join(sought)} was sought to change its own trait by {found.aim:g} of the range{never}. "
        )
    does = "; ".join(
        f"{trait} " + ", ".join(f"{SIGNS[one.sign]}: {one.effect.estimate:+.2f}" for one in row if one.steered == nth)
        for nth, (trait, row) in enumerate(zip(found.traits, found.cells, strict=True))
    )
    return f"{told}What each does to its own trait here: {does}."


def _verdicts(found: SideEffectsFound) -> str:
    """Return how many effects on other traits there are of each kind, and name those that move."""
    away = [
        (on, cell)
        for nth, (on, row) in enumerate(zip(found.traits, found.cells, strict=True))
        for cell in row
        if cell.steered != nth
    ]
    listed = {verdict: [both for both in away if found.verdict(both[1]) is verdict] for verdict in Verdict}
    parts = [
        f"{len(listed[verdict])} move {what}{_named(found, listed[verdict])}"
        for verdict, what in ((Verdict.MOVED, "answers"), (Verdict.PUSHED, "log odds alone"))
    ]
    stay = listed[Verdict.ANSWERS_STAY]
    parts.append(f"{len(listed[Verdict.LEFT_ALONE])} leave the other trait alone")
    parts.append(f"{len(stay)} leave its answers alone and may move its log odds{_named_odds(found, stay)}")
    return f"of {len(away)} effects on other traits {', '.join(parts)}, {len(listed[Verdict.NOT_TOLD])} are not told"


def _named(found: SideEffectsFound, cells: Sequence[tuple[str, Cell]]) -> str:
    """Return the largest of some effects, in brackets."""
    largest = sorted(cells, key=lambda both: -abs(both[1].effect.estimate))[:MOST_NAMED]
    told = "; ".join(f"{SIGNS[one.sign]} {found.traits[one.steered]} on {on} {one.effect}" for on, one in largest)
    return f" ({told}{'; ...' if len(cells) > MOST_NAMED else ''})" if cells else ""


def _named_odds(found: SideEffectsFound, cells: Sequence[tuple[str, Cell]]) -> str:
    """Return the largest changes of log odds among some, as shares of those by the own direction, in brackets."""
    known = [(on, one) for on, one in cells if np.isfinite(one.of_own.estimate)]
    largest = sorted(known, key=lambda both: -abs(both[1].of_own.estimate))[:MOST_NAMED]
    told = "; ".join(
        f"{SIGNS[one.sign]} {found.traits[one.steered]} on {on} by {one.of_own} of what its own direction does"
        for on, one in largest
    )
    return f" ({told}{'; ...' if len(known) > MOST_NAMED else ''})" if known else ""


def interactions_suggest(found: SideEffectsFound) -> str:
    """Return which two directions do more, or less, than the sum."""
    beyond = []
    for nth, (first, second) in enumerate(pairs_of(len(found.traits))):
        for at in (first, second):
            on = found.measured[at]
            own = interaction(on, "nats", level=found.level, seed=found.seed).at(nth)
            drawn = on.beyond_with_random("nats")[nth].mean(-1)
            if own.excludes(0.0) and (own.low > drawn.max() or own.high < drawn.min()):
                beyond.append(f"{found.traits[first]} with {found.traits[second]} on {on.trait} ({own} nats)")
    told = "; ".join(beyond) if beyond else "none"
    return (
        "Zero means that log odds add up, as they do where a linear readout takes both directions in. Clear of zero, "
        f"and of all random directions in the place of the second, not corrected for their number: {told}. In shares "
        "of the range, two effects fall short of their sum wherever answers come near the end of it; the table gives "
        "what both do beside what additive log odds would make of it."
    )


def cosines_suggest(found: SideEffectsFound) -> str:
    """Return how alike directions are, and how alike directions that mean nothing are."""
    held = found.cosines
    every = [
        (held.between(nth, first, second, level=found.level), first, second, hook)
        for nth, hook in enumerate(held.hooks)
        for first, second in pairs_of(len(held.traits))
    ]
    (largest, _), first, second, hook = max(every, key=lambda one: abs(one[0][0].estimate))
    n_outside = sum(outside(*one) for one, *_ in every)
    widths = [null.high - null.low for (_, null), *_ in every]
    return (
        f"The largest is {held.traits[first]} with {held.traits[second]} at {Site(hook)}: {largest}. {n_outside} of "
        f"{len(every)} lie outside the band of shuffled labels, which is {sum(widths) / len(widths):.2f} wide on "
        f"average; random directions in {held.width} dimensions would give {2 * 1.96 * held.isotropic:.2f}."
    )


def stability_suggests(found: SideEffectsFound) -> str:
    """Return how many pairs a direction needs before another set of pairs gives the same one."""
    return " ".join(_of_pairs(one, found) for one in found.stability)


def _of_pairs(one: Stability, found: SideEffectsFound) -> str:
    place = len(one.hooks) - 1
    means = np.nanmean(one.to_full[:, :, place], axis=1)
    close = [bool((means[nth:] >= CLOSE).all()) for nth in range(len(means))]
    enough = int(one.sizes[close.index(True)]) if any(close) else None
    least = over_draws(one.to_full[0, :, place], level=found.level, seed=found.seed)
    told = f"no number tried gives {CLOSE:g}" if enough is None else f"from {enough} on it is {CLOSE:g} or more"
    return (
        f"{one.trait}, at {Site(one.hooks[place])}: {one.sizes[0]} pairs give a cosine of {least} with the direction "
        f"of {one.n_full} others; {told} on average."
    )


def pairs_suggest(found: SideEffectsFound) -> str:
    """Return what directions from fewer pairs, and of other layers, do."""
    told = []
    for one in found.stability:
        drawn = over_draws(one.change(one.drawn[0]).mean(-1), level=found.level, seed=found.seed)
        full = float(one.change(one.full).mean())
        by_layer = full_by_layer(one, found)
        best = max(range(len(one.hooks)), key=lambda nth: abs(by_layer.estimate[nth]))
        told.append(
            f"{one.trait}: directions of {one.sizes[0]} pairs change answers by {drawn} of the range, that of "
            f"{one.n_full} others by {full:.3f}, at the same length and coefficient. Layer by layer the most is "
            f"{by_layer.at(best)} at {Site(one.hooks[best])}."
        )
    return " ".join(told)
