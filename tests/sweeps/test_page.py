"""The page of a sweep: one page, every figure drawn, nothing complained of, whatever became of the trials."""

import html
import re

import pytest

from interp_lab.reports import render_page, write_page
from interp_lab.sweeps.result import SweepResult
from tests.browser import visit
from tests.sweeps.made import ACTIVE_AND_INERT, again, definition, ended, failed, quadratic, stopped


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A whole sweep, one on a grid, and one of which nothing came."""
    asked = definition(tmp_path_factory.mktemp("sweep"), ACTIVE_AND_INERT)
    failing = [failed(12, {"active": 0.1, "inert": 0.2}), stopped(13, {"active": 0.9, "inert": 0.2}, -0.5)]
    runs = again([-0.03, -0.02], [-0.2, -0.3], -0.2)
    whole = SweepResult.of(asked, [*quadratic(12), *failing], runs, n_shuffles=99)
    layers = {"active": {"values": [0, 1]}, "inert": {"values": ["a", "b"]}}
    grid = definition(tmp_path_factory.mktemp("grid"), layers)
    mapped = [ended(n, {"active": n // 2, "inert": "ab"[n % 2]}, n) for n in range(4)]
    return [
        whole,
        SweepResult.of(grid, mapped),
        SweepResult.of(asked, [one for one in failing if one.state == "failed"]),
    ]


def text_of(page):
    return " ".join(html.unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.DOTALL)).split())


def test_it_says_what_was_found_and_grades_it_as_description(results):
    page = text_of(render_page("Sweep", results[:1], reproduce="interp-lab report out/result"))
    assert "sweep: probes by score" in page
    assert "Which setting of a search space does best" in page
    assert "the best of 12" in page
    assert "descriptive evidence" in page
    assert "causal evidence" not in page.partition("Suggests.")[2]
    assert "out of memory" in page


@pytest.mark.browser
def test_every_figure_is_drawn_without_a_complaint(results, tmp_path):
    path = write_page(tmp_path / "sweep.html", "Sweep", results, reproduce="x")
    n_figures = sum(len(section.figures) for one in results for section in one.sections())
    assert n_figures >= 12
    with visit(path, scheme="dark") as seen:
        seen.page.evaluate("[...waiting].forEach(draw)")
        seen.page.wait_for_function(f"document.querySelectorAll('.plot .main-svg').length >= {n_figures}")
        wide = seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert seen.complaints == []
    assert all(request.startswith(("file:", "data:", "blob:")) for request in seen.requests)
    assert wide <= 0
