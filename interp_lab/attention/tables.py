"""Rows of the tables of the attention-head experiment; lengths and units are in the column names."""

import numpy as np

from interp_lab.attention.looks import REPEATS
from interp_lab.attention.measurements import HeadMeasurements
from interp_lab.attention.readings import COMPOSITIONS
from interp_lab.attention.rows import Row, set_row
from interp_lab.claims import Split, grade
from interp_lab.stats import bootstrap_interval
from interp_lab.types import UNMEASURED, head_name


def head_rows(found: HeadMeasurements) -> list[Row]:
    """Return one row per head: what it looks like, and per behaviour what ablating it does, and how the two agree."""
    rows = []
    for head in np.ndindex(*found.looks.n_heads):
        row: Row = {"head": head_name(head), "looks_like": ", ".join(found.looks.of_heads.get(head, ()))}
        for behaviour in found.behaviours:
            name, tested = behaviour.replace(" ", "_"), found.evidence[behaviour].get(head, (None, None))
            effect = tested[0]
            row |= found.intervals(behaviour).at(*head).columns(name)
            row |= (effect.versus_control if effect else UNMEASURED).columns(f"{name}_versus_control")
            row[f"{name}_p_adjusted"] = effect.p_adjusted if effect else np.nan
            row[f"{name}_says"] = found.says(head, behaviour)
            row[f"{name}_grade"] = str(grade(*tested, alpha=found.config.fdr)) if effect else ""
        rows.append(row)
    return rows


def set_rows(found: HeadMeasurements) -> list[Row]:
    """Return one row per set of heads that were ablated together."""
    return [set_row(one) for one in found.set_findings]


def ablation_rows(found: HeadMeasurements) -> list[Row]:
    """Return what ablating each head costs under every kind of ablation, on the report half."""
    rows = []
    for behaviour in found.behaviours:
        one = found.effects[Split.REPORT, behaviour]
        every = bootstrap_interval(one.changes, one.units, level=found.config.level, seed=found.config.seed)
        for layer, head in np.ndindex(*found.looks.n_heads):
            row: Row = {"head": head_name((layer, head)), "behaviour": behaviour}
            for nth, kind in enumerate(found.config.ablations):
                row |= every.at(nth, layer, head).columns(str(kind))
            rows.append(row)
    return rows


def score_rows(found: HeadMeasurements) -> list[Row]:
    """Return one row per head: its score for every type on every text beside the null, report half, and its habits."""
    rows, habits = [], found.habits
    for head in np.ndindex(*found.looks.n_heads):
        row: Row = {"head": head_name(head)}
        for text in found.looks.texts:
            for nth, kind in enumerate(found.looks.types[text]):
                name = kind if text == REPEATS else f"{kind}_on_text"
                row |= found.looks.intervals[text].at(nth, *head).columns(name)
                row[f"{name}_null"] = found.looks.null(text, kind)
        row["entropy_share"] = float(habits.entropy[head].mean())
        row["distance_tokens"] = float(habits.distance[head].mean())
        rows.append(row)
    return rows


def weight_rows(found: HeadMeasurements) -> list[Row]:
    """Return one row per head: copying and eigenvalues beside rotated heads, and whom its inputs compose with most."""
    weights = found.weights
    if weights is None:
        return []
    rows = []
    for layer, head in np.ndindex(*found.looks.n_heads):
        row: Row = {"head": head_name((layer, head))}
        for name in ("copied", "eigenvalues"):
            null = getattr(weights, f"{name}_null")[:, layer, head]
            row |= {name: float(getattr(weights, name)[layer, head]), f"{name}_rotated": float(null.mean())}
            row[f"{name}_rotated_high"] = float(np.quantile(null, 0.975))
        for nth, kind in enumerate(COMPOSITIONS if layer else ()):
            own = weights.composition[nth, :layer, :, layer, head]
            at = np.unravel_index(own.argmax(), own.shape)
            null = weights.composition_null[:, nth, :layer, :, layer, head].max((1, 2))
            row |= {f"{kind}_reads": head_name((int(at[0]), int(at[1]))), f"{kind}_composition": float(own[at])}
            row[f"{kind}_best_rotated"] = float(np.quantile(null, 0.975))
        rows.append(row)
    return rows


def attended_rows(found: HeadMeasurements) -> list[Row]:
    """Return the pairs of tokens that typed heads attend to most: chosen on one half, reported on the other."""
    one = found.attended
    if one is None:
        return []
    return [
        {
            "head": name,
            "from": one.query[nth][place],
            "to": one.key[nth][place],
            "attention": float(one.attention[nth, place]),
            "spread_evenly": float(one.chance[nth, place]),
        }
        for nth, name in enumerate(one.names)
        for place in np.flatnonzero(np.isfinite(one.attention[nth])).tolist()
    ]
