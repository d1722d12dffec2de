"""Tables of what the experiment on relations found."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from interp_lab.attention.relations.measurements import RelationMeasurements, Where
from interp_lab.attention.rows import set_row
from interp_lab.claims import Evidence, Split
from interp_lab.effects import larger_than
from interp_lab.stats import bootstrap_interval
from interp_lab.types import UNMEASURED, head_name


def relations_table(found: RelationMeasurements) -> pd.DataFrame:
    """Return one row per relation and head of the report half: what it looks like, what it acts like, and agreement.

    Columns: `looks` (found on the select half, seen again on the report half), `looks_on_held_out` (`None`: too few
    templates to tell), `acts` (grade of the first ablation's effect; empty where none was asked), `also_under` (how
    many of the other ablations have a clear effect too), `larger_than` (how many of the other heads).
    """
    rows = []
    held_out = found.carriers.holds(Split.HELD_OUT) if Split.HELD_OUT in found.attention else None
    for nth, part in enumerate(found.attention[Split.REPORT]):
        own = bootstrap_interval(part.to_key, part.templates, level=found.config.level, seed=found.config.seed)
        beyond = found.carriers.excess(nth)
        can_hold = held_out is not None and found.carriers.can_hold(nth)
        for layer, head in np.ndindex(*found.looks.shape[1:]):
            at = (nth, layer, head)
            row: dict[str, object] = {"relation": part.relation, "head": head_name((layer, head))}
            row |= {"verdict": str(found.verdict(at)), "looks": bool(found.looks[at])}
            row["looks_on_held_out"] = bool(held_out[at]) if held_out is not None and can_hold else None
            row |= own.at(layer, head).columns("attention") | beyond.at(layer, head).columns("excess")
            rows.append(row | {"p_looks": found.carriers.p_adjusted[at]} | _acts(found, at))
    return pd.DataFrame(rows)


def _acts(found: RelationMeasurements, at: Where) -> dict[str, object]:
    kind = found.config.ablations[0]
    effect, again = found.evidence[kind].get(at), found.replications[kind].get(at)
    row: dict[str, object] = {"acts": str(found.grade(at)) if effect else ""}
    row |= _effect(effect) | (again.effect if again else UNMEASURED).columns("change_on_held_out")
    row["also_under"] = found.agreeing(at) if effect else ""
    return row | {"larger_than": larger_than(effect) if effect else ""}


def _effect(effect: Evidence | None) -> dict[str, object]:
    change, against = (effect.effect, effect.versus_control) if effect else (UNMEASURED, UNMEASURED)
    row = change.columns("change") | against.columns("versus_control")
    return row | {"p_acts": effect.p_adjusted if effect else np.nan, "unit": effect.unit if effect else ""}


def effects_table(found: RelationMeasurements) -> pd.DataFrame:
    """Return one row per relation, head and kind of ablation: its effect, control and grade."""
    rows = []
    for nth, relation in enumerate(found.relations):
        for layer, head in np.ndindex(*found.looks.shape[1:]):
            for kind in found.config.ablations:
                effect = found.evidence[kind].get((nth, layer, head))
                clear = effect is not None and effect.is_clear(alpha=found.config.fdr)
                row: dict[str, object] = {"relation": relation, "head": head_name((layer, head))}
                rows.append(row | {"ablation": str(kind), "clear": clear} | _effect(effect))
    return pd.DataFrame(rows)


def sets_table(found: RelationMeasurements) -> pd.DataFrame:
    """Return one row per relation that several heads carry and kind of ablation; no rows if there is none."""
    return pd.DataFrame([set_row(one) for one in found.sets])


def contrast_tables(found: RelationMeasurements) -> dict[str, pd.DataFrame]:
    """Return one table per contrast, with a row per role and head."""
    named = zip(contrast_names(found), found.contrasted, strict=True)
    return {name: one.table() for name, one in named}


def contrast_names(found: RelationMeasurements) -> Iterator[str]:
    """Yield a name for each contrast that is fit for a file."""
    for nth, one in enumerate(found.config.contrasts, 1):
        yield f"contrast {nth} " + re.sub(r"[^\w -]+", " ", f"{one.first} against {one.second}")
