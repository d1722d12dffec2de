"""Tables of which features go with concepts."""

import numpy as np
import pandas as pd

from interp_lab.claims import Split
from interp_lab.sae.concepts.claimed import ConceptsClaims
from interp_lab.sae.concepts.judged import Judged
from interp_lab.sae.concepts.measured import FULL
from interp_lab.sae.concepts.sides import Kind


def concepts_table(found: ConceptsClaims) -> pd.DataFrame:
    """Return one row per concept: its best feature beside the best of everything else, on the report split.

    Columns: `found` (beyond the least area, random dictionaries and shuffled labels, corrected over concepts);
    `feature` (its number) and `sign` (-1 where it is low when the concept is there); `score` (area under the ROC
    curve), `neuron`, `coordinate`, `component` (the same of the best of these), `random` (mean over dictionaries),
    `dense` (of a probe on all coordinates); `beyond_...` (differences on the same texts), all with intervals;
    `beside_...` (better, worse, or no clear difference) with `p_adjusted_...` (over concepts and sides together);
    `held_out` (score on reserved templates) and `held_out_beyond_rival`; `fires_with`, `fires_without` (share of what
    has the concept, or has it not, for which the feature is not zero), `share` (what has it), `n_texts`.
    """
    return pd.DataFrame([_concept_row(found, nth) for nth in range(len(found.judged))])


def _concept_row(found: ConceptsClaims, nth: int) -> dict[str, object]:
    one = found.judged[nth]
    measured, part = one.measured, one.measured.scores[Split.REPORT]
    row: dict[str, object] = {"concept": measured.concept, "found": bool(found.found[nth]), "feature": measured.feature}
    row |= {"sign": int(measured.signs[0])} | one.score(Kind.FEATURE).columns("score")
    row |= {"rival": measured.units[measured.sides.index(one.rival)]}
    for side in measured.sides[1:]:
        row |= one.score(side).columns(side) | one.beyond(side).columns(f"beyond_{side}")
    row |= {"random": float(part.random.mean())} | one.beyond_chance("random").columns("beyond_random")
    for side, p in zip(one.others, found.p_adjusted[nth], strict=True):
        name = "random" if side == Kind.RANDOM else side
        row |= {f"beside_{name}": str(found.beside(nth, side)), f"p_adjusted_{name}": float(p)}
    row |= one.beyond_chance("shuffled").columns("beyond_shuffled")
    row |= one.probe(Kind.COORDINATE, FULL).columns("dense")
    row |= one.score(Kind.FEATURE, Split.HELD_OUT).columns("held_out")
    row |= one.beyond(one.rival, Split.HELD_OUT).columns("held_out_beyond_rival")
    row |= {"seen_again": found.seen_again(nth)}
    row |= dict(zip(("fires_with", "fires_without"), part.fires.tolist(), strict=True))
    return row | {"share": part.share, "n_texts": len(part.templates)}


def choosing_table(found: ConceptsClaims) -> pd.DataFrame:
    """Return one row per concept and side: the score that a unit was chosen by, and what is left of it.

    Columns: `unit`; `select`, `report`, `held_out` (areas under the ROC curve), `shrinkage` (select less report). Of
    random dictionaries and shuffled labels means over draws; shuffled labels are scored as they are shuffled.
    """
    return pd.DataFrame([row for one in found.judged for row in _choosing_rows(one)])


def _choosing_rows(one: Judged) -> list[dict[str, object]]:
    measured = one.measured
    report, away = measured.scores[Split.REPORT], measured.scores.get(Split.HELD_OUT)

    def row(side: str, unit: str, chosen: float, name: str, nth: int | slice) -> dict[str, object]:
        there = float(getattr(report, name)[nth].mean())
        again = np.nan if away is None else float(getattr(away, name)[nth].mean())
        scores = {"select": chosen, "report": there, "held_out": again, "shrinkage": chosen - there}
        return {"concept": measured.concept, "side": side, "unit": unit, **scores}

    each = zip(measured.sides, measured.units, measured.chosen.tolist(), strict=True)
    rows = [row(side, unit, chosen, "best", nth) for nth, (side, unit, chosen) in enumerate(each)]
    rows.append(row(Kind.RANDOM, "", float(measured.chosen_random.mean()), "random", slice(None)))
    return [*rows, row("shuffled labels", "", float(measured.chosen_shuffled.mean()), "shuffled", slice(None))]


def probes_table(found: ConceptsClaims) -> pd.DataFrame:
    """Return one row per concept, side and number of units that a probe reads.

    Columns: `score` and `held_out` (areas under the ROC curve) with intervals, `beyond` (a probe of as many features
    exceeds this one by so much on the same texts).
    """
    rows = []
    for one in found.judged:
        for side in one.measured.probed:
            for k in one.measured.k:
                row: dict[str, object] = {"concept": one.measured.concept, "side": side, "k": k}
                row |= one.probe(side, k).columns("score")
                if side != Kind.FEATURE:
                    row |= one.probe_beyond(k, side).columns("beyond")
                rows.append(row | one.probe(side, k, Split.HELD_OUT).columns("held_out"))
    return pd.DataFrame(rows)


def left_out_table(found: ConceptsClaims) -> pd.DataFrame:
    """Return what was not measured, and why."""
    return pd.DataFrame([{"left_out": name, "why": why} for name, why in found.left_out])
