"""The heads that others found in GPT-2 small, and what was measured of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from interp_lab.attention.head_types import SECOND_COPY
from interp_lab.attention.looks import REPEATS
from interp_lab.attention.result import AttentionHeadsResult
from interp_lab.types import UNMEASURED, HeadIndex, head_name

MODEL = "gpt2-small"
REMARK = "scores depend on the text; whether a head is of its type should not"


@dataclass(frozen=True)
class KnownHead:
    """A head that is said to be of a type."""

    head: HeadIndex
    kind: str
    score: float | None
    """As published, on other text than ours; `None` where only words are."""
    source: str


CATALOGUE = (
    *(
        KnownHead(head, "induction", score, "ARENA 3.0; scores of github.com/designer-coderajay")
        for head, score in (((5, 1), 0.908), ((5, 5), 0.932), ((6, 9), 0.913), ((7, 2), 0.833), ((7, 10), 0.910))
    ),
    KnownHead((4, 11), "previous_token", None, "TransformerLens head detector demo: near perfect"),
)
"""Heads that several people named. 2.2 (previous token, diffuse) is left out: where it looks is a matter of the bar."""


def beside_published(result: AttentionHeadsResult) -> pd.DataFrame:
    """Return one row per head of the catalogue: the published score, ours with its interval, and what ablation says.

    Scores depend on the text (ours is of random tokens, and queries that come back); whether a head is of its type
    should not.

    Returns: `found` says whether the head was typed so; it is missing for heads that the model has not.
    """
    return pd.DataFrame([_row(result, one) for one in CATALOGUE])


def _row(result: AttentionHeadsResult, one: KnownHead) -> dict[str, object]:
    looks, (n_layers, n_heads) = result.looks, result.looks.n_heads
    row: dict[str, object] = {"head": head_name(one.head), "type": one.kind, "published": one.score or np.nan}
    score, found, effect, says = UNMEASURED, None, UNMEASURED, ""
    if one.head[0] < n_layers and one.head[1] < n_heads:
        score = looks.intervals[REPEATS].at(looks.types[REPEATS].index(one.kind), *one.head)
        found = one.kind in looks.of_heads.get(one.head, ())
        effect, says = result.intervals(SECOND_COPY).at(*one.head), result.says(one.head, SECOND_COPY)
    row |= {"measured": score.estimate, "low": score.low, "high": score.high, "found": found}
    return row | effect.columns("loss_rise") | {"says": says}


def published_by(result: AttentionHeadsResult) -> str:
    """Return who named the heads of the catalogue."""
    del result  # whichever it is
    return "; ".join(dict.fromkeys(one.source for one in CATALOGUE))


def caveat(result: AttentionHeadsResult) -> str | None:
    """Return why the figures mean nothing for a result, if they do not."""
    measured = result.provenance.model.name
    if measured == MODEL:
        return None
    return f"{measured} is not {MODEL}: the published figures say nothing about it, and agreement would be chance"
