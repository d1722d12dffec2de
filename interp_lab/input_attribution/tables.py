"""What maps and checks found, as tables; of the report half, in the unit of the target."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from interp_lab.input_attribution.claimed import AttributionClaims
from interp_lab.input_attribution.removal import Removal
from interp_lab.stats import Intervals
from interp_lab.types import UNMEASURED

RANDOM = "random orders"


def removal_table(found: AttributionClaims) -> pd.DataFrame:
    """Return one row per removal and map, and one for random orders.

    `comprehensiveness` is lost without the first tokens (more is better), `sufficiency` with nothing but them (less is
    better); the areas are means of the target as tokens go and come. Under `prompt` and `corrupted` only tokens that
    differ are ordered, by maps and at random. Then the grade of the claim on the first, its
    difference to random orders, and the same on held-out templates.
    """
    rows = [
        row
        for nth, by in enumerate(found.config.removals)
        for row in (*_of_maps(found, nth, by), _of_random(found, nth, by))
    ]
    return pd.DataFrame(rows)


_MEASURES = ("comprehensiveness", "sufficiency", "deletion_auc", "insertion_auc")


def _of_maps(found: AttributionClaims, nth: int, by: Removal) -> list[dict[str, object]]:
    curves = found.report.curves(nth)
    intervals: dict[str, Intervals] = {name: found.interval(getattr(curves, name)) for name in _MEASURES}
    rows = []
    for at, name in enumerate(found.names):
        row: dict[str, object] = {"removal": by, "map": name, "chosen": name == found.chosen}
        effect, again = found.evidence.get((by, name), (None, None))
        grade = found.grade(by, name)
        row |= {"grade": "" if grade is None else str(grade)}
        row |= intervals["comprehensiveness"].at(at).columns("comprehensiveness")
        row |= (effect.versus_control if effect else UNMEASURED).columns("versus_random")
        row |= (again.versus_control if again else UNMEASURED).columns("held_out_versus_random")
        row |= {"p_adjusted": effect.p_adjusted if effect else np.nan}
        for measure in _MEASURES[1:]:
            row |= intervals[measure].at(at).columns(measure)
        rows.append(row)
    return rows


def _of_random(found: AttributionClaims, nth: int, by: Removal) -> dict[str, object]:
    curves, n = found.report.curves(nth), len(found.names)
    row: dict[str, object] = {"removal": by, "map": RANDOM, "chosen": False, "grade": ""}
    for measure in _MEASURES:
        row |= found.interval(getattr(curves, measure)[n:].mean(0)).at().columns(measure)
    return row


def completeness_table(found: AttributionClaims) -> pd.DataFrame:
    """Return one row per map that promises a sum: what it should be, and by how much values miss it, in size.

    `another_prompts` is by how much the values of the next prompt miss it: what no completeness looks like.
    """
    rows = []
    for name, values, totals in zip(found.names, found.report.values, found.report.totals, strict=True):
        if np.isnan(totals).any():
            continue
        sums = values.sum(1)
        row: dict[str, object] = {"map": name} | found.interval(totals).at().columns("total")
        row |= found.interval(np.abs(sums - totals)).at().columns("residual")
        row |= {"largest_residual": float(np.abs(sums - totals).max())}
        rows.append(row | found.interval(np.abs(np.roll(sums, 1) - totals)).at().columns("another_prompts"))
    return pd.DataFrame(rows)


def checks_table(found: AttributionClaims) -> pd.DataFrame:
    """Return one row per map: agreement with patching, infidelity, sensitivity, model randomisation; then at random.

    `tau` is Kendall's, with exact patching, of sizes, over the tokens in which the prompts differ and the `ranked`
    prompts that have two of them; `warning` is what is known to be wrong with a method, whatever is found here.
    `unexplained` is infidelity at the best scale (0 to 1); both stand beside their difference to random orders and to
    the patched map's values dealt out anew. `kept` is the rank correlation with the map of a model of which nothing is
    trained, and `kept_by_lot` with the map's own values dealt out anew among tokens that have any: a map that keeps no
    more than that shows which tokens could matter, and nothing that was learned.
    """
    report, n = found.report, len(found.names)
    unexplained, tau, lot = found.interval(report.unexplained), report.kendall[-1], report.by_lot.mean(0)
    less = found.interval(report.unexplained[:n] - report.unexplained[n:].mean(0))
    rows = []
    for nth, name in enumerate(found.names):
        row: dict[str, object] = {"map": name, "warning": str(report.warnings[nth])}
        row |= found.over(tau[nth]).columns("tau")
        row |= {"ranked": int((~np.isnan(tau[nth])).sum())} | found.over(tau[nth] - lot).columns("tau_versus_random")
        row |= found.over(report.spearman[-1, nth]).columns("spearman")
        row |= unexplained.at(nth).columns("unexplained") | less.at(nth).columns("unexplained_versus_random")
        infidelity = report.infidelity[nth]
        row |= (UNMEASURED if np.isnan(infidelity).any() else found.interval(infidelity).at()).columns("infidelity")
        rows.append(row | _sane(found, nth))
    last: dict[str, object] = {"map": RANDOM, "warning": ""} | found.over(lot).columns("tau")
    last |= found.interval(report.unexplained[n:].mean(0)).at().columns("unexplained")
    return pd.DataFrame([*rows, last])


def _sane(found: AttributionClaims, nth: int) -> dict[str, object]:
    sanity = found.sanity
    if sanity is None:
        return {}
    columns = {
        "sensitivity": sanity.sensitivity[nth],
        "dealt_anew": sanity.redealt[nth],
        "kept": sanity.kept[-1, nth],
        "kept_by_lot": sanity.kept_by_lot[nth],
    }
    row: dict[str, object] = {}
    for name, values in columns.items():
        row |= (UNMEASURED if np.isnan(values).any() else found.sane(values)).columns(name)
    return row


def cascade_table(found: AttributionClaims) -> pd.DataFrame:
    """Return one row per map and stage of the cascade: rank correlation of sizes with those of the trained model."""
    sanity = found.sanity
    if sanity is None:
        return pd.DataFrame()
    rows = [
        {"map": name, "drawn_anew": str(stage)} | found.sane(sanity.kept[at, nth]).columns("kept")
        for nth, name in enumerate(found.names)
        for at, stage in enumerate(sanity.stages)
        if not np.isnan(sanity.kept[at, nth]).any()
    ]
    return pd.DataFrame(rows)


def agreement_table(found: AttributionClaims) -> pd.DataFrame:
    """Return one row per pair of maps (exact patching is one): Kendall's tau and Spearman's correlation of sizes.

    Over the tokens that both count: with patching, and with a map from another prompt, those in which prompts differ.
    """
    names: Sequence[str] = (*found.names, "exact patching")
    tau, spearman = found.report.kendall, found.report.spearman
    rows = []
    for second in range(len(names)):
        for first in range(min(second, len(found.names))):
            row: dict[str, object] = {"map": names[first], "with": names[second]}
            rows.append(
                row
                | found.over(tau[second, first]).columns("tau")
                | found.over(spearman[second, first]).columns("spearman")
            )
    return pd.DataFrame(rows)


def disagreements_table(found: AttributionClaims) -> pd.DataFrame:
    """Return one row per map and place that disagree with patching and occlusion, with a sentence on each."""
    told_ = found.comparison.disagreements()
    return pd.DataFrame([{"map": d.map, "place": d.place, "kind": str(d.kind), "sentence": d.sentence} for d in told_])
