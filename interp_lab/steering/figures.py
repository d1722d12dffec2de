"""Figures of what steering found."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from interp_lab.claims import Split
from interp_lab.plots import error_bars, site_heatmap, styled
from interp_lab.steering.claimed import SIDES, SteeringClaims
from interp_lab.steering.measured import on_scale
from interp_lab.steering.plan import Family
from interp_lab.steering.setting import How
from interp_lab.steering.tables import band, controls_table, of_reported
from interp_lab.types import Interval

_COLOURS: Mapping[int, str] = {1: "#1f4e79", -1: "#c55a11"}
_GREY, _BAND, _SHUFFLED = "rgba(127, 127, 127, 0.5)", "rgba(127, 127, 127, 0.25)", "rgba(84, 130, 53, 0.25)"
CHEAPEST = 1e-5
"""Prices below this (nats per token) are drawn here: the axis is logarithmic."""
WIDEST = 880
"""Pixels that a page has for a figure."""


def pareto(found: SteeringClaims) -> go.Figure:
    """Return effect against price: all settings as chosen from, the frontiers as reported, the budget, and choices."""
    figure, c = go.Figure(), found.config
    costs, change = found.select_costs, found.select.changes(found.scale).mean(-1)
    figure.add_scatter(
        x=_price(costs.kl.mean(-1)), y=change, mode="markers", name="all settings (select)",
        marker={"size": 5, "color": _GREY}, text=[found.named(nth) for nth in range(len(found.settings))],
        hovertemplate="%{text}<br>effect %{y:.3f}, KL %{x:.3g}<extra></extra>",
    )  # fmt: skip
    effects, prices = of_reported(found)
    for sign, choice in found.choices.items():
        places = [found.at(nth) for nth in choice.frontier]
        if places:
            _frontier(figure, found, [effects.at(nth) for nth in places], [prices.at(nth) for nth in places], sign)
    for sign, setting in found.leading.items():
        at = found.at(setting)
        _random(figure, found, sign)
        symbol = "star" if found.is_within(sign) else "star-open"
        label = f"leads, {SIDES[sign]}" + ("" if found.is_within(sign) else " (beyond the budget)")
        figure.add_scatter(
            x=_price(np.array([prices.at(at).estimate])), y=[effects.at(at).estimate], mode="markers", name=label,
            marker={"size": 15, "symbol": symbol, "color": _COLOURS[sign], "line": {"width": 1, "color": "black"}},
            hovertext=found.named(setting),
        )  # fmt: skip
    figure.add_vline(x=c.budget.kl, line={"dash": "dash", "color": "#a00", "width": 1})
    figure.add_hline(y=0, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title="KL on neutral text (nats per token); dashed: budget", type="log", exponentformat="power")
    figure.update_yaxes(title=f"change of {c.trait} ({found.unit})")
    figure.update_layout(legend={"orientation": "h", "y": -0.22})
    return styled(figure, title="effect against price", width=760, height=520)


def _frontier(
    figure: go.Figure, found: SteeringClaims, effects: Sequence[Interval], prices: Sequence[Interval], sign: int
) -> None:
    names = [found.named(nth) for nth in found.choices[sign].frontier]
    figure.add_scatter(
        x=_price(np.array([one.estimate for one in prices])), y=[one.estimate for one in effects],
        mode="lines+markers", name=f"frontier to the {SIDES[sign]} side (report)", error_y=error_bars(effects),
        error_x=error_bars(prices), text=names, line={"color": _COLOURS[sign], "width": 1},
        marker={"size": 7}, hovertemplate="%{text}<br>effect %{y:.3f}, KL %{x:.3g}<extra></extra>",
    )  # fmt: skip
    for one in figure.data[-1:]:
        one.error_x.update(thickness=1, width=2)
        one.error_y.update(thickness=1, width=2)


def _random(figure: go.Figure, found: SteeringClaims, sign: int) -> None:
    """Draw what random directions move and cost at the setting that leads to a side: those whose price was measured."""
    own = found.controls[sign]
    prices = own.random_kl.mean(-1)
    effects = found.changed_by(own.random[: len(prices)], Split.REPORT).mean(-1)
    figure.add_scatter(
        x=_price(prices), y=effects, mode="markers", name=f"{len(prices)} random directions there, {SIDES[sign]}",
        marker={"size": 6, "symbol": "x-thin", "line": {"width": 1.2, "color": _COLOURS[sign]}},
        hovertemplate="a random direction<br>effect %{y:.3f}, KL %{x:.3g}<extra></extra>",
    )  # fmt: skip


def _price(kl: np.ndarray) -> list[float]:
    return np.maximum(kl, CHEAPEST).tolist()


def dose_response(found: SteeringClaims, family: int) -> go.Figure:
    """Return the target by coefficient, with the band of random directions and of shuffled labels."""
    controls, own = found.doses[family], found.plan.families[family]
    figure = go.Figure()
    members = list(own.coefficients)
    start = [on_scale(found.report.baseline, found.scale).mean()] if own.how != "clamp" else []
    for name, drawn, colour in (
        ("random directions", controls.random, _BAND),
        ("shuffled labels", controls.shuffled, _SHUFFLED),
    ):
        means = on_scale(drawn, found.scale).mean(-1)
        bounds = [band(row, level=found.config.level) for row in means] + [(value, value) for value in start]
        order = np.argsort([*members, *([0.0] if start else [])], kind="stable")
        x = np.array([*members, *([0.0] if start else [])])[order]
        low, high = (np.array([pair[side] for pair in bounds])[order] for side in (0, 1))
        figure.add_scatter(
            x=[*x, *x[::-1]], y=[*high, *low[::-1]], fill="toself", fillcolor=colour, mode="lines",
            line={"width": 0}, name=f"{name} ({found.config.level:.0%} of {drawn.shape[1]})", hoverinfo="skip",
        )  # fmt: skip
    doses, values = found.dose_response(family)
    targets = found.interval(values)
    each = [targets.at(nth) for nth in range(len(doses))]
    figure.add_scatter(
        x=doses.tolist(), y=[one.estimate for one in each], mode="lines+markers", name=own.direction,
        error_y=error_bars(each), line={"color": _COLOURS[1]}, hovertext=[str(one) for one in each],
    )  # fmt: skip
    for sign, setting in found.leading.items():
        if int(found.plan.family_of[setting]) == family:
            figure.add_vline(
                x=found.settings[setting].coefficient, line={"dash": "dash", "width": 1, "color": _COLOURS[sign]}
            )
    figure.update_xaxes(title="coefficient (gaps between the two sides); dashed: leads")
    figure.update_yaxes(title=f"{found.config.trait} ({found.unit})")
    figure.update_layout(legend={"orientation": "h", "y": -0.25})
    return styled(figure, title=f"dose-response: {own.name}", width=720, height=430)


def grid_map(found: SteeringClaims, family: int) -> go.Figure:
    """Return the effect on the selection split by place and coefficient, for what a family acts like elsewhere."""
    own = found.plan.families[family]
    kin = [nth for nth, one in enumerate(found.plan.families) if _kind(one) == _kind(own)]
    members = np.array([found.plan.of(nth) for nth in kin])
    effects = found.interval(found.select.changes(found.scale), found.select.templates)
    leads = np.isin(members, list(found.leading.values()))
    gate = "" if own.gate is None else f", {own.gate} gate"
    return _fitting(site_heatmap(
        effects.estimate[members], effects.low[members], effects.high[members],
        rows=[found.plan.families[nth].place.name for nth in kin], columns=[f"{one:g}" for one in own.coefficients],
        row_title="layer", column_title="coefficient", unit=found.unit, marked=leads,
        title=f"effect on the selection split: {own.direction}, {own.how}, {own.where}{gate}",
    ))  # fmt: skip


def _fitting(figure: go.Figure) -> go.Figure:
    return figure.update_layout(width=min(int(figure.layout.width), WIDEST))


def _kind(family: Family) -> tuple[object, ...]:
    """Return what families of one map have in common: all but the place."""
    return (family.direction, family.how, family.where, family.gate, family.coefficients)


def grid_price(found: SteeringClaims, family: int) -> go.Figure:
    """Return the price of the same settings (nats per token), with those within the budget framed."""
    own = found.plan.families[family]
    kin = [nth for nth, one in enumerate(found.plan.families) if _kind(one) == _kind(own)]
    members = np.array([found.plan.of(nth) for nth in kin])
    prices = found.interval(found.select_costs.kl, found.select_costs.templates)
    figure = site_heatmap(
        prices.estimate[members], prices.low[members], prices.high[members],
        rows=[found.plan.families[nth].place.name for nth in kin], columns=[f"{one:g}" for one in own.coefficients],
        row_title="layer", column_title="coefficient", unit="nats per token",
        marked=found.within(found.select_costs)[members],
        title="price on the selection split; framed: within the budget",
    )  # fmt: skip
    figure.update_traces(colorscale="Oranges", zmin=0.0)  # no price is below zero
    return _fitting(figure)


def prompts_plot(found: SteeringClaims) -> go.Figure:
    """Return what each prompt of the report split changes by, template by template."""
    names = list(dict.fromkeys(found.report.templates.tolist()))
    rows = np.array([names.index(name) for name in found.report.templates.tolist()])
    rng = np.random.default_rng(found.config.seed)
    figure = go.Figure()
    for nth, (sign, setting) in enumerate(found.leading.items()):
        spread = rows + 0.22 * (2 * nth - 1) + rng.uniform(-0.15, 0.15, len(rows))
        figure.add_scatter(
            x=found.changes(setting), y=spread, mode="markers", name=f"to the {SIDES[sign]} side",
            marker={"size": 6, "color": _COLOURS[sign], "opacity": 0.7}, text=found.report.texts.tolist(),
            hovertemplate="%{text}<br>%{x:.3f}<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title=f"change of {found.config.trait} ({found.unit})")
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed")
    figure.update_layout(legend={"orientation": "h", "y": -0.2})
    height = 170 + 40 * max(len(names), 3)
    return styled(figure, title="every prompt of the report split, by template", width=720, height=height)


def controls_plot(found: SteeringClaims) -> go.Figure:
    """Return what leads beside its controls: of draws each one's mean, else the interval over prompts."""
    table, figure = controls_table(found), go.Figure()
    names = list(dict.fromkeys(table["control"]))
    rng = np.random.default_rng(found.config.seed)
    for nth, sign in enumerate(found.leading):
        own, shift = found.controls[sign], 0.18 * (2 * nth - 1)
        for name, drawn in (("random", own.random), ("random, orthogonal to it", own.orthogonal),
                            ("shuffled labels", own.shuffled)):  # fmt: skip
            if len(drawn):
                means = found.changed_by(drawn, Split.REPORT).mean(-1)
                figure.add_scatter(
                    x=means, y=names.index(name) + shift + rng.uniform(-0.1, 0.1, len(means)), mode="markers",
                    marker={"size": 4, "color": _COLOURS[sign], "opacity": 0.45}, showlegend=False,
                    hovertemplate=f"one of the {name}: %{{x:.3f}}<extra></extra>",
                )  # fmt: skip
        rows = table[(table["side"] == SIDES[sign]) & (table["n"] == 1)].to_dict("records")
        each = [Interval(row["change"], row["change_low"], row["change_high"]) for row in rows]
        figure.add_scatter(
            x=[one.estimate for one in each], y=[names.index(row["control"]) + shift for row in rows],
            mode="markers", marker={"size": 9, "color": _COLOURS[sign]}, error_x=error_bars(each),
            name=f"at the setting to the {SIDES[sign]} side", hovertext=[str(one) for one in each],
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title=f"change of {found.config.trait} ({found.unit})")
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed")
    figure.update_layout(legend={"orientation": "h", "y": -0.25})
    return styled(figure, title="what leads, beside its controls", width=720, height=170 + 44 * len(names))


def figures(found: SteeringClaims) -> dict[str, go.Figure]:
    """Return all figures by name."""
    made = {"pareto": pareto(found)}
    dosed = [family for family in found.doses if found.plan.families[family].how != How.ABLATE]
    for nth, family in enumerate(dosed, 1):  # what is ablated has no dose
        number = "" if len(dosed) == 1 else f" {nth}"
        made[f"dose-response{number}"] = dose_response(found, family)
    grids = {_kind(found.plan.families[family]): family for family in found.doses}
    for nth, family in enumerate(grids.values(), 1):
        number = "" if len(grids) == 1 else f" {nth}"
        made[f"grid{number}"] = grid_map(found, family)
        made[f"grid price{number}"] = grid_price(found, family)
    if found.leading:
        made |= {"controls": controls_plot(found), "prompts": prompts_plot(found)}
    return made
