"""Tables of what steering found."""

from dataclasses import replace

import numpy as np
import pandas as pd

from interp_lab.claims import Split
from interp_lab.stats import Intervals
from interp_lab.steering.claimed import SIDES, SteeringClaims
from interp_lab.steering.measured import on_scale
from interp_lab.steering.setting import How
from interp_lab.types import UNMEASURED, Interval


def tables(found: SteeringClaims) -> dict[str, pd.DataFrame]:
    """Return all tables by name; some may be empty."""
    return {
        "chosen": chosen_table(found),
        "capabilities": capabilities_table(found),
        "reliability": reliability_table(found),
        "controls": controls_table(found),
        "methods": methods_table(found),
        "dose-response": doses_table(found),
        "settings": settings_table(found),
        "prompts": prompts_table(found),
        "directions": directions_table(found),
        "gates": gates_table(found),
    }


def chosen_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per side: what leads there, how far it moves the target on each split, and what it costs.

    `effect` and the like are mean changes in the unit of the target, `kl` in nats per token, `perplexity_ratio` the
    factor by which the perplexity of neutral text rises, `capability_loss` the largest fall in accuracy (share),
    `deciding_loss` the fall of the gap by what should decide (a probability).
    """
    rows = []
    for sign, setting in found.leading.items():
        one, family, at = found.settings[setting], found.family(setting), found.at(setting)
        row: dict[str, object] = {"side": SIDES[sign], "direction": one.direction, "at": family.place.name}
        row |= {"how": str(one.how), "where": one.where, "gate": one.gate or "", "coefficient": one.coefficient}
        row |= {"within_budget": found.is_within(sign), "effect_on_select": found.changes(setting, Split.SELECT).mean()}
        row |= found.effect(setting).columns("effect")
        held_out = UNMEASURED if found.held_out is None else found.effect(setting, Split.HELD_OUT)
        row |= held_out.columns("effect_on_held_out") | {"unit": found.unit}
        if found.scale == "share":
            row |= found.effect(setting, scale="log_odds").columns("log_odds")
        costs = found.report_costs
        row |= found.kl(setting).columns("kl")
        row |= found.of_documents(costs.kl_touched[at]).columns("kl_where_touched")
        row |= perplexity_ratio(found, setting).columns("perplexity_ratio")
        row |= {"tokens_touched": costs.touched[at].mean(), "capability_loss": costs.worst_loss[at]}
        row |= {"deciding_loss": costs.price.deciding[at]} if found.config.should_decide else {}
        rows.append(row | {"within_budget_on_report": bool(found.within(costs)[at]), "grade": str(found.grade(sign))})
    return pd.DataFrame(rows)


def perplexity_ratio(found: SteeringClaims, setting: int) -> Interval:
    """Return the factor by which the perplexity of neutral text rises, on the report half."""
    rise = found.of_documents(found.report_costs.ce_change[found.at(setting)])
    estimate, low, high = np.exp([rise.estimate, rise.low, rise.high]).tolist()
    return replace(rise, estimate=estimate, low=low, high=high)


def reliability_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per side: how far what leads there can be relied on, prompt by prompt and on new prompts.

    Shares of prompts that move the wrong way (at all, and by more than the smallest effect of interest), and whose
    target never falls as the coefficient rises; the mean rank correlation of target and coefficient; and the effect
    lost from the selection split to the report split.
    """
    rows = []
    for sign, setting in found.leading.items():
        family = int(found.plan.family_of[setting])
        row: dict[str, object] = {"side": SIDES[sign], **found.wrong_way(sign).columns("moved_the_wrong_way")}
        row |= found.wrong_way(sign, beyond=found.margin()).columns("the_wrong_way_beyond_the_margin")
        if has_doses(found, family):
            row |= found.monotone_share(family).columns("monotone")
            row |= found.rank_correlation(family).columns("rank_correlation")
        row |= found.shrinkage(sign).columns("shrinkage")
        row |= {"p_random": found.random_p(sign)}
        if len(found.controls[sign].orthogonal):
            row |= {"p_orthogonal": found.random_p(sign, orthogonal=True)}
        effect, _ = found.evidence[sign]
        rows.append(row | effect.versus_control.columns("versus_random") | {"p_adjusted": effect.p_adjusted})
    return pd.DataFrame(rows)


def has_doses(found: SteeringClaims, family: int) -> bool:
    """Whether an order of coefficients means something: what is ablated has none, and one coefficient neither."""
    return found.plan.families[family].how != How.ABLATE and len(found.dose_response(family)[0]) > 1


def controls_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per side and control: mean change, with the interval over prompts or the range of the draws.

    Of draws `low` and `high` are quantiles of their means; else the interval is over prompts. `kl` is the price on
    neutral text, where it was measured.
    """
    rows = []
    for sign, setting in found.leading.items():
        own = found.controls[sign]
        rows.append(_row(sign, "the direction", found.effect(setting), kl=found.kl(setting).estimate))
        rows.append(_drawn(found, sign, "random", own.random, kl=float(own.random_kl.mean())))
        rows.append(_drawn(found, sign, "random, orthogonal to it", own.orthogonal))
        rows.append(_drawn(found, sign, "shuffled labels", own.shuffled))
        ways = found.interval(found.changed_by(own.complement, Split.REPORT))
        for nth in range(len(own.complement)):
            rows.append(_row(sign, f"orthogonal complement, {'added' if nth == 0 else 'taken off'}", ways.at(nth)))
        if np.isfinite(own.prefixed).all():
            effect = found.interval(found.changed_by(own.prefixed, Split.REPORT)).at()
            rows.append(_row(sign, "text before the prompt", effect, kl=found.of_documents(own.prefixed_kl).estimate))
    return pd.DataFrame([row for row in rows if row])


def _row(sign: int, control: str, effect: Interval, *, n: int = 1, kl: float = np.nan) -> dict[str, object]:
    return {"side": SIDES[sign], "control": control, "n": n, **effect.columns("change"), "kl": kl}


def _drawn(
    found: SteeringClaims, sign: int, control: str, values: np.ndarray, *, kl: float = np.nan
) -> dict[str, object]:
    if not len(values):
        return {}
    means = found.changed_by(values, Split.REPORT).mean(-1)
    low, high = band(means, level=found.config.level)
    return _row(sign, control, Interval(float(means.mean()), low, high), n=len(means), kl=kl)


def band(means: np.ndarray, *, level: float) -> tuple[float, float]:
    """Return the quantiles between which a share of the draws lies."""
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def settings_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per setting of the grid: effect and price on the selection split, and again where reported."""
    costs, effects = found.select_costs, found.select.changes(found.scale).mean(-1)
    within, frontier = found.within(costs), {nth for one in found.choices.values() for nth in one.frontier}
    reported = _reported(found)
    rows = []
    for nth, one in enumerate(found.settings):
        row: dict[str, object] = {"setting": nth, "direction": one.direction, "at": found.family(nth).place.name}
        row |= {"how": str(one.how), "where": one.where, "gate": one.gate or "", "coefficient": one.coefficient}
        row |= {"effect_on_select": effects[nth], "kl_on_select": costs.kl[nth].mean()}
        row |= {"tokens_touched": costs.touched[nth].mean()}
        row |= {"capability_loss_on_select": costs.worst_loss[nth]}
        row |= {"deciding_loss_on_select": costs.price.deciding[nth]} if found.config.should_decide else {}
        row |= {"within_budget": bool(within[nth])}
        row |= {"on_frontier": nth in frontier, "leads": nth in found.leading.values()}
        rows.append(row | reported.get(nth, {}))
    return pd.DataFrame(rows)


def _reported(found: SteeringClaims) -> dict[int, dict[str, object]]:
    effects = found.interval(found.report.changes(found.scale))
    kl, loss = found.report_costs.kl, found.report_costs.worst_loss
    prices = found.interval(kl, found.report_costs.templates)
    return {
        int(nth): effects.at(place).columns("effect")
        | prices.at(place).columns("kl")
        | {"capability_loss": loss[place]}
        for place, nth in enumerate(found.reported)
    }


def doses_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per coefficient of each family that leads: the target there, and under controls at that dose."""
    rows = []
    for family, controls in found.doses.items():
        doses, values = found.dose_response(family)
        targets, members = found.interval(values), found.plan.families[family].coefficients
        for nth, dose in enumerate(doses.tolist()):
            row: dict[str, object] = {"family": found.plan.families[family].name, "coefficient": dose}
            row |= targets.at(nth).columns("target")
            if dose in members:
                place = members.index(dose)
                setting = int(found.plan.of(family)[place])
                row |= _doses_of("random", on_scale(controls.random[place], found.scale), level=found.config.level)
                row |= _doses_of("shuffled", on_scale(controls.shuffled[place], found.scale), level=found.config.level)
                row |= found.kl(setting).columns("kl")
            rows.append(row)
    return pd.DataFrame(rows)


def _doses_of(name: str, values: np.ndarray, *, level: float) -> dict[str, object]:
    means = values.mean(-1)
    low, high = band(means, level=level)
    return {f"{name}": float(means.mean()), f"{name}_low": low, f"{name}_high": high}


def capabilities_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per side and capability: accuracy without and with, and the fall (share), on the report half."""
    rows, costs = [], found.report_costs
    for sign, setting in found.leading.items():
        for nth, name in enumerate(found.config.capabilities):
            clean, right = costs.clean_right[nth], costs.right[nth, found.at(setting)]
            loss = costs.fall(nth, found.at(setting), level=found.config.level)
            row = {"side": SIDES[sign], "capability": name, "unsteered": clean.mean(), "steered": right.mean()}
            rows.append(row | loss.columns("fall"))
    return pd.DataFrame(rows)


def prompts_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per prompt of the report split: the target unsteered, and what each side's setting changes."""
    report = found.report
    table = {"template": report.templates, "prompt": report.texts, "side": report.sides}
    table["unsteered"] = on_scale(report.baseline, found.scale)
    for sign, setting in found.leading.items():
        table[f"change_{SIDES[sign]}"] = found.changes(setting)
    return pd.DataFrame(table)


def directions_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per direction and hook point, with its length (units of activation)."""
    return pd.DataFrame(
        [
            {"direction": name, "hook": hook, "length": length}
            for name, lengths in found.lengths.items()
            for hook, length in lengths.items()
        ]
    )


def gates_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per gate: where it reads, its threshold, and for which share of what it was fitted on it opens."""
    names = ("kind", "hook", "threshold", "opened_on_trait", "opened_on_neutral")
    return pd.DataFrame([{name: getattr(gate, name) for name in names} for gate in found.gates])


def methods_table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per direction and side, each at its own best setting within the budget; none for one direction.

    `less_than_leading` is the paired difference to what leads on that side, prompt by prompt.
    """
    rows = []
    for name, choices in found.choices_of.items() if len(found.plan.directions) > 1 else ():
        for sign, choice in choices.items():
            if choice.leading is None:
                continue
            setting, place = choice.leading, found.at(choice.leading)
            less = found.interval(sign * (found.changes(found.leading[sign]) - found.changes(setting))).at()
            row: dict[str, object] = {"direction": name, "side": SIDES[sign], "setting": found.named(setting)}
            row |= {"within_budget": choice.best is not None, **found.effect(setting).columns("effect")}
            row |= found.kl(setting).columns("kl")
            row |= {"capability_loss": found.report_costs.worst_loss[place], **less.columns("less_than_leading")}
            rows.append(row)
    return pd.DataFrame(rows)


def of_reported(found: SteeringClaims) -> tuple[Intervals, Intervals]:
    """Return effects and prices of everything reported."""
    prices = found.interval(found.report_costs.kl, found.report_costs.templates)
    return found.interval(found.report.changes(found.scale)), prices
