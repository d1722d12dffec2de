"""Tables as a page shows them: an estimate and its interval in one cell, numbers short, text as text."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from interp_lab.types import Interval


@dataclass(frozen=True)
class Cell:
    """What stands in one cell."""

    text: str
    is_number: bool


@dataclass(frozen=True)
class ShownTable:
    """A table ready for the page."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def heads(self) -> tuple[Cell, ...]:
        """The names of the columns, aligned as what stands below them."""
        cells = self.rows[0] if self.rows else (Cell("", is_number=False),) * len(self.columns)
        return tuple(Cell(name, cell.is_number) for name, cell in zip(self.columns, cells, strict=True))


def shown_table(table: pd.DataFrame) -> ShownTable:
    """Return a table in which `x`, `x_low` and `x_high` are one column."""
    by_name = {str(column): values for column, values in zip(table.columns, _columns(table), strict=True)}
    ends = {f"{name}_{end}" for name in by_name for end in ("low", "high")}
    merged = {name: {f"{name}_low", f"{name}_high"} <= set(by_name) for name in by_name}
    columns = {}
    for name, values in by_name.items():
        if name in ends and name.rsplit("_", 1)[0] in by_name and merged[name.rsplit("_", 1)[0]]:
            continue
        parts = [by_name[f"{name}_{end}"] for end in ("low", "high")] if merged[name] else []
        columns[name] = [_cell(*cell) for cell in zip(values, *parts, strict=True)]
    names = tuple(name.replace("_", " ") for name in columns)
    return ShownTable(names, tuple(zip(*columns.values(), strict=True)))


def _columns(table: pd.DataFrame) -> list[list[Hashable]]:
    return [table.iloc[:, nth].tolist() for nth in range(table.shape[1])]


def _cell(value: object, low: object = None, high: object = None) -> Cell:
    text = cell_text(value)
    numbers = [round(float(part), 3) + 0.0 for part in (value, low, high) if isinstance(part, int | float)]
    if len(numbers) == 3 and np.isfinite(numbers).all():
        text = "{:.3f} [{:.3f}, {:.3f}]".format(*numbers)
    return Cell(text, isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_))


def cell_text(value: object) -> str:
    """Return a table cell: three decimals for numbers (more where they would all be zero), nothing for missing ones."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, float | np.floating):
        return number_text(float(value))
    return str(value)


def number_text(value: float) -> str:
    """Return three decimals, `1.2e-05` for what they would make zero (not for rounding errors), nothing for NaN."""
    if np.isnan(value):
        return ""
    return f"{value:.1e}" if 1e-6 < abs(value) < 5e-4 or abs(value) >= 1e6 else f"{round(value, 3) + 0.0:.3f}"


def p_text(value: float) -> str:
    """Return a p-value: three decimals, or that it is below the smallest of those."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def interval_text(interval: Interval) -> str:
    """Return an interval whose numbers do not break apart."""
    return str(interval).replace(" ", "\u00a0")
