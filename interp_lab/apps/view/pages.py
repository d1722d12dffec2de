"""The pages, built of the same pieces as a report."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from interp_lab.apps.view import comparing
from interp_lab.apps.view.library import Library
from interp_lab.apps.view.likeness import unlikenesses
from interp_lab.apps.view.listing import COLUMNS, Listed, Wanted, choices, page_of
from interp_lab.apps.view.loaded import Loaded, blamed_on, load
from interp_lab.apps.view.rows import Row
from interp_lab.claims import Grade
from interp_lab.plots.attention import circuitsvis_bundle
from interp_lab.plots.inline import closed_script, policy
from interp_lab.registry import EXPERIMENTS
from interp_lab.reports import digest, frame, render_page
from interp_lab.reports.figures import Embedded, Embedder
from interp_lab.reports.groups import claim_groups
from interp_lab.runs import RunError, read_run

_HOME = "interp_lab.apps.view"
_ICON = '<link rel="icon" href="data:,">'
_BACK = '<nav class="screen small" aria-label="interp-lab view"><a href="/">All runs</a> · <a href="{}">{}</a></nav>'
GRADES = sorted(Grade, reverse=True)


def list_page(library: Library, wanted: Wanted, *, n_uncounted: int) -> str:
    """Return the list of runs that were asked for, and of investigations."""
    every = [Listed(row, library.counted(row)) for row in library.rows()]
    investigations = [(one, library.page_of(one.id) is not None) for one in library.investigations()]
    script = closed_script(frame.text_of("view.js", _HOME))
    return _page(
        "view_list.html.j2",
        "Investigations and runs" if investigations else "Runs",
        scripts=[script],
        wanted=wanted,
        page=page_of(every, wanted),
        columns=COLUMNS,
        grades=GRADES,
        choices={name: choices(every, name) for name in ("experiment", "model")},
        n_runs=len(every),
        n_folders=library.n_folders,
        n_uncounted=n_uncounted,
        closed=library.closed,
        investigations=investigations,
    )


def run_page(library: Library, row: Row) -> str:
    """Return the overview of one run; of one that has no result, what there is, and why there is no more."""
    others = [one for one in library.rows() if one.id != row.id and one.status == "complete"]
    others.sort(key=lambda one: (one.experiment != row.experiment, one.name))
    counted = library.count_one(row) if row.status == "complete" else None
    listed = Listed(row, counted)
    if listed.status != "complete":
        return _page("view_unread.html.j2", row.name, listed=listed, run=_looked_into(row))
    one = load(row.place)
    return _page(
        "view_run.html.j2",
        row.name,
        row=row,
        question=EXPERIMENTS[row.experiment].question,
        one=one,
        grades=GRADES,
        counts={grade: listed.n_claims(grade) for grade in GRADES},
        groups=claim_groups(one.claims),
        facts=digest.origin_facts(one.result),
        sources=one.result.provenance.sources,
        others=others,
    )


def _looked_into(row: Row) -> Any:  # noqa: ANN401 - a RunFolder, or nothing
    try:
        with blamed_on(row.place):
            return read_run(row.place.path, allow_incomplete=True)
    except RunError:
        return None


def report_page(row: Row) -> str:
    """Return the report of one run, as `interp-lab report` writes it, with a way back.

    Raises: RunError, if the run has no result, or it cannot be shown.
    """
    one = load(row.place)
    command = shlex.join(["interp-lab", "report", str(row.place.path), "--out", "report.html"])
    with blamed_on(row.place):
        page = render_page(row.name, [one.result], reproduce=command)
    back = Markup(_BACK).format(f"/runs/{row.id}", "this run")
    return with_icon(page.replace("<header>", f"{back}<header>", 1))


def compare_page(a: Row, b: Row) -> str:
    """Return two runs side by side.

    Raises: RunError, if one has no result, or it cannot be shown.
    """
    first, second = load(a.place), load(b.place)
    models = (first.model, second.model)
    bundle = circuitsvis_bundle()
    embedder = Embedder(has_heads_script=bundle is not None)
    figures = comparing.figure_pairs(_figures(first, embedder), _figures(second, embedder), models=models)
    return _page(
        "view_compare.html.j2",
        "Two runs compared",
        scripts=frame.scripts(embedder, bundle=bundle),
        embedder=embedder,
        a=a,
        b=b,
        sides={"A": (a, first), "B": (b, second)},
        grades=GRADES,
        unlike=unlikenesses(first.result, second.result),
        config=comparing.config_differences(first.result.config.flat(), second.result.config.flat()),
        metrics=comparing.metric_pairs(first.metrics, second.metrics),
        claims=comparing.claim_pairs(first.claims, second.claims, models=models),
        components=_components(first, second),
        figures=figures,
    )


def _figures(one: Loaded, embedder: Embedder) -> Mapping[str, Embedded]:
    with blamed_on(one.place):
        return {name: embedder.embed(name, figure) for name, figure in one.result.figures().items()}


def _components(a: Loaded, b: Loaded) -> Sequence[comparing.ComponentPair] | None:
    if a.components is None or b.components is None:
        return None
    return comparing.component_pairs(a.components, b.components)


def message_page(text: str) -> str:
    """Return a page that says one thing."""
    return _page("view_message.html.j2", "Nothing to show", text=text)


def with_icon(page: str) -> str:
    """Return a page for which a browser asks no server for an icon."""
    return page.replace("<title>", f"{_ICON}<title>", 1)


def _page(
    template: str, title: str, *, scripts: Sequence[Markup] = (), embedder: Embedder | None = None, **values: object
) -> str:
    """Render a template; the page may send its forms here, and nothing else anywhere."""
    allowed = policy(scripts) if scripts else policy(()).replace("script-src ;", "script-src 'none';")
    page = (
        frame.environment(_HOME)
        .get_template(template)
        .render(
            title=title,
            style=Markup(frame.text_of("page.css") + frame.text_of("view.css", _HOME)),
            scripts=scripts,
            templates=(embedder or Embedder(has_heads_script=False)).shared(),
            policy=allowed.replace("form-action 'none'", "form-action 'self'"),
            **values,
        )
    )
    return with_icon(page)
