"""The page of an investigation: answers first, nothing hidden, nothing from elsewhere, text stays text."""

import base64
import hashlib
import html
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from interp_lab.experiment import Section
from interp_lab.investigation import shown_results
from interp_lab.investigation.as_json import plain
from interp_lab.investigation.expected import Expected
from interp_lab.investigation.page import linked, render_investigation, write_investigation
from interp_lab.investigation.told import told_of
from tests.investigation.made import (
    CAUSAL,
    HASH,
    MadeStep,
    component,
    config,
    decided,
    hypothesis,
    investigated,
    sections,
    step,
    whole,
)
from tests.reports.results import HOSTILE, evidence

SCRIPTS = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def rendered(found) -> str:
    return render_investigation(found, told_of(found, reproduce="interp-lab investigate loans.yaml"))


def without_scripts(page: str) -> str:
    return SCRIPTS.sub("", page)


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", without_scripts(page))).split())


@pytest.fixture(scope="module")
def page():
    return rendered(whole())


class TestContent:
    def test_the_summary_stands_before_everything_it_stands_on(self, page):
        places = [page.index(f'<section aria-labelledby="{part}"') for part in
                  ("summary", "claims", "beside", "methods", "tests", "steps", "appendix")]  # fmt: skip
        assert places == sorted(places)

    def test_every_hypothesis_stands_in_the_table_with_all_that_can_be_asked_of_it(self, page):
        rows = re.findall(r'<tr data-grade="([a-z ]+)"(.*?)</tr>', page, re.DOTALL)
        assert [grade for grade, _ in rows] == ["replicated", "causal", "undecided", "refuted", "causal", "refuted"]
        first = text_of(rows[0][1])
        for needed in ("H1 0.1 carries it", "2.000 [1.500, 2.500]", "1.900 [1.400, 2.400]", "random heads", "0.001",
                       "nats", "32 examples", "32 of templates", "step patch", "its effect is not beyond 0.5 nats",
                       "redundancy", "2.500 [2.000, 3.000]", "in both"):  # fmt: skip
            assert needed in first
        assert "Why: the test says that it does the opposite" in text_of(rows[5][1])
        assert "in organism only" in text_of(rows[1][1])

    def test_what_was_seen_while_searching_is_marked(self, page):
        steps = text_of(page.partition('<section aria-labelledby="steps"')[2].partition("<section aria-labelledby")[0])
        assert steps.count("search fold: chosen here, so not evidence") == 2
        assert steps.count("held-out examples") == 1
        assert "claims of patch (patching) (3), as the search made them" in steps

    def test_descriptive_stands_before_causal(self, page):
        assert page.index("patch looks") < page.index("patch acts")

    def test_the_appendix_says_how_to_check_and_repeat(self, page):
        end = text_of(page[page.index('<section aria-labelledby="appendix"') :])
        for needed in (f'echo "{HASH} hypotheses.json" | sha256sum --check', "interp-lab investigate loans.yaml",
                       "investigation: loans", "commit: abc123", "behaviour 2.0", "all 6.0",
                       "Nothing is cited"):  # fmt: skip
            assert needed in end

    def test_a_changed_number_changes_the_page(self, page):
        ends = [decided(hypothesis(), (evidence(p=0.06), None))]
        assert page.count('class="kind replicated"') == 1
        assert rendered(investigated(ends=ends)).count('class="kind replicated"') == 0

    def test_what_it_was_expected_to_cost_stands_beside_what_it_did(self):
        told = Expected(seconds={"behaviour": 1.0, "patch": None, "again": 4.0, "confirm/patch": 9.0}, factor=2.5)
        end = text_of(rendered(whole(expected=told)).partition('id="appendix"')[2])
        assert "expected to take about 14 s; it took 6 s." in end
        assert "lie within a factor 2.5. Not in it, since nothing like it was recorded: patch." in end
        assert "behaviour 2.0 1.0 patch 2.0 unknown again 2.0 4.0 all 6.0 5.0" in end

    def test_a_name_of_a_hypothesis_leads_to_its_row_and_others_nowhere(self, page):
        assert linked("H1, H12 <b>H1</b>&XH1", {"H1"}) == (
            '<a href="#H1">H1</a>, H12 &lt;b&gt;<a href="#H1">H1</a>&lt;/b&gt;&amp;XH1'
        )
        ids = re.findall(r'id="([^"]+)"', without_scripts(page))
        assert len(set(ids)) == len(ids)
        assert set(re.findall(r'href="#([^"]+)"', without_scripts(page))) <= set(ids)

    def test_the_paragraph_stands_first_and_lists_are_folded(self, page):
        summary = page[page.index('aria-labelledby="summary"') : page.index('aria-labelledby="claims"')]
        order = [summary.index(part) for part in ('class="verdict', 'class="brief', 'class="counts', "<h3>")]
        assert order == sorted(order)
        assert "[1.500, 2.500]" not in text_of(summary.split("<h3>")[2]), "numbers stand in the table of claims"
        assert summary.count("<details") == summary.count("</ul></details>") > 4

    def test_headings_go_down_one_step_at_a_time(self, page):
        levels = [int(level) for level in re.findall(r"<h([1-6])", without_scripts(page))]
        assert levels.count(1) == 1
        assert all(below - above <= 1 for above, below in itertools.pairwise(levels))

    def test_every_head_of_a_table_says_what_it_heads(self, page):
        assert "<th>" not in page
        assert len(re.findall(r"<th ", page)) == len(re.findall(r'<th [^>]*scope="', page))


class TestOtherEnds:
    def test_stopped_by_a_gate(self):
        page = rendered(investigated(stopped="behaviour: the corruption costs nothing"))
        assert 'class="verdict banner"' in page
        assert "There is nothing to explain: behaviour: the corruption costs nothing." in text_of(page)
        assert "What fixes it" not in page

    def test_exploratory(self):
        page = rendered(whole(ends=[], config=config(steps=({"name": "patch", "experiment": "patching"},))))
        assert 'class="verdict banner"' in page
        assert "explored: nothing here was put to a test" in text_of(page)
        assert "so not evidence" not in page
        assert "table class" not in page[page.index('"claims"') : page.index('"methods"')]

    def test_nothing_ran(self):
        assert "No step has run." in rendered(investigated(steps=[]))


class TestSafety:
    def test_the_policy_admits_the_pages_own_scripts_and_nothing_else(self, page):
        policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1))
        scripts = SCRIPTS.findall(page)
        digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
        assert len(digests) == 3, "plotly, what draws with it, and what sorts and filters"
        sources = " ".join(f"'sha256-{one}'" for one in digests)
        assert f"script-src {sources};" in policy

    def test_hostile_text_stays_text(self, tmp_path):
        made = MadeStep(
            (), sections(HOSTILE), text=HOSTILE, said=(component(HOSTILE, HOSTILE, 1.0), component(HOSTILE, "b", 1.0))
        )
        one = hypothesis(1, HOSTILE, step="patch", uncertain=HOSTILE, refuted_if=HOSTILE, unit=HOSTILE)
        found = investigated(tmp_path, ends=[decided(one, CAUSAL, observed=HOSTILE)], steps=[step(result=made)],
                             config=config(question=HOSTILE), tests={"confirm/patch": made})  # fmt: skip
        page = without_scripts(write_investigation(found, reproduce=HOSTILE).read_text())
        assert "<img" not in page
        assert "<script>document.title" not in page
        assert "\u202e" not in page + (tmp_path / "report.md").read_text()
        assert "<img" not in (tmp_path / "report.md").read_text().partition("## How to check")[0].replace("\\<", "")

    def test_names_no_server(self, page):
        body = without_scripts(page)
        assert "http" not in body.replace("http-equiv", "")
        assert set(re.findall(r'(?:src|href)="(.)', body)) == {"#"}


class TestSize:
    def test_twenty_results_full_of_figures_stay_under_eight_megabytes(self):
        own = sections("s", 6)
        many = [step(f"s{n}", MadeStep((), own)) for n in range(20)]
        page = rendered(whole(steps=many))
        assert page.count("plotly.js v") == 1
        assert len(page.encode()) < 8_000_000
        assert "no room here" not in page

    def test_what_has_no_room_is_left_out_and_said(self, monkeypatch):
        monkeypatch.setattr(shown_results, "ROOM", 500)
        page = rendered(whole())
        assert "patch acts" not in page
        assert "patch looks" in page
        assert "There was no room here for all of its figures; all of them: interp-lab report" in text_of(page)


class TestFiles:
    def test_json_holds_the_summary_and_every_hypothesis_and_no_nan(self, tmp_path):
        numbers = MadeStep(numbers={"kl": float("nan"), "effect": 2.0})
        expected = Expected(seconds={"patch": 3.0, "again": None}, factor=None)
        found = whole(tmp_path, tests={"confirm/patch": numbers}, expected=expected)
        write_investigation(found, reproduce="x")
        data = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
        assert (data["schema"], data["hypotheses_sha256"], len(data["hypotheses"])) == (1, HASH, 6)
        assert [one["outcome"] for one in data["hypotheses"]] == [
            "replicated", "causal", "undecided", "refuted", "causal", "refuted",
        ]  # fmt: skip
        assert data["hypotheses"][0]["claim"]["effect"]["effect"]["estimate"] == 2.0
        assert data["hypotheses"][0]["claim"]["effect"]["split"] == "report"
        assert data["hypotheses"][5]["claim"] is None
        assert data["tests"]["confirm/patch"]["metrics"] == {"kl": None, "effect": 2.0}
        assert data["expected_seconds"] == {"patch": 3.0, "again": None}
        assert list(data["brief"]) == ["hypothesis", "evidence", "intervention", "result", "uncertainty"]
        assert data["summary"][0]["question"] == "What does the model do?"
        assert data["provenance"]["patch"]["commit"] == "abc123"

    def test_markdown_holds_the_same_summary_and_table(self, tmp_path):
        write_investigation(whole(tmp_path), reproduce="interp-lab investigate loans.yaml")
        text = (tmp_path / "report.md").read_text()
        assert "**6 hypotheses were written down and then tested on held-out examples: 3 hold" in text
        (first,) = [line for line in text.splitlines() if line.startswith("| H1 ")]
        assert first.count(" | ") == 11
        assert "\n- 2 attention heads: 0.1 (H1); 2.3 (H2)\n" in text
        assert "**Hypothesis.** The search, on one fold" in text
        assert "\\[1.500, 2.500\\] nats" in first
        assert "    interp-lab investigate loans.yaml" in text

    def test_a_figure_of_another_kind_leaves_nothing_behind(self, tmp_path):
        made = MadeStep((), (Section("s", False, "a", "b", {"mine": "<b>bold</b>"}),))
        with pytest.raises(TypeError, match="figure 'mine' is a str"):
            write_investigation(investigated(tmp_path / "new", steps=[step(result=made)]), reproduce="x")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("value", "shown"),
        [(float("inf"), None), (np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True),
         ((1, Path("a")), [1, "a"]),
         ({1: np.array([np.nan])}, {"1": [None]})],
    )  # fmt: skip
    def test_plain_data(self, value, shown):
        assert plain(value) == shown
