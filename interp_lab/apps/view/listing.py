"""Which runs a list shows, and in what order: decided from the address alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import Field, PositiveInt

from interp_lab.apps.view.rows import Counted, Row, Status
from interp_lab.claims import Grade
from interp_lab.config import Config

COLUMNS = ("name", "replicated", "causal", "descriptive", "experiment", "model", "task", "fold", "seed", "created",
           "status")  # fmt: skip
"""Of the list, in order; each can be sorted by."""
PER_PAGE = 200
_ANY = ""
"""What a form sends for a choice that was not made."""


class Wanted(Config):
    """What the address of a list asks for; what is empty is not asked for."""

    q: Annotated[str, Field(max_length=200)] = _ANY
    """Words that must all occur in name, experiment, model, task, fold, date or status."""
    experiment: Annotated[str, Field(max_length=200)] = _ANY
    model: Annotated[str, Field(max_length=200)] = _ANY
    grade: Literal["", "descriptive", "causal", "replicated"] = _ANY
    """With a claim of this grade at least."""
    status: Literal["", "complete", "incomplete", "damaged"] = _ANY
    sort: Annotated[str, Field(pattern=rf"^-?({'|'.join(COLUMNS)})$")] = "-created"
    """A column; with `-`, from the end."""
    page: PositiveInt = 1

    def link(self, **changes: object) -> str:
        """Return the address of the list that differs from this one so; it begins anew unless a page is named."""
        values = {**self.as_dict(), "page": 1, **changes}
        given = {name: value for name, value in values.items() if value != type(self).model_fields[name].default}
        return "/" + (f"?{urlencode(given, errors='replace')}" if given else "")

    def sorted_by(self, column: str) -> str:
        """Return how a column is sorted, in ARIA's words; empty if it is not."""
        return "" if self.sort.removeprefix("-") != column else "descending" if self.sort[0] == "-" else "ascending"


@dataclass(frozen=True)
class Listed:
    """A run in the list."""

    row: Row
    counted: Counted | None
    """`None` if its claims have not been counted."""

    @property
    def status(self) -> Status:
        """Of the run; one that cannot be loaded is damaged, whatever its record says."""
        return "damaged" if self.reason and self.row.status == "complete" else self.row.status

    @property
    def reason(self) -> str:
        """Why there is nothing to be seen of it, or not all."""
        return self.row.reason or ("" if self.counted is None else self.counted.reason)

    def n_claims(self, grade: Grade) -> int | None:
        """Return how many it makes of a grade; `None` where that is not known."""
        if self.counted is None or self.counted.reason:
            return None
        return self.counted.by_grade.get(grade, 0)


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    listed: tuple[Listed, ...]
    n_found: int
    """On all pages."""
    number: int
    n_pages: int


def page_of(every: Sequence[Listed], wanted: Wanted) -> Page:
    """Return the runs that were asked for, in order; beyond the last page, that one."""
    found = _in_order([one for one in every if _is_wanted(one, wanted)], wanted.sort)
    n_pages = max(1, -(-len(found) // PER_PAGE))
    number = min(wanted.page, n_pages)
    return Page(tuple(found[PER_PAGE * (number - 1) : PER_PAGE * number]), len(found), number, n_pages)


def choices(every: Sequence[Listed], name: Literal["experiment", "model"]) -> list[str]:
    """Return what one can filter by."""
    return sorted({value for one in every if (value := str(getattr(one.row, name)))})


def _is_wanted(one: Listed, wanted: Wanted) -> bool:
    row = one.row
    return (
        all(word in f"{row.text} {one.status}" for word in wanted.q.lower().split())
        and wanted.experiment in (_ANY, row.experiment)
        and wanted.model in (_ANY, row.model)
        and wanted.status in (_ANY, one.status)
        and (wanted.grade == _ANY or _has_grade(one, Grade[wanted.grade.upper()]))
    )


def _has_grade(one: Listed, least: Grade) -> bool:
    return any(one.n_claims(grade) for grade in Grade if grade >= least)


def _in_order(listed: Sequence[Listed], sort: str) -> list[Listed]:
    column = sort.removeprefix("-")
    by_name = sorted(listed, key=lambda one: one.row.name)
    known = [one for one in by_name if _value(one, column) not in (None, "")]
    unknown = [one for one in by_name if _value(one, column) in (None, "")]
    return [*sorted(known, key=lambda one: _sortable(_value(one, column)), reverse=sort[0] == "-"), *unknown]


def _value(one: Listed, column: str) -> str | int | None:
    if column == "status":
        return one.status
    if column.upper() in Grade.__members__:
        return one.n_claims(Grade[column.upper()])
    return str(getattr(one.row, column))


def _sortable(value: str | int | None) -> tuple[float, str]:
    """Numbers come in the order of numbers, and before words."""
    text = str(value)
    return (float(text), "") if text.isascii() and text.isdigit() and len(text) < 16 else (float("inf"), text)
