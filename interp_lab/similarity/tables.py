"""What the comparison of two models found, as tables."""

import numpy as np
import pandas as pd

from interp_lab.claims import Split
from interp_lab.similarity.claimed import DifferenceClaims
from interp_lab.similarity.crossed import WAYS, Way
from interp_lab.types import UNMEASURED, head_name


def similarity_table(found: DifferenceClaims) -> pd.DataFrame:
    """Return one row per place: CKA of base and tuned model there, on text and prompts, and its two controls."""
    return pd.DataFrame(
        [
            {"place": name}
            | {
                key: value
                for kind, intervals in found.same_places.items()
                for key, value in intervals.at(nth).columns(kind).items()
            }
            for nth, name in enumerate(found.places)
        ]
    )


def moved_table(found: DifferenceClaims) -> pd.DataFrame:
    """Return one row per part: relative change of what it writes, on the prompts and on other text.

    `more_on_prompts` says whether the intervals of the two lie apart.
    """
    rows = []
    for nth, name in enumerate(found.parts.names):
        prompts, text = (found.moved[kind].at(nth) for kind in ("prompts", "text"))
        rows.append(
            {"map": found.parts.maps[nth], "part": name}
            | prompts.columns("prompts")
            | text.columns("text")
            | {"more_on_prompts": prompts.low > text.high}
        )
    return pd.DataFrame(rows)


def heads_table(found: DifferenceClaims) -> pd.DataFrame:
    """Return one row per head: relative change of its circuits' weights, and share of its attention that moved."""
    _, layers, heads = found.weights.shape
    rows = []
    for layer, head in np.ndindex(layers, heads):
        row: dict[str, object] = {"head": head_name((layer, head))}
        row |= {"QK": found.weights[0, layer, head], "OV": found.weights[1, layer, head]}
        for kind in ("prompts", "text"):
            row |= found.looks[kind].at(layer, head).columns(f"attention_{kind}")
        rows.append(row)
    return pd.DataFrame(rows)


def carried_table(found: DifferenceClaims) -> pd.DataFrame:
    """Return one row per part and way of exchange: how much of the change it carries, its controls, the grade.

    `share` is of the change by tuning. `another_prompt` is the same exchange with what the tuned model's part writes on
    another prompt (with the same answers, where all pairs have such partners), `own_another_prompt` with what the base
    model's own part writes there.
    """
    total, rows = abs(found.total.estimate), []
    another = found.interval(found.report.another * found.report.direction)
    for nth, name in enumerate(found.parts.names):
        for way, carried in zip(WAYS, found.carried, strict=True):
            row: dict[str, object] = {"map": found.parts.maps[nth], "part": name, "exchange": str(way)}
            row |= {"chosen": bool(nth in found.chosen)} | carried.at(nth).columns("carried")
            row |= {"share": carried.at(nth).estimate / total if total else np.nan} | _graded(found, way, name)
            if way is Way.WRITES_IN:
                row |= another.at(0, nth).columns("another_prompt") | another.at(1, nth).columns("own_another_prompt")
            rows.append(row)
    return pd.DataFrame(rows)


def _graded(found: DifferenceClaims, way: Way, name: str) -> dict[str, object]:
    unknown = UNMEASURED
    effect, again = (found.evidence.get(split, {}).get((way, name)) for split in (Split.REPORT, Split.HELD_OUT))
    row: dict[str, object] = {"grade": str(found.claim(way, name).grade) if effect else ""}
    row |= (effect.versus_control if effect else unknown).columns("versus_control")
    row |= {"p_adjusted": effect.p_adjusted if effect else np.nan}
    return row | (again.effect if again else unknown).columns("held_out")


def cumulative_table(found: DifferenceClaims) -> pd.DataFrame:
    """Return one row per step: the gap of base and tuned model with the weights of more and more parts of the other.

    `least` is the base model with as many of the parts that alone carry least: the control.
    """
    held = found.report
    base, least = (found.interval(held.base + own) for own in held.cumulative[:, 0])
    tuned = found.interval(held.tuned + held.cumulative[0, 1])
    return pd.DataFrame(
        [
            {"step": step + 1, "besides": found.parts.names[at]}
            | base.at(step).columns("base_with_tuned")
            | tuned.at(step).columns("tuned_with_base")
            | {"besides_least": found.parts.names[found.order[1, step]]}
            | least.at(step).columns("base_with_least")
            for step, at in enumerate(found.order[0])
        ]
    )
