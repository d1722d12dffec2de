"""One self-contained HTML page from results: no request leaves it, and text from prompts stays text.

Figures travel as JSON in inert script elements and are drawn by one small script; the content
security policy admits that script and the libraries it calls by their hashes and nothing else.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from interp_lab.claims import Grade
from interp_lab.experiment import Result
from interp_lab.plots.attention import circuitsvis_bundle
from interp_lab.plots.inline import policy, require_page_path
from interp_lab.reports import digest, frame
from interp_lab.reports.figures import Embedder
from interp_lab.reports.groups import claim_groups
from interp_lab.runs import write_atomic

MOST_LISTED = 12
"""Claims of a grade that the summary shows unasked."""
MEANINGS: Mapping[Grade, str] = {
    Grade.REPLICATED: "causal, and the same on held-out templates",
    Grade.CAUSAL: "an intervention moved the behaviour on held-out examples, by more than its control and by more than "
    "the smallest effect of interest",
    Grade.DESCRIPTIVE: "observed; no intervention supports it",
}


def render_page(title: str, results: Sequence[Result], *, reproduce: str) -> str:
    """Return the page as HTML text.

    Args:
        results: in the order they are to appear; of any experiments.
        reproduce: the command that makes this page again.

    Raises: ValueError, for no results, or an HTML fragment that is not inert; TypeError, for a figure of a kind that
        no page shows.
    """
    if not results:
        raise ValueError("a page needs at least one result")
    asked = [digest.asked_of(number, result) for number, result in enumerate(results, 1)]
    bundle = circuitsvis_bundle()
    embedder = Embedder(has_heads_script=bundle is not None)
    sections = {
        one.number: [frame.shown_section(section, embedder) for section in one.result.sections()] for one in asked
    }
    scripts = frame.scripts(embedder, bundle=bundle)
    shared = digest.shared_origin(asked)
    return frame.environment().get_template("page.html.j2").render(
        title=title,
        asked=asked,
        questions=digest.questions(asked),
        n_claims=sum(len(one.claims) for one in asked),
        by_grade=digest.by_grade(asked),
        meanings=MEANINGS,
        most_listed=MOST_LISTED,
        controls=digest.controls(asked),
        descriptive=digest.stayed_descriptive(asked),
        unreplicated=digest.not_replicated(asked),
        shared=shared,
        facts={one.number: frame.own_facts(one, shared) for one in asked},
        groups={one.number: claim_groups(one.claims) for one in asked},
        sections=sections,
        reproduce=reproduce,
        heads_note=_heads_note(embedder),
        style=Markup(frame.text_of("page.css")),
        templates=embedder.shared(),
        scripts=scripts,
        policy=policy(scripts),
    )  # fmt: skip


def write_page(path: Path, title: str, results: Sequence[Result], *, reproduce: str) -> Path:
    """Write `render_page` to a file, by temporary name and rename, and return its path.

    Raises: ValueError, if the path does not end in `.html` (it could be a file of a run) or is a folder; and as
        `render_page`, in which case nothing is written.
    """
    require_page_path(path)
    page = render_page(title, results, reproduce=reproduce)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, page.encode("utf-8"))
    return path


def _heads_note(embedder: Embedder) -> str:
    if not embedder.n_views:
        return ""
    if embedder.has_heads_script:
        return "Views of several heads are drawn by CircuitsVis, which is in the page."
    return "Views of several heads are heatmaps with a menu: CircuitsVis was not installed where this page was made."
