"""What is left of a gap, and of another one that should stay."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Split
from interp_lab.experiment import Section
from interp_lab.plots import error_bars, styled
from interp_lab.stats import ratio_of_means
from interp_lab.steering.claimed import SIDES, SteeringClaims
from interp_lab.steering.measured import Steered
from interp_lab.types import UNMEASURED, Interval

DOES_NOT_SHOW = (
    "That the model no longer knows what the gap is by: later layers, or other words that go with it, may bring it "
    "back, and texts of another kind may show it. A gap in the likelier of two answers is not one in what is done with "
    "them. Means hide single pairs: some gaps may grow where the mean falls. What should decide is asked at its ends "
    "only."
)


@dataclass(frozen=True)
class Gap:
    """One gap under one setting, on one split."""

    sign: int
    split: Split
    by: str
    before: Interval
    after: Interval
    change: Interval
    removed: Interval
    """Share of the gap; not measured where there is none to remove. Above 1 it is turned around."""


def gaps(found: SteeringClaims) -> Iterator[Gap]:
    """Yield the gap that is to be closed, and that by what should decide, under each setting that leads."""
    splits = [Split.REPORT] if found.held_out is None else [Split.REPORT, Split.HELD_OUT]
    for nth, (sign, setting) in enumerate(found.leading.items()):
        for split in splits:
            yield _gap(found, found.split(split), found.at(setting), sign=sign, split=split, by=found.config.trait)
        for split, own in found.deciding.items():
            yield _gap(found, own, nth, sign=sign, split=split, by=", ".join(found.config.should_decide))


def _gap(found: SteeringClaims, own: Steered, at: int, *, sign: int, split: Split, by: str) -> Gap:
    def mean(values) -> Interval:  # noqa: ANN001 - an array
        return found.interval(values, own.templates).at()

    before, change = mean(own.baseline), own.values[at] - own.baseline
    there = before.low > 0 or before.high < 0
    removed = mean(ratio_of_means(-change, own.baseline)) if there else UNMEASURED
    return Gap(sign, split, by, before, mean(own.values[at]), mean(change), removed)


def table(found: SteeringClaims) -> pd.DataFrame:
    """Return one row per side, split and gap: what it was, what it is, what changed, which share is gone."""
    rows = []
    for one in gaps(found) if found.scale == "gap" else ():
        row: dict[str, object] = {"side": SIDES[one.sign], "split": str(one.split), "gap by": one.by}
        for name in ("before", "after", "change", "removed"):
            row |= getattr(one, name).columns(name)
        rows.append(row)
    return pd.DataFrame(rows)


def metrics(found: SteeringClaims) -> dict[str, float]:
    """Return by side the share of the gap that is removed, and the change of the gap by what should decide.

    `gap_removed_SIDE` and `deciding_change_SIDE`, with `held_out_` before them on held-out templates.
    """
    flat = {}
    for one in gaps(found) if found.scale == "gap" else ():
        before = "held_out_" if one.split is Split.HELD_OUT else ""
        name, value = ("gap_removed", one.removed) if one.by == found.config.trait else ("deciding_change", one.change)
        flat[f"{before}{name}_{SIDES[one.sign]}"] = value.estimate
    return flat


def lines(found: SteeringClaims) -> list[str]:
    """Return what was found, a line for each gap of what narrows it."""
    told = []
    for one in gaps(found) if found.scale == "gap" else ():
        if one.change.estimate * one.before.estimate < 0 or one.by != found.config.trait:
            share = "" if one.by != found.config.trait else f", {_percent(one.removed)} of it removed"
            told.append(
                f"{SIDES[one.sign]} side, {one.split}: gap by {one.by} {one.before}, then {one.after}{share}"
                f"; change {one.change}"
            )
    return told


def sections(found: SteeringClaims) -> list[Section]:
    """Return the section on gaps, if that is what was steered."""
    if found.scale != "gap" or not found.leading:
        return []
    c = found.config
    stays = f" Beside it stands the gap by {', '.join(c.should_decide)}, which should stay." if c.should_decide else ""
    told = " ".join(f"{line[0].upper()}{line[1:]}." for line in lines(found))
    suggests = (
        f"A gap by {c.trait} is the probability of the positive answer (of the two) less that of the partner: the same "
        f"text but for the words of the other side.{stays} {told}"
    )
    return [
        Section(
            title=f"The gap by {c.trait}",
            causal=True,
            suggests=suggests,
            does_not_show=DOES_NOT_SHOW,
            figures={"gap": figure(found)},
            tables={"gap": table(found)},
        )
    ]


def figure(found: SteeringClaims) -> go.Figure:
    """Return each gap without and with what leads."""
    made, each = go.Figure(), list(gaps(found))
    names = [f"by {one.by}<br>{one.split}, {SIDES[one.sign]} side" for one in each]
    for what, colour, measured in (
        ("unsteered", "#7f7f7f", [one.before for one in each]),
        ("steered", "#1f4e79", [one.after for one in each]),
    ):
        made.add_scatter(
            x=[one.estimate for one in measured], y=names, mode="markers", name=what, error_x=error_bars(measured),
            marker={"size": 9, "color": colour}, hovertext=[str(one) for one in measured],
        )  # fmt: skip
    made.add_vline(x=0, line={"color": "#888", "width": 1, "dash": "dot"})
    made.update_xaxes(title="gap (probability)")
    made.update_yaxes(autorange="reversed")
    made.update_layout(legend={"orientation": "h", "y": -0.3})
    return styled(made, title="gaps, without and with steering", width=720, height=190 + 50 * len(names))


def _percent(share: Interval) -> str:
    return f"{share.estimate:.0%} [{share.low:.0%}, {share.high:.0%}]"
