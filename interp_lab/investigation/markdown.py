"""The summary and the claims in Markdown, for a readme, an issue or a review."""

import re
from collections.abc import Iterator, Sequence

from interp_lab.claims import Evidence
from interp_lab.investigation.claim_rows import ClaimRow, examples
from interp_lab.investigation.found import Investigated
from interp_lab.investigation.told import Told
from interp_lab.plots.text import visible
from interp_lab.reports.cells import p_text

_MARKUP = re.compile(r"([\\`*_\[\]<>|#~!&])")
_COLUMNS = (
    "", "statement", "component", "grade", "effect", "minus control", "control", "p over all", "n, held out",
    "refuted, or left undecided, if", "uncertain even if it holds",
)  # fmt: skip


def markdown(found: Investigated, told: Told) -> str:
    """Return the summary, the table of claims, and how to check and make it again."""
    lines = [
        f"# {_text(found.config.investigation)}",
        "",
        _text(found.config.question),
        "",
        f"**{_text(told.headline)}**",
    ]
    lines += [""] * bool(told.brief)
    lines += [" ".join(f"**{one.word}.** {_text(one.text)}" for one in told.brief)] * bool(told.brief)
    for one in told.answers:
        lines += ["", f"## {_text(one.question)}", "", *map(_text, one.sentences)]
        lines += ["", *(f"- {_text(item)}" for item in one.items)] if one.items else []
        for points in one.points:
            lines += ["", f"{_text(points.label)}:", "", *(f"- {_text(item)}" for item in points.items)]
    lines += ["", "## Claims", "", *_table(found, told.rows), "", "## How to check and repeat", ""]
    if found.hypotheses_hash is not None:
        lines += [f"SHA-256 of `hypotheses.json`: `{found.hypotheses_hash}`", ""]
    return "\n".join([*lines, *(f"    {visible(line)}" for line in told.reproduce.splitlines() or [""])]) + "\n"


def _table(found: Investigated, rows: Sequence[ClaimRow]) -> Iterator[str]:
    if not rows:
        yield "Nothing is claimed." if not found.exploratory else "Exploratory: nothing was put to a test."
        return
    columns = [*_COLUMNS, *([str(found.config.beside)] if found.config.beside else [])]
    yield _row([_text(name) for name in columns])
    yield _row(["---"] * len(columns))
    for row in rows:
        cells = _cells(row) + ([_effects(row.lines_beside)] if found.config.beside else [])
        yield _row([_text(cell) for cell in cells])


def _cells(row: ClaimRow) -> list[str]:
    one = row.hypothesis
    grade = str(row.outcome) if row.lines else f"{row.outcome}: {row.reason}"
    return [
        one.id, one.statement, one.component, grade, _effects(row.lines),
        "; ".join(str(line.versus_control) for line in row.lines), row.control,
        "; ".join(p_text(line.p_adjusted) for line in row.lines),
        "; ".join(examples(line) for line in row.lines), one.refuted_if, one.uncertain,
    ]  # fmt: skip


def _effects(lines: Sequence[Evidence]) -> str:
    return "; ".join(f"{line.effect} {line.unit}" for line in lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Return text that Markdown shows as it stands, in one line."""
    return _MARKUP.sub(r"\\\1", visible(" ".join(text.split())))
