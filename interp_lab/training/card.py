"""A model card: figures with intervals, controls and targets, as a table, a page and a file."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from interp_lab.runs import write_atomic
from interp_lab.training.config import CardConfig
from interp_lab.training.organism_config import BehaviourCardConfig
from interp_lab.types import Interval

CARD = "card.json"
"""Name of the file beside the weights."""


@dataclass(frozen=True)
class Target:
    """The range in which the whole interval of a figure must lie."""

    low: float = -math.inf
    high: float = math.inf

    def is_met(self, value: Interval) -> bool:
        """Whether the interval, not only the estimate, is in range."""
        return self.low <= value.low and value.high <= self.high

    def __str__(self) -> str:
        """Such as `>= 0.6` or `5.04 to 5.34`; `none` where anything goes."""
        if math.isinf(self.low) and math.isinf(self.high):
            return "none"
        if math.isinf(self.high):
            return f">= {self.low:.3g}"
        return f"<= {self.high:.3g}" if math.isinf(self.low) else f"{self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True)
class CardRow:
    """One figure of a model, beside its control."""

    figure: str
    unit: str
    value: Interval
    control: Interval
    """The same figure where it should not come out."""
    control_name: str
    bounds: Target

    @property
    def target(self) -> str:
        """The target in words; empty if there is none."""
        return "" if self.bounds == Target() else str(self.bounds)

    @property
    def met(self) -> bool:
        """Whether the target holds."""
        return self.bounds.is_met(self.value)


@dataclass(frozen=True)
class ModelCard:
    """What is known about a bundled model, and how it was measured."""

    name: str
    config: CardConfig | BehaviourCardConfig
    rows: tuple[CardRow, ...]

    @property
    def met(self) -> bool:
        """Whether every target holds."""
        return all(row.met for row in self.rows)

    def table(self) -> pd.DataFrame:
        """Return one line per figure, intervals as text, for a terminal or a report."""
        return pd.DataFrame(
            [
                {
                    "figure": row.figure,
                    "unit": row.unit,
                    "value": str(row.value),
                    "control": f"{row.control} ({row.control_name})",
                    "target": row.target,
                    "met": "NO" if not row.met else "-" if row.bounds == Target() else "yes",
                }
                for row in self.rows
            ]
        )

    def markdown(self) -> str:
        """Return the card as a Markdown page."""
        table = self.table()
        lines = [table.columns, ["---"] * len(table.columns), *table.to_numpy().tolist()]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return (
            f"# {self.name}\n\nMeasured on fresh text (seed {self.config.seed}), in float32, from the stored "
            f"half-precision weights. {self.config.how_measured(self.rows[0].value)}\n\n{body}\n"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for `card.json`."""
        rows = [
            {
                **asdict(row),
                "bounds": {"low": _finite(row.bounds.low), "high": _finite(row.bounds.high)},
                "met": row.met,
            }
            for row in self.rows
        ]
        return {"name": self.name, "config": self.config.as_dict(), "met": self.met, "rows": rows}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def write_card(directory: Path, card: ModelCard) -> None:
    """Write `card.json` beside the weights."""
    write_atomic(directory / CARD, (json.dumps(card.as_dict(), indent=2) + "\n").encode("utf-8"))


def read_card(directory: Path) -> ModelCard:
    """Read `card.json`.

    Raises: ValueError, if the folder has no card.
    """
    path = directory / CARD
    if not path.is_file():
        raise ValueError(f"no model card at {path}; measure one with interp_lab.training.model_card")
    data = json.loads(path.read_text("utf-8"))
    kind = CardConfig if "conditions" in data["config"] else BehaviourCardConfig
    return ModelCard(data["name"], kind.from_mapping(data["config"]), tuple(map(_row, data["rows"])))


def _row(data: Mapping[str, Any]) -> CardRow:
    bounds = {side: value for side, value in data["bounds"].items() if value is not None}
    intervals = {name: Interval(**data[name]) for name in ("value", "control")}
    texts = {name: data[name] for name in ("figure", "unit", "control_name")}
    return CardRow(**texts, **intervals, bounds=Target(**bounds))
