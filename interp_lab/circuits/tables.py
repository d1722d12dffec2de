"""What was found of a circuit, as tables; of the report split unless the name says otherwise."""

import numpy as np
import pandas as pd

from interp_lab.circuits.claimed import CircuitClaims
from interp_lab.circuits.faithfulness import ORDERS, Faithfulness
from interp_lab.circuits.references import THIS
from interp_lab.circuits.reuse import overlaps, shared_parts
from interp_lab.circuits.splits import CircuitSplit
from interp_lab.types import UNMEASURED


def merit_table(found: CircuitClaims) -> pd.DataFrame:
    """Return a row per circuit and split: the circuit, what is left without it, circuits of other tasks.

    `faithfulness` is f in the ratio of means, `mean_of_ratios` in the other order; `kept` and `total` are in the unit
    of the metric; `above_1` marks intervals clearly above 1.
    """
    rows = []
    for name, split in splits_of(found).items():
        circuits = {"circuit": split.circuit, "all other edges": split.complement}
        circuits |= {f"circuit of {task}": own for task, own in zip(found.plan.beside, split.beside, strict=True)}
        for circuit, values in circuits.items():
            rows.append({"measured_on": name, "circuit": circuit} | _merit(found.faithful(values, split)))
        if len(split.random):
            row = {"measured_on": name, "circuit": f"mean of {len(split.random)} random circuits"}
            rows.append(row | _merit(found.faithful(split.random.mean(0), split)))
    return pd.DataFrame(rows)


def splits_of(found: CircuitClaims) -> dict[str, CircuitSplit]:
    """Return the splits that figures are reported on, by name."""
    held = {} if found.held_out is None else {"held-out templates": found.held_out}
    return {"other prompts": found.report} | held


def _merit(one: Faithfulness) -> dict[str, object]:
    first, second = ORDERS
    shown = {
        "faithfulness": one.shares.get(first),
        "mean_of_ratios": one.shares.get(second),
        "kept": one.kept,
        "total": one.total,
        "distance": one.distance,
    }
    row: dict[str, object] = {}
    for name, interval in shown.items():
        row |= (interval or UNMEASURED).columns(name)
    return row | {"above_1": bool(one.exceeds()), "refused": "; ".join(dict.fromkeys(one.refused.values()))}


def edges_table(found: CircuitClaims) -> pd.DataFrame:
    """Return a row per edge of the circuit, the largest first.

    `score` is what it was chosen by, on the selection split; `effect` what ablating it alone does on other prompts,
    exactly, and `held_out` on held-out templates. An edge without effect may still be needed: others back it up.
    """
    scores = dict(zip(found.all_edges, found.scores.mean(1).tolist(), strict=True)) if len(found.scores) else {}
    effects = found.interval(found.report.edges)
    again = None if found.held_out is None else found.interval(found.held_out.edges, found.held_out)
    rows = []
    for nth, edge in enumerate(found.plan.edges):
        row: dict[str, object] = {"source": edge.source, "target": edge.target, "score": scores.get(edge, np.nan)}
        rows.append(
            row
            | effects.at(nth).columns("effect")
            | (UNMEASURED if again is None else again.at(nth)).columns("held_out")
        )
    table = pd.DataFrame(rows)
    return table.reindex(table["effect"].abs().sort_values(ascending=False, kind="stable").index, copy=True)


def nodes_table(found: CircuitClaims) -> pd.DataFrame:
    """Return a row per head and MLP of the circuit: what is lost without it there, and in the model; the gap between.

    A part that the model misses less than the circuit is one that something outside of the circuit stands in for.
    """
    if not found.plan.nodes:
        return pd.DataFrame()
    in_circuit, in_model = found.node_worth
    rows = [
        {"node": node, "looks_like": found.roles.get(node, "")}
        | in_circuit.at(nth).columns("lost_in_circuit")
        | in_model.at(nth).columns("lost_in_model")
        | found.node_gaps.at(nth).columns("gap")
        for nth, node in enumerate(found.plan.nodes)
    ]
    table = pd.DataFrame(rows)
    return table.sort_values("lost_in_circuit", ascending=False, kind="stable")


def greedy_table(found: CircuitClaims) -> pd.DataFrame:
    """Return a row per step: the node removed besides, what is left of the metric in circuit and model, the gap."""
    gaps = found.greedy_gaps if len(found.plan.greedy) else None
    left = found.interval(found.report.greedy) if gaps is not None else None
    if gaps is None or left is None:
        return pd.DataFrame()
    return pd.DataFrame(
        [
            {"step": nth + 1, "besides": node}
            | left.at(0, nth).columns("circuit")
            | left.at(1, nth).columns("model")
            | gaps.at(nth).columns("gap")
            for nth, node in enumerate(found.plan.greedy)
        ]
    )


def tried_table(found: CircuitClaims) -> pd.DataFrame:
    """Return the circuits that were measured on the selection split while their size was chosen."""
    return pd.DataFrame(
        [{"edges": one.n_edges, "kept_on_selection": one.kept, "threshold": one.threshold} for one in found.tried]
    )


def curve_table(found: CircuitClaims) -> pd.DataFrame:
    """Return a row per size and split: f along the ranking, and the mean over random rankings."""
    rows = []
    for name, split in splits_of(found).items():
        own, random = found.curve(split), found.curve(split, of_random=True)
        shares, by_chance = (None if one is None else one.faithfulness() for one in (own, random))
        if own is None or shares is None or by_chance is None:
            continue
        for nth, n in enumerate(own.n_edges):
            row = {"measured_on": name, "edges": n, "share_of_edges": own.shares_of_edges[nth]}
            rows.append(row | shares.at(nth).columns("faithfulness") | by_chance.at(nth).columns("random_rankings"))
    return pd.DataFrame(rows)


def sensitivity_tables(found: CircuitClaims) -> pd.DataFrame:
    """Return the sensitivity of faithfulness to ablation, form and order of averaging, on both splits."""
    parts = []
    for name, split in splits_of(found).items():
        part = found.sensitivity(split)
        part.insert(0, "measured_on", name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def reuse_tables(found: CircuitClaims) -> dict[str, pd.DataFrame]:
    """Return which parts serve circuits of several tasks, and how much each two share; none without other circuits."""
    if not found.plan.beside:
        return {}
    circuits = {THIS: found.circuit} | found.others
    parts = sorted({edge.source for edge in found.all_edges if not edge.source.endswith("embed")})
    return {
        "shared_parts": shared_parts(circuits),
        "overlaps": overlaps(circuits, parts=parts, n_edges=len(found.all_edges)),
    }
