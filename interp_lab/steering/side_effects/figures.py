"""Figures of side effects: what directions do (causal), and how alike they are (descriptive)."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from interp_lab.plots import error_bars, interval_plot, legend_above, site_heatmap, styled
from interp_lab.steering.side_effects.cosines import outside
from interp_lab.steering.side_effects.found import SideEffectsFound
from interp_lab.steering.side_effects.matrix import Verdict, band_of, interaction
from interp_lab.steering.side_effects.on_trait import pairs_of
from interp_lab.steering.side_effects.stability import Stability, over_draws
from interp_lab.steering.side_effects.tables import SIGNS, full_by_layer
from interp_lab.types import Site

_OWN, _AGAIN, _RANDOM = "#1f4e79", "#c55a11", "#7f7f7f"
_SHARE = "share of the range"


def figures(found: SideEffectsFound) -> dict[str, go.Figure]:
    """Return every figure that there is something for, by name."""
    made: dict[str, go.Figure] = {}
    for sign in sorted({cell.sign for cell in found.cells[0]}, reverse=True):
        way = "" if sign == 1 else "_negative"
        made[f"side_effects{way}"] = matrix_figure(found, sign)
        made[f"side_effects_odds{way}"] = matrix_figure(found, sign, odds=True)
    made |= {"beside_random": random_figure(found), "interactions": interactions_figure(found)}
    made["cosines"] = cosines_figure(found)
    if found.cosines.others:
        made["cosines_elsewhere"] = elsewhere_figure(found)
    for nth, one in enumerate(found.stability):
        named = "" if nth == 0 else f"_{one.trait}"
        made[f"cosine_by_pairs{named}"] = cosine_by_pairs(one, found)
        made[f"effect_by_pairs{named}"] = effect_by_pairs(one, found)
        made[f"effect_by_layer{named}"] = effect_by_layer(one, found)
    return made


def matrix_figure(found: SideEffectsFound, sign: int, *, odds: bool = False) -> go.Figure:
    """Return what each direction (rows) does to each trait; what is moved, or its log odds, is framed.

    Args:
        odds: show log odds, as a share of what the trait's own direction does to them, in place of answers.
    """
    every = [[cell for cell in row if cell.sign == sign] for row in found.cells]
    shown = [[cell.of_own if odds else cell.effect for cell in row] for row in every]
    laid_out = np.array([[[cell.estimate, cell.low, cell.high] for cell in row] for row in shown])
    framed = np.array([[found.verdict(cell) in (Verdict.MOVED, Verdict.PUSHED) for cell in row] for row in every])
    mean, low, high = laid_out.transpose(2, 1, 0)
    what = "log odds, beside those by the own direction" if odds else "answers"
    return site_heatmap(
        mean, low, high, rows=found.traits, columns=found.traits, row_title="steered", column_title="measured",
        title=f"directions {'put in' if sign == 1 else 'taken off'}: {what}", unit="share of own" if odds else _SHARE,
        marked=framed.T, limit=1.0,
    )  # fmt: skip


def random_figure(found: SideEffectsFound) -> go.Figure:
    """Return each cell for other traits beside the range of random directions of the same length."""
    names, own, random = [], [], []
    for on, row in zip(found.measured, found.cells, strict=True):
        for cell in row:
            if found.traits[cell.steered] != on.trait:
                names.append(f"{SIGNS[cell.sign]} {found.traits[cell.steered]} on {on.trait}")
                own.append(cell.effect)
                random.append(cell.random)
    series = {"direction (over templates)": own, f"random directions (range of {found.level:.0%})": random}
    return legend_above(interval_plot(series, names, title="other traits, beside random directions", unit=_SHARE))


def interactions_figure(found: SideEffectsFound) -> go.Figure:
    """Return what two directions do beyond the sum, in log odds, on the prompts of either."""
    names, own, random = [], [], []
    for nth, (first, second) in enumerate(pairs_of(len(found.traits))):
        for at in (first, second):
            on = found.measured[at]
            names.append(f"{found.traits[first]} + {found.traits[second]} on {on.trait}")
            own.append(interaction(on, "nats", level=found.level, seed=found.seed).at(nth))
            drawn = on.beyond_with_random("nats")[nth].mean(-1)
            random.append(band_of(drawn, level=found.level))
    series = {"both, less each alone": own, "a random direction for the second (range)": random}
    title = "two directions at once: beyond the sum"
    return legend_above(interval_plot(series, names, title=title, unit="log odds (nats)"))


def cosines_figure(found: SideEffectsFound) -> go.Figure:
    """Return cosines of every two traits at every hook point; those outside their null band are framed."""
    held, pairs = found.cosines, pairs_of(len(found.traits))
    every = [
        [held.between(nth, first, second, level=found.level) for nth in range(len(held.hooks))]
        for first, second in pairs
    ]
    laid_out = np.array([[[own.estimate, own.low, own.high] for own, _ in row] for row in every])
    mean, low, high = laid_out.transpose(2, 0, 1)
    return site_heatmap(
        mean, low, high,
        rows=[f"{found.traits[first]}, {found.traits[second]}" for first, second in pairs],
        columns=_short(held.hooks), row_title="", column_title="hook point",
        title="cosines between directions", unit="cosine", limit=1.0,
        marked=np.array([[outside(*one) for one in row] for row in every]),
    )  # fmt: skip


def _short(hooks: Sequence[str]) -> list[str]:
    """Return hook points as column names: the layer alone, if they differ in nothing else."""
    names = [str(Site(hook)) for hook in hooks]
    kinds = {name.partition(".")[2] for name in names}
    return [f"layer {name.partition('.')[0]}" for name in names] if len(kinds) == 1 and all(kinds) else names


def elsewhere_figure(found: SideEffectsFound) -> go.Figure:
    """Return cosines with directions from elsewhere, beside what shuffled labels give."""
    held, names, own, null = found.cosines, [], [], []
    for nth, name in enumerate(held.others):
        for place, trait in enumerate(held.traits):
            one, band = held.with_other(nth, place, level=found.level)
            names.append(f"{name} ({Site(held.other_hooks[nth])}), {trait}")
            own.append(one)
            null.append(band)
    series = {"direction (over templates)": own, "shuffled labels (range)": null}
    return legend_above(interval_plot(series, names, title="cosines with directions from elsewhere", unit="cosine"))


def cosine_by_pairs(one: Stability, found: SideEffectsFound) -> go.Figure:
    """Return the cosine with the full direction against the number of pairs, one line per hook point."""
    figure = go.Figure()
    for place, name in enumerate(_short(one.hooks)):
        drawn = [over_draws(values, level=found.level, seed=found.seed) for values in one.to_full[:, :, place]]
        colour = _scale(place, len(one.hooks))
        figure.add_scatter(
            name=name, x=one.sizes.tolist(), y=[each.estimate for each in drawn], error_y=error_bars(drawn),
            mode="lines+markers", marker={"color": colour}, line={"color": colour},
        )  # fmt: skip
        figure.add_scatter(
            name="if pairs were independent", x=one.sizes.tolist(), showlegend=place == 0, hoverinfo="skip",
            y=[one.expected(place, float(size)) for size in one.sizes], mode="lines",
            line={"color": colour, "dash": "dot", "width": 1},
        )  # fmt: skip
    _by_pairs(figure, one)
    figure.update_yaxes(title=f"cosine with that of {one.n_full} other pairs", range=[min(0.0, _least(one)), 1.05])
    return styled(figure, title=f"{one.trait}: directions made from fewer pairs", width=760, height=440)


def _least(one: Stability) -> float:
    return float(np.nanmin(np.nanmean(one.to_full, axis=1)))


def _scale(place: int, n: int) -> str:
    """Return a colour from light to dark."""
    share = 0.25 + 0.75 * (place + 1) / n
    return f"rgb({int(255 - share * 224)}, {int(255 - share * 177)}, {int(255 - share * 134)})"


def _by_pairs(figure: go.Figure, one: Stability) -> None:
    sizes = one.sizes.tolist()
    ticks = [f"{size}" if apart else f"{size}*" for size, apart in zip(sizes, one.disjoint, strict=True)]
    figure.update_xaxes(title="pairs (*: draws share pairs)", type="log", tickvals=sizes, ticktext=ticks)


def effect_by_pairs(one: Stability, found: SideEffectsFound) -> go.Figure:
    """Return the effect of directions made again, against the number of pairs, beside that of the full one."""
    drawn = [over_draws(one.change(values).mean(-1), level=found.level, seed=found.seed) for values in one.drawn]
    figure, full = go.Figure(), float(one.change(one.full).mean())
    for size, values in zip(one.sizes.tolist(), one.drawn, strict=True):
        held = one.change(values).mean(-1)
        figure.add_scatter(
            name="each direction", x=[size] * len(held), y=held.tolist(), mode="markers",
            showlegend=bool(size == one.sizes[0]),
            marker={"color": _RANDOM, "size": 5, "opacity": 0.6}, hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(
        name="mean (interval over directions)", x=one.sizes.tolist(), y=[each.estimate for each in drawn],
        error_y=error_bars(drawn), mode="lines+markers", marker={"color": _AGAIN}, line={"color": _AGAIN},
    )  # fmt: skip
    figure.add_hline(y=full, line={"color": _OWN, "dash": "dot"}, annotation_text=f"of {one.n_full} other pairs",
                     annotation_position="bottom right")  # fmt: skip
    _by_pairs(figure, one)
    figure.update_yaxes(title=f"change of answers ({_SHARE})")
    title = f"{one.trait}: effect of directions from fewer pairs, same length"
    return legend_above(styled(figure, title=title, width=720, height=440))


def effect_by_layer(one: Stability, found: SideEffectsFound) -> go.Figure:
    """Return the effect of each layer's direction there, at one coefficient, with those made again and random ones."""
    own = full_by_layer(one, found)
    again, random, whole = [], [], []
    for nth in range(len(one.hooks)):
        whole.append(own.at(nth))
        again.append(over_draws(one.change(one.drawn_by_layer[nth]).mean(-1), level=found.level, seed=found.seed))
        random.append(band_of(one.change(one.random_by_layer[nth]).mean(-1), level=found.level))
    every = {
        f"from {one.n_full} pairs (over templates)": whole,
        f"from {one.depth_pairs} others (over directions)": again,
        "random directions (range)": random,
    }
    names = [str(Site(hook)) for hook in one.hooks]
    title = f"{one.trait}: layer by layer, at one coefficient"
    return legend_above(interval_plot(every, names, title=title, unit=_SHARE))
