"""How well monitors warn, beside what each context alone would tell."""

import numpy as np
import pandas as pd

from interp_lab.sae.features.monitor import Monitors
from interp_lab.stats import bootstrap_interval, paired_difference
from interp_lab.types import Interval


def monitors_table(found: Monitors, *, level: float) -> pd.DataFrame:
    """Return a row per monitor, context and part: the area under the ROC curve, and beyond the best single context."""
    rows = []
    for part, (areas, templates, rarer) in found.parts.items():
        best = found.n_monitors + int(found.report[found.n_monitors :].mean(1).argmax())
        for nth, name in enumerate(found.names):
            row: dict[str, object] = {"monitor": name, "part": part.replace("_", "-"), "documents": areas.shape[1]}
            row |= area(areas[nth], rarer, level=level).columns("auroc")
            if nth < found.n_monitors:
                beyond = paired_difference(areas[nth][None], areas[best][None], list(templates), level=level)
                row |= {"beside": found.names[best], **beyond.intervals.at(0).columns("beyond")}
            rows.append(row)
    return pd.DataFrame(rows)


def area(by_document: np.ndarray, rarer: int, *, level: float) -> Interval:
    """Return the area with its interval over documents, cut off where areas end.

    Where all documents are told apart they have no spread: the lower limit is then the exact one of a share of the
    rarer kind of document of which none was placed wrong.

    Source: Clopper and Pearson 1934.
    """
    if by_document.min() == by_document.max() == 1.0:
        return Interval(1.0, ((1 - level) / 2) ** (1 / rarer), 1.0, level, len(by_document))
    found = bootstrap_interval(by_document[None], None, level=level, seed=0).at(0)
    return Interval(found.estimate, max(found.low, 0.0), min(found.high, 1.0), found.level, found.n_clusters)


def monitors_line(found: Monitors, *, level: float) -> str:
    """Return in a sentence how well each warns."""
    part, (areas, _, rarer) = list(found.parts.items())[-1]
    told = [f"{name} {area(one, rarer, level=level)}" for name, one in zip(found.names, areas, strict=True)]
    where = "held-out templates" if part == "held_out" else "other documents"
    return f"warning at the last token ({where}, area under the ROC curve): {', '.join(told)}"
