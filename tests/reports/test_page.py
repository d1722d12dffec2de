"""The page: everything on it, nothing from elsewhere, and text that stays text."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import pandas as pd
import plotly.graph_objects as go
import pytest

from interp_lab.attention import AttentionHeads, AttentionHeadsConfig
from interp_lab.models import load_model
from interp_lab.reports.page import cell_text, figure_json, render_page, write_page
from tests.browser import visit

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def result():
    config = AttentionHeadsConfig(
        model="compiled/induction", period=8, second_period=10, held_out_period=6, n_sequences=32
    )
    return AttentionHeads(config).measure(load_model(config.model))


@pytest.fixture(scope="module")
def hostile(result):
    return replace(result, config=result.config.overlaid({"model": HOSTILE}))


@pytest.fixture(scope="module")
def page(result):
    return render_page("Heads", [result], reproduce="make demo")


class TestContent:
    def test_every_claim_stands_with_its_grade(self, page, result):
        for claim in result.claims():
            assert claim.statement in page
            assert re.search(rf'<span class="kind {claim.grade}">{claim.grade}</span></td><td>{claim.statement}<', page)

    def test_descriptive_sections_say_what_they_do_not_show(self, page):
        assert page.count("Does not show.") == page.count("Suggests.") == 2

    def test_says_how_to_make_it_again(self, page, result):
        for needed in ("make demo", "seed: 0", result.provenance.created, "weights folded", "torch 2."):
            assert needed in page

    def test_a_changed_number_changes_the_claims_on_the_page(self, result):
        broken = replace(result, report_changes=0 * result.report_changes)
        assert "replicated</span></td>" in render_page("Heads", [result], reproduce="x")
        assert "replicated</span></td>" not in render_page("Heads", [broken], reproduce="x")


class TestSafety:
    def test_the_policy_admits_the_pages_own_scripts_and_nothing_else(self, page):
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1)
        scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
        sources = " ".join(f"'sha256-{digest}'" for digest in digests)
        assert len(digests) == 2
        assert f"script-src {sources};" in policy
        assert "default-src 'none'" in policy
        assert "unsafe-eval" not in policy

    def test_hostile_text_is_escaped(self, hostile):
        page = render_page(HOSTILE, [hostile], reproduce=HOSTILE)
        assert "<img src=x" not in page
        assert "<script>document.title" not in page

    def test_a_figure_cannot_close_its_script_element(self):
        figure = go.Figure(go.Scatter(x=[1], y=[1], text=[HOSTILE])).update_layout(title=HOSTILE)
        text = figure_json(figure)
        assert "<" not in text
        assert json.loads(text)["layout"]["title"]["text"] == HOSTILE

    def test_names_no_server(self, page):
        body = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
        assert "http" not in body.replace("http-equiv", "")
        assert set(re.findall(r'(?:src|href)="(.)', body)) == {"#"}


@pytest.mark.browser
class TestInTheBrowser:
    def test_draws_every_figure_without_a_request_or_a_complaint(self, tmp_path, result):
        path = write_page(tmp_path / "page.html", "Heads", [result], reproduce="make demo")
        with visit(path) as seen:
            seen.page.wait_for_selector(".figure:last-of-type .main-svg")
            drawn = seen.page.eval_on_selector_all(".figure", "all => all.map(one => !!one.querySelector('.main-svg'))")
            cells = seen.page.eval_on_selector_all(
                ".heatmap-label, .hm-text, text", "all => all.map(t => t.textContent)"
            )
        assert drawn == [True] * 6
        assert "1.00" in cells
        assert seen.complaints == []
        assert seen.requests == [path.as_uri()]

    def test_hostile_text_does_nothing(self, tmp_path, hostile):
        path = write_page(tmp_path / "page.html", "Heads", [hostile], reproduce=HOSTILE)
        with visit(path, scheme="dark") as seen:
            seen.page.wait_for_selector(".figure .main-svg")
            assert seen.page.title() == "Heads"
        assert seen.complaints == []

    def test_dark_mode_is_dark(self, tmp_path, result):
        path = write_page(tmp_path / "page.html", "Heads", [result], reproduce="make demo")
        with visit(path, scheme="dark") as seen:
            colour = seen.page.eval_on_selector("body", "body => getComputedStyle(body).backgroundColor")
        assert colour == "rgb(22, 24, 26)"


class TestBadInput:
    def test_no_results(self):
        with pytest.raises(ValueError, match="at least one result"):
            render_page("Heads", [], reproduce="x")

    def test_a_figure_of_another_kind(self):
        with pytest.raises(TypeError, match="plotly figures, got a str"):
            figure_json("<b>bold</b>")


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (float("nan"), ""), (3, "3"), ("1.0", "1.0"), (pd.NA, "<NA>")]
)
def test_cells(value, text):
    assert cell_text(value) == text
