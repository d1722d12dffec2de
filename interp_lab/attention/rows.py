"""Rows that the tables of both experiments have in common; ends of intervals are in the column names."""

import numpy as np

from interp_lab.attention.head_sets import SetFinding
from interp_lab.types import UNMEASURED

Row = dict[str, object]


def set_row(one: SetFinding) -> Row:
    """Return what ablating a set of heads does: beside the sum of its members, and beside random sets."""
    return {
        "heads": str(one.heads),
        "what": one.heads.label,
        "behaviour": one.heads.behaviour,
        "ablation": str(one.ablation),
        "finding": str(one.kind),
        "backs_up": one.backs_up,
        **one.together.columns("together"),
        **one.alone.columns("sum_of_members"),
        **one.excess.columns("excess"),
        "p_excess": one.p_excess,
        **(one.effect.versus_control if one.effect else UNMEASURED).columns("versus_random_sets"),
        "p_random_sets": one.effect.p_adjusted if one.effect else np.nan,
        "grade": str(one.grade) if one.effect else "",
        "unit": one.unit,
    }
