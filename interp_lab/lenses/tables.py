"""What lenses found, as tables."""

import numpy as np
import pandas as pd

from interp_lab.lenses.findings import LensFindings
from interp_lab.stats import Intervals, bootstrap_interval, ratio_of_means
from interp_lab.types import UNMEASURED


def appears_table(found: LensFindings) -> pd.DataFrame:
    """Return one row per place: where the answer becomes readable, by the share of shuffled answers it outranks."""
    rows = []
    for one in found.appearances:
        row: dict[str, object] = {
            "place": one.place,
            "readable": "nowhere" if one.point is None else found.points[one.point],
        }
        row |= {"holds": one.holds, "holds_held_out": one.holds_again}
        row |= (one.report or UNMEASURED).columns("report") | (one.before or UNMEASURED).columns("one_point_before")
        row |= (one.held_out or UNMEASURED).columns("held_out")
        rows.append(row | (one.untrained or UNMEASURED).columns("untrained"))
    return pd.DataFrame(rows)


def trajectory_table(found: LensFindings) -> pd.DataFrame:
    """Return one row per point: the answer at the end position, on the report split."""
    report, rows = found.report, []
    shares = {
        "outranked": report.outranked,
        "untrained": found.untrained,
        "probability": report.probability,
        "wrong_probability": report.wrong_probability,
    }
    others = {"margin": report.margin, "entropy": report.entropy, "kl": report.kl}
    intervals = {name: found.shares(value[:, :, found.end]) for name, value in shares.items()}
    intervals |= {name: found.interval(value[:, :, found.end]) for name, value in others.items()}
    for nth, point in enumerate(found.points):
        row: dict[str, object] = {"point": point, "median_rank": float(np.median(report.rank[nth, :, found.end]))}
        for name, one in intervals.items():
            row |= one.at(nth).columns(name)
        rows.append(row)
    return pd.DataFrame(rows)


def divergence_table(found: LensFindings) -> pd.DataFrame:
    """Return one row per point: KL of both lenses on held-out documents; empty without a tuned lens."""
    if found.divergence is None or found.nearer is None:
        return pd.DataFrame()
    tuned, logit = found.divergence.intervals(level=found.config.level, seed=found.config.seed)
    adjusted = found.nearer.p_adjusted()
    return pd.DataFrame(
        [
            {"point": point}
            | tuned.at(nth).columns("tuned")
            | logit.at(nth).columns("logit")
            | found.nearer.intervals.at(nth).columns("tuned_minus_logit")
            | {"p_adjusted": float(adjusted[nth])}
            for nth, point in enumerate(found.divergence.points)
        ]
    )


def triage_table(found: LensFindings) -> pd.DataFrame:
    """Return the places that the rules looked at; empty if nothing went wrong."""
    triaged = found.wrong.found
    if triaged is None:
        return pd.DataFrame()
    looked = {"at the end": triaged.at_end, "on its way there": triaged.on_the_way, "anywhere": triaged.best}
    return pd.DataFrame(
        [
            {"looked": name, "place": one.place, "point": one.point}
            | (one.outranked or UNMEASURED).columns("outranked")
            | {"median_rank": one.rank, "probability": one.probability}
            | {"readable": one.is_readable(at_least=triaged.at_least)}
            for name, one in looked.items()
        ]
    )


def overtaking_table(found: LensFindings) -> pd.DataFrame:
    """Return one row per point: margin at the end of wrong completions, and prompts where the wrong token overtakes."""
    triaged = found.wrong.found
    if triaged is None:
        return pd.DataFrame()
    overtakes = triaged.overtakes()
    margins = triaged.margins()
    return pd.DataFrame(
        [
            {"point": point, "overtakes_here": float((overtakes == nth).mean())} | margins.at(nth).columns("margin")
            for nth, point in enumerate(triaged.points)
        ]
    )


def repairs_table(found: LensFindings) -> pd.DataFrame:
    """Return one row per part: what its value from a good run does, beside that of a good run with another answer."""
    follow_up = found.wrong.follow_up
    if follow_up is None:
        return pd.DataFrame()
    changes, controls = follow_up.intervals()
    rows = [
        {"part": str(part), "suspected": bool(follow_up.suspected[nth]), "chosen": nth == follow_up.chosen}
        | changes.at(nth).columns("change")
        | controls.at(nth).columns("control")
        | {"share_repaired": float(follow_up.repaired[nth])}
        for nth, part in enumerate(follow_up.parts)
    ]
    return pd.DataFrame(rows).sort_values("change", ascending=False, kind="stable", ignore_index=True)


def scope_shares(found: LensFindings) -> tuple[Intervals, Intervals]:
    """Return which share of the logit difference between clean and corrupted prompts representations bring along.

    Of their own clean prompts, and of others of the template.
    """
    scope, c = found.scope, found.config
    assert scope is not None, "asked for only where there are Patchscopes"
    total = scope.clean - scope.corrupted
    own, other = (
        bootstrap_interval(ratio_of_means(one - scope.corrupted, total), scope.units, level=c.level, seed=c.seed)
        for one in (scope.values, scope.others)
    )
    return own, other


def scope_table(found: LensFindings) -> pd.DataFrame:
    """Return one row per source and target depth: share of the answer that came along; empty without Patchscopes."""
    scope = found.scope
    if scope is None:
        return pd.DataFrame()
    own, other = scope_shares(found)
    return pd.DataFrame(
        [
            {"from": source, "to": target}
            | own.at(i, j).columns("recovered")
            | other.at(i, j).columns("another_prompt")
            for i, source in enumerate(scope.source_points)
            for j, target in enumerate(scope.target_points)
        ]
    )
