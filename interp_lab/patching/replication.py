"""Published figures of indirect objects in GPT-2 small, and what was measured beside them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from interp_lab.bibliography import WANG_2022
from interp_lab.patching.changes import Patch
from interp_lab.patching.result import PatchingResult
from interp_lab.stats import bounded_interval, mean_interval
from interp_lab.types import UNMEASURED, HeadIndex, Interval, head_name

MODEL, TASK = "gpt2-small", "indirect_object"
SOURCE = WANG_2022
REMARK = "signs of heads are the paper's; sizes depend on sentences and on what is patched"

LOGIT_DIFFERENCE = 3.56
"""Mean logit of the receiver minus that of the giver, over 100,000 prompts (logits)."""
RECEIVER_OVER_GIVER = 0.993
"""Share of the prompts in which the receiver has the higher logit."""


@dataclass(frozen=True)
class HeadClass:
    """Heads that the paper gives one part in the circuit."""

    name: str
    heads: tuple[HeadIndex, ...]
    sign: int
    """1 if the answer gets lost without them, -1 if they work against it."""


CIRCUIT = (
    HeadClass("name mover", ((9, 9), (10, 0), (9, 6)), 1),
    HeadClass("negative name mover", ((10, 7), (11, 10)), -1),
    HeadClass("S-inhibition", ((7, 3), (7, 9), (8, 6), (8, 10)), 1),
    HeadClass("induction", ((5, 5), (5, 8), (5, 9), (6, 9)), 1),
    HeadClass("duplicate token", ((0, 1), (0, 10), (3, 0)), 1),
    HeadClass("previous token", ((2, 2), (4, 11)), 1),
)
"""Backup name movers are left out: what they do shows only while the name movers are silent.

Source: Wang et al. 2022, arXiv 2211.00593, section 3.
"""


def beside_published(result: PatchingResult) -> pd.DataFrame:
    """Return published figures, each beside the measured one with its interval, and whether they agree.

    Of heads the paper gives the part and by it a sign; measured is the effect of noising the head's output at all
    positions. Sentences and names are ours, and the paper patches paths to the logits: signs should agree, sizes of
    the behaviour roughly, and numbers need not.

    Returns: one row per figure; `within` is missing for heads that the model has not.
    Raises: ValueError, for a result of another task, another metric, or without the map `z`.
    """
    config = result.config
    if config.task != TASK or config.metric != "logit_difference" or "z" not in result.maps:
        raise ValueError(
            f"the published figures are logit differences of {TASK!r}, by head; this result is of {config.task!r}, "
            f"{config.metric}, with the maps {', '.join(result.maps)}: use patch_ioi_gpt2_small.yaml of the "
            "experiments' configs"
        )
    clean, clusters = result.report.clean, result.report.clusters
    mean = mean_interval(clean, clusters, level=config.level, seed=config.seed)
    share = bounded_interval((clean > 0).astype(float), clusters, level=config.level)
    rows = [
        _row("mean logit difference", LOGIT_DIFFERENCE, mean, result.unit),
        _row("receiver over giver", RECEIVER_OVER_GIVER, share, "share of prompts"),
    ]
    noised = _noised(result)
    rows += [_head_row(one, head, noised, result.effect_unit) for one in CIRCUIT for head in one.heads]
    return pd.DataFrame(rows)


def published_by(result: PatchingResult) -> str:
    """Return who published the figures."""
    del result  # whichever it is
    return f"{SOURCE.authors} {SOURCE.year} ({SOURCE.url})"


def caveat(result: PatchingResult) -> str | None:
    """Return why the figures mean nothing for a result, if they do not."""
    measured = result.provenance.model.name
    if measured == MODEL:
        return None
    return f"{measured} is not {MODEL}: the published figures say nothing about it, and agreement would be chance"


def _noised(result: PatchingResult) -> Mapping[str, Interval]:
    cells, intervals = result.maps["z"].cells, result.intervals[Patch.NOISE]
    return {result.names[site]: intervals.at(site) for site in range(cells.start, cells.stop)}


def _row(figure: str, published: float, measured: Interval, unit: str) -> dict[str, object]:
    within = bool(not measured.excludes(published))
    return {"figure": figure, "published": f"{published:g}", **_told(measured), "unit": unit, "within": within}


def _head_row(one: HeadClass, head: HeadIndex, noised: Mapping[str, Interval], unit: str) -> dict[str, object]:
    published = "needed" if one.sign > 0 else "works against the answer"
    row: dict[str, object] = {"figure": f"{head_name(head)} {one.name}", "published": published}
    found = noised.get(head_name(head))
    if found is None:
        return row | _told(UNMEASURED) | {"unit": unit, "within": None}
    return row | _told(found) | {"unit": unit, "within": found.low > 0 if one.sign > 0 else found.high < 0}


def _told(measured: Interval) -> dict[str, float]:
    return {"measured": measured.estimate, "low": measured.low, "high": measured.high}
