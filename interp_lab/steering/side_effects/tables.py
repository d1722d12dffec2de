"""What side effects were found, as tables; shares are of the possible range, from -1 to 1."""

import numpy as np
import pandas as pd

from interp_lab.stats import Intervals, bootstrap_interval
from interp_lab.steering.side_effects.cosines import outside
from interp_lab.steering.side_effects.found import SideEffectsFound
from interp_lab.steering.side_effects.matrix import band_of, interaction
from interp_lab.steering.side_effects.on_trait import pairs_of, share_of
from interp_lab.steering.side_effects.stability import Stability, over_draws
from interp_lab.types import Site

SIGNS = {1: "+", -1: "-"}


def tables(found: SideEffectsFound) -> dict[str, pd.DataFrame]:
    """Return every table that there is something for, by name."""
    every = {
        "side_effects": side_effects_table(found),
        "coefficients": coefficients_table(found),
        "interactions": interactions_table(found),
        "cosines": cosines_table(found),
        "cosines_elsewhere": elsewhere_table(found),
        "from_fewer_pairs": again_table(found),
        "by_layer": layers_table(found),
    }
    return {name: table for name, table in every.items() if not table.empty}


def side_effects_table(found: SideEffectsFound) -> pd.DataFrame:
    """Return one row per direction, sign and trait that is measured; see `matrix.Cell` for the columns."""
    rows = []
    for on, cells in zip(found.measured, found.cells, strict=True):
        for cell in cells:
            row: dict[str, object] = {"steered": found.traits[cell.steered], "sign": SIGNS[cell.sign], "on": on.trait}
            row |= cell.effect.columns("effect") | {"verdict": str(found.verdict(cell))}
            row |= cell.versus_random.columns("versus_random") | {"p_adjusted": cell.p_adjusted}
            row |= cell.random.columns("random") | {"larger_than": f"{cell.exceeded} of {on.random.shape[1]}"}
            row |= {"size_per_prompt": cell.size, "random_size_per_prompt": cell.random_size}
            row |= cell.log_odds.columns("nats") | cell.of_own.columns("of_own")
            row |= cell.odds_random.columns("nats_random") | cell.odds_versus_random.columns("nats_versus_random")
            rows.append(row | {"nats_p_adjusted": cell.odds_p_adjusted})
    return pd.DataFrame(rows)


def coefficients_table(found: SideEffectsFound) -> pd.DataFrame:
    """Return one row per trait: its coefficient, whether it was given, and what it does to its own trait both ways.

    `untouched` is the mean without steering, `decided` the mean over prompts of its size: near 1 the model is sure of
    every prompt, and a mean change of 1 is all that there can be.
    """
    rows = []
    for nth, one in enumerate(found.measured):
        row: dict[str, object] = {"trait": one.trait, "coefficient": float(found.coefficients[nth])}
        row |= {"given": bool(found.given[nth]), "reached": bool(found.reached[nth])}
        for cell in (own for own in found.cells[nth] if own.steered == nth):
            row |= cell.effect.columns(f"own{SIGNS[cell.sign]}")
        clean = share_of(one.clean)
        row |= {"untouched": float(clean.mean()), "decided": float(np.abs(clean).mean())}
        rows.append(row | {"prompts": len(one.clean), "templates": len(set(one.templates))})
    return pd.DataFrame(rows)


def interactions_table(found: SideEffectsFound) -> pd.DataFrame:
    """Return one row per two directions and trait that is measured.

    `beyond` is what both do at once less what each does alone, in log odds (nats), where zero means that they add up;
    `with_random` the same with random directions in the place of the second, their mean and the range they lie in;
    `both` what both do (share), `if_they_added_up` what that would be if log odds did, and `sum_of_shares` the sum.
    """
    rows = []
    for on in found.measured:
        beyond = interaction(on, "nats", level=found.level, seed=found.seed)
        random = on.beyond_with_random("nats").mean(-1)
        added, alone = on.if_they_added_up().mean(-1), on.change(on.alone[0], "share").mean(-1)
        both = bootstrap_interval(on.change(on.both, "share"), on.templates, level=found.level, seed=found.seed)
        for nth, (first, second) in enumerate(pairs_of(len(found.traits))):
            row: dict[str, object] = {"first": found.traits[first], "second": found.traits[second], "on": on.trait}
            row |= beyond.at(nth).columns("beyond")
            row |= band_of(random[nth], level=found.level).columns("with_random")
            row |= both.at(nth).columns("both") | {"if_they_added_up": float(added[nth])}
            rows.append(row | {"sum_of_shares": float(alone[first] + alone[second])})
    return pd.DataFrame(rows)


def cosines_table(found: SideEffectsFound) -> pd.DataFrame:
    """Return one row per hook point and two traits: the cosine, and the band that shuffled labels give."""
    held, rows = found.cosines, []
    for nth, hook in enumerate(held.hooks):
        for first, second in pairs_of(len(held.traits)):
            own, null = held.between(nth, first, second, level=found.level)
            row: dict[str, object] = {"hook": str(Site(hook)), "first": held.traits[first]}
            row |= {"second": held.traits[second]} | own.columns("cosine") | null.columns("shuffled")
            rows.append(row | {"outside": outside(own, null), "isotropic_sd": held.isotropic})
    return pd.DataFrame(rows)


def elsewhere_table(found: SideEffectsFound) -> pd.DataFrame:
    """Return one row per direction from elsewhere and trait; columns as in `cosines_table`."""
    held, rows = found.cosines, []
    for nth, name in enumerate(held.others):
        for place, trait in enumerate(held.traits):
            own, null = held.with_other(nth, place, level=found.level)
            row: dict[str, object] = {"direction": name, "hook": str(Site(held.other_hooks[nth])), "trait": trait}
            row |= own.columns("cosine") | null.columns("shuffled")
            rows.append(row | {"outside": outside(own, null), "isotropic_sd": held.isotropic})
    return pd.DataFrame(rows)


def again_table(found: SideEffectsFound) -> pd.DataFrame:
    """Return one row per trait, number of pairs and hook point.

    `to_full` is the mean cosine with the full direction, with its interval over directions made again; `expected` what
    independent pairs would give; `between` the mean cosine of two of a size; `effect` (share) of those made again, at
    the coefficient and the length of the full one, with its interval over them, and `full_effect` that of the full one
    (where it is steered: the same at every hook point).
    """
    rows = []
    for one in found.stability:
        full = bootstrap_interval(one.change(one.full), one.templates, level=found.level, seed=found.seed).at()
        for nth, size in enumerate(one.sizes):
            effect = over_draws(one.change(one.drawn[nth]).mean(-1), level=found.level, seed=found.seed)
            for place, hook in enumerate(one.hooks):
                row: dict[str, object] = {"trait": one.trait, "pairs": int(size), "hook": str(Site(hook))}
                row |= {"draws": int(np.isfinite(one.to_full[nth, :, place]).sum()), "apart": bool(one.disjoint[nth])}
                close = over_draws(one.to_full[nth, :, place], level=found.level, seed=found.seed)
                row |= close.columns("to_full") | {"expected": one.expected(place, float(size))}
                row |= {"between": float(np.nanmean(one.between[nth, :, place]))}
                rows.append(row | effect.columns("effect") | full.columns("full_effect"))
    return pd.DataFrame(rows)


def layers_table(found: SideEffectsFound) -> pd.DataFrame:
    """Return one row per trait and layer: the effect of each layer's direction there, at one coefficient.

    Intervals of the full direction are over templates; of those made again, and of random ones, over directions.
    """
    return pd.DataFrame([row for one in found.stability for row in _layers(one, found)])


def _layers(one: Stability, found: SideEffectsFound) -> list[dict[str, object]]:
    own = full_by_layer(one, found)
    rows = []
    for nth, hook in enumerate(one.hooks):
        row: dict[str, object] = {"trait": one.trait, "hook": str(Site(hook))} | own.at(nth).columns("effect")
        random = band_of(one.change(one.random_by_layer[nth]).mean(-1), level=found.level)
        again = over_draws(one.change(one.drawn_by_layer[nth]).mean(-1), level=found.level, seed=found.seed)
        row |= random.columns("random") | {"pairs_of_those_made_again": one.depth_pairs}
        row |= again.columns("made_again") | {"between": float(one.between_by_layer[nth].mean())}
        nats = one.by_layer[nth] - one.clean
        rows.append(row | {"nats": float(nats.mean()), "noise_per_pair": float(one.noise[nth])})
    return rows


def full_by_layer(one: Stability, found: SideEffectsFound) -> Intervals:
    """Return the effect (share) of the full direction of each layer there, with intervals over templates."""
    return bootstrap_interval(one.change(one.by_layer), one.templates, level=found.level, seed=found.seed)
