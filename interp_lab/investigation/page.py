"""The page of an investigation: answers first, every hypothesis with its outcome, then everything they stand on."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from interp_lab.bibliography import Source
from interp_lab.experiment import Result
from interp_lab.investigation import figures
from interp_lab.investigation.answers import lacking_beside
from interp_lab.investigation.as_json import as_json
from interp_lab.investigation.claim_rows import ClaimRow, compared, examples
from interp_lab.investigation.expected import duration
from interp_lab.investigation.found import Investigated
from interp_lab.investigation.markdown import markdown
from interp_lab.investigation.outcomes import MEANINGS, outcome_counts
from interp_lab.investigation.shown_results import shown_results
from interp_lab.investigation.told import Told, told_of
from interp_lab.plots.inline import policy
from interp_lab.plots.text import visible
from interp_lab.reports import digest, frame
from interp_lab.reports.cells import shown_table
from interp_lab.reports.figures import Embedded, Embedder
from interp_lab.runs import write_atomic

MOST_LISTED = 5
"""Contradictions that are shown unasked."""
_HOME = "interp_lab.investigation"


def write_investigation(found: Investigated, *, reproduce: str) -> Path:
    """Write `index.html`, `report.md` and `report.json` into the folder, and return the path of the page.

    Args:
        reproduce: the command that makes all of it again.

    Raises: ValueError, for an HTML fragment that is not inert; TypeError, for a figure of a kind that no page shows;
        nothing is written then.
    """
    told = told_of(found, reproduce=reproduce)
    texts = {
        "report.json": as_json(found, told),
        "report.md": markdown(found, told),
        "index.html": render_investigation(found, told),
    }
    found.folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_atomic(found.folder / name, text.encode("utf-8"))
    return found.folder / "index.html"


def render_investigation(found: Investigated, told: Told) -> str:
    """Return the page as HTML text; see `write_investigation`."""
    embedder = Embedder(has_heads_script=False)  # views of heads become heatmaps: the page holds one library
    shown = {
        "shrinkage": _embedded(figures.shrinkage(found), embedder),
        "beside": _embedded(figures.beside(found), embedder) if found.config.beside else [],
        "matrix": _embedded({"components by methods": figures.matrix(told.agreement)}, embedder),
    }
    tests, steps = shown_results(found, embedder)
    asked = [one.asked for one in (*steps, *tests)]
    shared = digest.shared_origin(asked) if asked else {}
    scripts = frame.scripts(embedder, frame.text_of("claims.js", _HOME))
    environment = frame.environment(_HOME)
    environment.filters |= {"examples": examples, "linked": linked, "duration": duration}
    return environment.get_template("investigation.html.j2").render(
        title=f"{found.config.investigation}: {found.config.question}",
        found=found,
        config=found.config,
        told=told,
        ids={row.hypothesis.id for row in told.rows},
        costs=_costs(found),
        most_listed=MOST_LISTED,
        most_rows=figures.MOST_ROWS,
        lacking=lacking_beside(found),
        outcomes=outcome_counts(found),
        meanings=MEANINGS,
        compared={row.hypothesis.id: _compared(found, row) for row in told.rows} if found.config.beside else {},
        shown=shown,
        shrinkage=shrinkage_sentence(found),
        components=shown_table(told.agreement.table()),
        steps=steps,
        tests=tests,
        shared=shared,
        facts={one.asked.number: frame.own_facts(one.asked, shared) for one in (*steps, *tests)},
        sources=_sources(one.result for one in asked),
        style=Markup(frame.text_of("page.css") + frame.text_of("investigation.css", _HOME)),
        templates=embedder.shared(),
        scripts=scripts,
        policy=policy(scripts),
    )  # fmt: skip


def shrinkage_sentence(found: Investigated) -> str:
    """Return what is left of effects on held-out examples, in words."""
    pairs = [(one.hypothesis.observed.estimate, one.claim.effect.effect.estimate) for one in found.decided
             if one.claim is not None and one.claim.effect is not None]  # fmt: skip
    shares = sorted(after / before for before, after in pairs if before)
    if not shares:
        return ""
    middle = (shares[(len(shares) - 1) // 2] + shares[len(shares) // 2]) / 2
    smaller, missing = sum(share < 1 for share in shares), len(found.decided) - len(pairs)
    turned = f" Not in the figure: {missing}, whose test makes another statement." if missing else ""
    return (
        f"Held out, effects are at the median {middle:.0%} of what they were where they were searched for; "
        f"{smaller} of {len(shares)} are smaller.{turned} What was picked for being large looks larger than it is "
        "where it was picked: some shrinkage is expected even of what is real."
    )


def linked(text: str, ids: Collection[str]) -> Markup:
    """Return text as HTML in which the name of a hypothesis, such as `H3`, leads to its row; text stays text."""
    parts = re.split(r"\b(H\d+)\b", visible(text))
    return Markup("").join(
        Markup('<a href="#{0}">{0}</a>').format(part) if nth % 2 and part in ids else escape(part)
        for nth, part in enumerate(parts)
    )


@dataclass(frozen=True)
class _Cost:
    """What a step or a test took, and what it was expected to take."""

    name: str
    seconds: float
    expected: float | None


def _costs(found: Investigated) -> list[_Cost]:
    foretold = {} if found.expected is None else found.expected.seconds
    return [_Cost(name, seconds, foretold.get(name)) for name, seconds in found.seconds.items()]


def _compared(found: Investigated, row: ClaimRow) -> str:
    return compared(row, model=found.config.model, beside=str(found.config.beside))


def _embedded(made: Mapping[str, Any], embedder: Embedder) -> list[Embedded]:
    return [embedder.embed(name, figure) for name, figure in made.items() if figure is not None]


def _sources(results: Iterable[Result]) -> list[Source]:
    cited = {source.key: source for result in results for source in result.provenance.sources}
    return sorted(cited.values(), key=lambda source: (source.authors, source.year))
