"""The page: everything on it, nothing from elsewhere, and text that stays text."""

import base64
import hashlib
import html
import itertools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from interp_lab.attention import AttentionHeads, AttentionHeadsConfig
from interp_lab.claims import Claim
from interp_lab.experiment import Section
from interp_lab.models import load_model
from interp_lab.plots import AttentionView, attention_heatmap, head_map
from interp_lab.reports import page as page_module
from interp_lab.reports.page import MOST_LISTED, render_page, write_page
from tests.browser import visit
from tests.reports.results import HOSTILE, Made, MadeConfig, evidence, held_out

SCRIPTS = re.compile(r"<script>(.*?)</script>", re.DOTALL)
MAP = np.array([[0.1, 0.9], [0.5, 0.3]])


@pytest.fixture(scope="module")
def result():
    config = AttentionHeadsConfig(
        model="compiled/induction", period=8, second_period=10, held_out_period=6, n_sequences=32
    )
    return AttentionHeads(config).measure(load_model(config.model))


@pytest.fixture(scope="module")
def page(result):
    return render_page("Heads", [result], reproduce="make demo")


def without_scripts(page: str) -> str:
    return SCRIPTS.sub("", page)


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", without_scripts(page))).split())


def hostile_result() -> Made:
    """Text from prompts everywhere that text can stand."""
    weak = evidence((0.6, 0.3, 0.9), what=f"{HOSTILE}: {HOSTILE}", name=HOSTILE)
    claims = (Claim(HOSTILE, HOSTILE, evidence(what=HOSTILE), held_out()), Claim(HOSTILE, HOSTILE, weak))
    tokens, pattern = (HOSTILE, "the", "the"), np.tril(np.ones((3, 3))) / np.array([[1], [2], [3]])
    figures = {
        HOSTILE: head_map(MAP, MAP, MAP, title=HOSTILE, unit=HOSTILE),
        "one head": attention_heatmap(pattern, tokens, title=HOSTILE),
        "heads": AttentionView(pattern[None].repeat(2, 0), tokens, (HOSTILE, "0.1"), HOSTILE),
        "html": Markup("<p>{}</p>").format(HOSTILE),
    }
    sections = (Section(HOSTILE, False, HOSTILE, HOSTILE, figures, {HOSTILE: pd.DataFrame({HOSTILE: [HOSTILE]})}),)
    return Made(claims, sections, text=HOSTILE, model=HOSTILE, config=MadeConfig(text=HOSTILE), commit=HOSTILE)


def wide_result() -> Made:
    """Tables, figures and words wider than any telephone."""
    wide = np.linspace(0, 1, 30).reshape(1, 30)
    table = pd.DataFrame({f"a_long_name_of_column_{n}": [0.5, 1.5] for n in range(20)})
    long = Claim("long" * 40, "observed " * 20, evidence(), held_out())
    figures = {"wide": head_map(wide, wide, wide, title="a long title " * 12, unit="nats")}
    section = Section("title" * 30, True, "suggests" * 30, "no", figures, {"wide": table})
    return Made((long,), (section,), text="summary" * 60)


class TestContent:
    def test_every_claim_stands_with_its_grade(self, page, result):
        for claim in result.claims():
            row = rf'<span class="kind {claim.grade}">{claim.grade}</span></td><th [^>]*>{claim.statement}<'
            assert re.search(row, page)

    def test_every_grade_is_counted_first(self, page):
        first = text_of(page[: page.index("<article")])
        for words in ("2 replicated", "0 causal", "1 descriptive", "1 result, 3 claims"):
            assert words in first

    def test_the_summary_says_what_was_asked_what_is_uncertain_and_how_to_make_it_again(self, page, result):
        first = text_of(page[: page.index("<article")])
        for needed in ("Which heads attend like", "random tokens that come twice", "compiled/induction",
                       "mean of the other heads of no type", "no intervention tests it", "make demo", "weights: folded",
                       "torch 2.", "seed: 0", "transformer-lens 3."):  # fmt: skip
            assert needed in first
        assert result.provenance.created in page
        assert "experiment: attention_heads\nmodel: compiled/induction" in page

    def test_sections_say_what_they_do_not_show(self, page):
        assert page.count("Does not show.") == page.count("Suggests.</strong>") == 3

    def test_a_figure_is_named_by_its_title_and_what_it_suggests(self, page):
        assert re.search(r'aria-label="figure: induction score. Suggests: A head with a high score attends like', page)

    def test_what_claims_share_is_said_once(self, page):
        part = without_scripts(page[page.index("Claims of result 1") :])
        assert part.count("mean of the other heads of no type") == part.count("Smallest effect of interest") == 1

    def test_a_changed_number_changes_the_claims_on_the_page(self, page, result):
        nothing = {key: replace(one, changes=0 * one.changes) for key, one in result.effects.items()}
        broken = render_page("Heads", [replace(result, effects=nothing)], reproduce="x")
        assert (page.count('class="kind replicated"'), broken.count('class="kind replicated"')) == (3, 0)
        assert "<b>0</b>replicated" in broken

    def test_many_claims_fold_away(self):
        claims = tuple(Claim(f"claim {n}", "", evidence(), held_out()) for n in range(MOST_LISTED + 3))
        assert "3 more replicated claims" in render_page("t", [Made(claims)], reproduce="x")

    def test_nothing_claimed_is_said(self):
        assert "Nothing is claimed." in render_page("t", [Made()], reproduce="x")

    def test_headings_go_down_one_step_at_a_time(self, result):
        made = render_page("t", [result, wide_result()], reproduce="x")
        levels = [int(level) for level in re.findall(r"<h([1-6])", without_scripts(made))]
        assert levels.count(1) == 1
        assert all(below - above <= 1 for above, below in itertools.pairwise(levels))

    def test_twenty_results_stay_small(self):
        figure, table = (
            head_map(MAP, MAP, MAP, title="t", unit="u"),
            pd.DataFrame(np.random.default_rng(0).random((50, 20))),
        )
        section = Section("s", True, "a", "b", {str(n): figure for n in range(6)}, {"t": table})
        claims = tuple(Claim(f"claim {n}", "seen", evidence(), held_out()) for n in range(10))
        one, many = (render_page("t", [Made(claims, (section,))] * n, reproduce="x") for n in (1, 21))
        assert many.count("plotly.js v") == one.count("plotly.js v") == 1
        assert len(many) < 7_000_000
        assert (len(many) - len(one)) / 20 < 75_000

    def test_the_drawing_library_stays_out_where_nothing_is_drawn(self):
        assert len(render_page("t", [Made()], reproduce="x")) < 50_000


class TestSafety:
    def test_the_policy_admits_the_pages_own_scripts_and_nothing_else(self, page):
        policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1))
        scripts = SCRIPTS.findall(page)
        digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
        sources = " ".join(f"'sha256-{digest}'" for digest in digests)
        assert len(digests) == 3, "plotly, CircuitsVis, and what draws with them"
        assert f"script-src {sources};" in policy
        assert "default-src 'none'" in policy
        assert "unsafe-eval" not in policy

    def test_hostile_text_is_escaped_and_turns_nothing_around(self):
        page = without_scripts(render_page(HOSTILE, [hostile_result()], reproduce=HOSTILE))
        assert "<img" not in page
        assert "<script>document.title" not in page
        assert page.replace("\\u202e", "").count("\u202e") == 1  # in the fragment, whose maker answers for it
        assert "\\u202egnp" in page

    def test_names_no_server(self, page):
        body = without_scripts(page)
        assert "http" not in body.replace("http-equiv", "")
        assert set(re.findall(r'(?:src|href)="(.)', body)) == {"#"}


DRAWN = "[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('.main-svg'))"
PRINTING = "dispatchEvent(new Event('beforeprint'))"
FOCUSED = """(element => [element.className, element.tagName, getComputedStyle(element).outlineStyle])
             (document.activeElement)"""


def each(page, selector: str, what: str) -> list:
    return page.eval_on_selector_all(selector, f"all => all.map(one => {what})")


@pytest.mark.browser
class TestInTheBrowser:
    def test_every_figure_is_drawn_and_printed_without_a_request_or_a_complaint(self, tmp_path, result):
        path = write_page(tmp_path / "page.html", "Heads", [result], reproduce="make demo")
        with visit(path) as seen:
            early = each(seen.page, ".plot", "!!one.dataset.drawn")
            seen.page.emulate_media(media="print")
            seen.page.set_viewport_size({"width": 690, "height": 1000})
            seen.page.evaluate(PRINTING)
            seen.page.wait_for_function(DRAWN)
            widest = max(each(seen.page, "figure", "one.offsetWidth"))
            overflow = set(each(seen.page, ".scroll, pre", "getComputedStyle(one).overflowX"))
            opened = set(each(seen.page, "details.print", "one.open"))
            cells = each(seen.page, "text", "one.textContent")
        assert early == [False] * 7, "figures far below are drawn when they come near"
        assert "1.00" in cells
        assert widest <= 690, "a sheet of A4 has 690 pixels between its margins"
        assert (overflow, opened) == ({"visible"}, {True})
        assert seen.complaints == []
        assert seen.requests == [path.as_uri()]

    def test_hostile_and_wide_content_in_the_dark_on_a_telephone_by_keyboard(self, tmp_path, monkeypatch):
        monkeypatch.setattr(page_module, "circuitsvis_bundle", lambda: None)
        path = write_page(tmp_path / "page.html", "Heads", [hostile_result(), wide_result()], reproduce=HOSTILE)
        with visit(path, scheme="dark") as seen:
            seen.page.set_viewport_size({"width": 390, "height": 844})
            seen.page.evaluate(PRINTING)
            seen.page.wait_for_function(DRAWN)
            title, width = seen.page.title(), seen.page.evaluate("document.documentElement.scrollWidth")
            inside = each(seen.page, ".scroll", "one.scrollWidth > one.clientWidth")
            paper = each(seen.page, "body, figure", "getComputedStyle(one).backgroundColor")
            ticks, alien = each(seen.page, ".ytick text", "one.textContent"), each(seen.page, "svg a, img", "one")
            labels = each(seen.page, "[tabindex='0']", "one.ariaLabel")
            reached = []
            while not reached or (reached[-1][1] != "SELECT" and len(reached) < 60):
                seen.page.keyboard.press("Tab")
                reached.append(seen.page.evaluate(FOCUSED))
            seen.page.keyboard.press("ArrowDown")
            shown = seen.page.eval_on_selector("select", "one => one.value")
        assert (title, width, any(inside)) == ("Heads", 390, True)
        assert (paper[0], set(paper[1:])) == ("rgb(22, 24, 26)", {"rgb(255, 255, 255)"})
        assert "</script><scrip…" in ticks
        assert (alien, all(labels)) == ([], True)
        assert reached[0][0] == "skip"
        assert {"A", "DIV", "PRE", "SUMMARY", "SELECT"} <= {tag for _, tag, _ in reached}
        assert {outline for *_, outline in reached} <= {"solid", "auto"}
        assert shown == "0.1"
        assert seen.complaints == []
        assert seen.requests == [path.as_uri()]


@pytest.mark.browser
def test_circuitsvis_runs_under_the_policy_and_by_keyboard(tmp_path):
    path = write_page(tmp_path / "page.html", "Heads", [hostile_result()], reproduce="x")
    with visit(path) as seen:
        seen.page.evaluate("document.querySelector('.heads').scrollIntoView()")
        seen.page.wait_for_selector(".heads [role=button]")
        seen.page.focus(".heads [aria-label='head 0.1']")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_function("document.querySelector('.heads').innerText.includes('0.1 Zoomed')")
        title, written = seen.page.title(), seen.page.eval_on_selector(".heads", "one => one.innerText")
    assert title == "Heads"
    assert "\u202e" not in written
    assert seen.complaints == []
    assert seen.requests == [path.as_uri()]


class TestBadInput:
    def test_no_results(self):
        with pytest.raises(ValueError, match="at least one result"):
            render_page("Heads", [], reproduce="x")

    def test_a_figure_of_another_kind_leaves_nothing_behind(self, tmp_path):
        made = Made(made_sections=(Section("s", False, "a", "b", {"mine": "<b>bold</b>"}),))
        with pytest.raises(TypeError, match="figure 'mine' is a str"):
            write_page(tmp_path / "new" / "page.html", "t", [made], reproduce="x")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(("name", "message"), [("", "is a folder; name the page"), ("config.yaml", "end in .html")])
    def test_a_place_where_no_page_belongs(self, tmp_path, name, message):
        with pytest.raises(ValueError, match=message):
            write_page(tmp_path / name, "t", [Made()], reproduce="x")
