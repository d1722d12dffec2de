"""Published circuits of public models, and what was measured of them here."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from interp_lab.bibliography import HANNA_2023, HEIMERSHEIM_2023, WANG_2022, Source
from interp_lab.circuits.circuit import Circuit
from interp_lab.circuits.claimed import CircuitClaims
from interp_lab.stats import ratio_of_means
from interp_lab.types import UNMEASURED


@dataclass(frozen=True)
class Published:
    """A circuit as its authors gave it, as nodes."""

    model: str
    nodes: tuple[str, ...]
    figures: Mapping[str, float]
    """What they measured, by the name of what is measured here."""
    source: Source


CIRCUITS: Mapping[str, Published] = {
    "indirect_object": Published(
        "gpt2-small",
        (
            "9.9", "10.0", "9.6",  # name movers
            "10.10", "10.6", "10.2", "10.1", "11.2", "9.7", "9.0", "11.9",  # their backups
            "10.7", "11.10",  # negative name movers
            "7.3", "7.9", "8.6", "8.10",  # S-inhibition
            "5.5", "5.8", "5.9", "6.9",  # induction
            "0.1", "0.10", "3.0",  # duplicate token
            "2.2", "4.11",  # previous token
            *(f"m{layer}" for layer in range(12)),  # the paper ablates heads only
        ),
        {"clean": 3.56, "F(C) / F(M)": 0.87},
        WANG_2022,
    ),
    "greater_than": Published(
        "gpt2-small",
        ("0.1", "0.3", "0.5", "5.5", "6.1", "6.9", "7.10", "8.11", "9.1", "m0", "m1", "m2", "m3", "m8", "m9", "m10",
         "m11"),
        {"clean": 0.817},
        HANNA_2023,
    ),
    "docstring": Published("attn-only-4l", ("0.5", "1.2", "1.4", "2.0", "3.0", "3.6"), {}, HEIMERSHEIM_2023),
}  # fmt: skip
"""By task. Node form; their authors keep heads at some positions only, and mean over prompts of their own.

Source: Wang et al. 2022, arXiv 2211.00593, section 3 and the authors' saved run; Hanna et al. 2023, arXiv 2305.00586
    (nodes as in Conmy et al. 2023, arXiv 2304.14997); Heimersheim and Janiak 2023.
"""

REMARK = (
    "their authors keep heads at some positions only, on sentences of their own, and take means over other prompts of "
    "the template; F(C) / F(M) is their figure, and not f, which is measured from the empty circuit"
)


def beside_published(result: CircuitClaims) -> pd.DataFrame:
    """Return published figures, and how much of the published circuit was found, each beside what was measured.

    A circuit that was given is the published one, and found by definition; of one that was looked for, `found` is the
    share of the published heads and MLPs that it has, and `besides` how many others.

    Returns: one row per figure; `within` says whether the published value lies in the interval.
    Raises: ValueError, for a result of a task that nothing is published of.
    """
    published = _published(result)
    measured = {
        "clean": result.interval(result.report.clean).at(),
        "F(C) / F(M)": result.interval(ratio_of_means(result.report.circuit, result.report.clean)).at(),
    }
    rows = []
    for name, value in published.figures.items():
        one = measured[name] or UNMEASURED
        rows.append({"figure": name, "published": value, "measured": one.estimate, "low": one.low, "high": one.high,
                     "within": bool(one.low <= value <= one.high)})  # fmt: skip
    own, theirs = _parts(result.circuit), frozenset(published.nodes)
    there = theirs & {edge.source for edge in result.all_edges}
    share = len(own & there) / len(there) if there else np.nan
    rows += [{"figure": "published parts found (share)", "published": 1.0, "measured": share}]
    rows += [{"figure": "parts besides (number)", "published": 0.0, "measured": float(len(own - theirs))}]
    return pd.DataFrame(rows, columns=["figure", "published", "measured", "low", "high", "within"])


def published_by(result: CircuitClaims) -> str:
    """Return who published the circuit of a task."""
    one = _published(result).source
    return f"{one.authors} {one.year} ({one.url})"


def caveat(result: CircuitClaims) -> str | None:
    """Return why the figures mean nothing for a result, if they do not."""
    model, measured = _published(result).model, result.provenance.model.name
    if measured == model:
        return None
    return f"{measured} is not {model}: the published figures say nothing about it, and agreement would be chance"


def _published(result: CircuitClaims) -> Published:
    task = result.config.task
    if task not in CIRCUITS:
        raise ValueError(f"no published circuit of {task!r} is known here; there are {', '.join(CIRCUITS)}")
    return CIRCUITS[task]


def _parts(circuit: Circuit) -> frozenset[str]:
    return frozenset(node for node in circuit.nodes if not node.endswith("embed"))
