"""What activation patching found, as tables."""

import pandas as pd

from interp_lab.claims import Split
from interp_lab.patching.changes import Patch
from interp_lab.patching.claimed import PatchingClaims
from interp_lab.stats.overlap import Overlap

_CLAIMED = (Patch.DENOISE, Patch.NOISE)


def sites_table(found: PatchingClaims) -> pd.DataFrame:
    """Return one row per site, of the report split, in the unit of effects; columns with `_raw` in that of the metric.

    `denoise` and `noise` are effects, `..._null` those of their controls, `denoise_other` that of another clean prompt
    (with the same answer, or any: `same_answers` of the result), `specificity` the effect minus that, `disagreement`
    denoising minus noising, with its `p_adjusted` over all sites. Of chosen sites `denoise_p_adjusted` and
    `denoise_grade` (so for noising) are those of the claims, NaN and empty for sites that were not tested.
    `by_construction` marks sites that do everything in any model, and were not asked about.
    """
    tested = {patch: _tested(found, patch) for patch in _CLAIMED}
    grades = found.grades()
    rows = []
    for map_name, labels in found.maps.items():
        for nth in range(labels.cells.start, labels.cells.stop):
            row = {"map": map_name, **_row(found, nth)}
            both = grades.get(found.names[nth], ("", "")) if row["chosen"] else ("", "")
            for patch, grade in zip(_CLAIMED, both, strict=True):
                row |= {f"{patch}_p_adjusted": tested[patch].get(nth, float("nan")), f"{patch}_grade": str(grade)}
            rows.append(row)
    return pd.DataFrame(rows)


def _tested(found: PatchingClaims, patch: Patch) -> dict[int, float]:
    """Return the p-values that claims rest on, by site."""
    evidence = found.evidence(patch, Split.REPORT)
    return {int(site): one.p_adjusted for site, one in zip(found.chosen, evidence, strict=False)}


def _row(found: PatchingClaims, nth: int) -> dict[str, object]:
    row: dict[str, object] = {
        "site": found.names[nth],
        "chosen": bool(nth in found.chosen),
        "by_construction": bool(found.by_construction[nth]),
    }
    for patch, intervals in found.intervals.items():
        row |= intervals.at(nth).columns(str(patch))
        row[f"{patch}_raw"] = float(found.report.effect(patch)[nth].mean())
    row["disagree"] = bool(found.disagrees[nth])
    for name, intervals in (("disagreement", found.disagreement), ("specificity", found.specificity)):
        row |= intervals.at(nth).columns(name)
    return row | {"disagreement_p_adjusted": float(found.disagreement_p[nth])}


def stability_table(stability: dict[str, Overlap]) -> pd.DataFrame:
    """Return one row per map: how much its top sites over resampled prompts overlap, beside chance."""
    return pd.DataFrame(
        [
            {"map": name, "top": one.k, "jaccard": one.mean, "low": one.spread()[0], "high": one.spread()[1],
             "chance": one.chance}
            for name, one in stability.items()
        ]
    )  # fmt: skip
