"""The page of features in Chromium: every widget used, nothing asked of a server, and the document small."""

import re
import time
from itertools import pairwise

import pytest

from interp_lab.sae.dashboard import page as page_module
from interp_lab.sae.dashboard import write_dashboard
from tests.browser import visit
from tests.reports.results import HOSTILE
from tests.sae.dashboard.folders import made_folder

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One page for all tests."""
    blank = tmp_path_factory.mktemp("blank") / "blank.html"
    blank.write_text("<!doctype html><html lang=en><title>blank</title>", "utf-8")
    with visit(blank) as seen:
        yield seen


@pytest.fixture
def opening(browser):
    """What opens a file in it, as if for the first time."""

    def opened_at(path, *, scheme="light", size=(1200, 900), anchor=""):
        page = browser.page
        page.goto("about:blank")
        page.emulate_media(media="screen", color_scheme=scheme)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        browser.complaints.clear()
        browser.requests.clear()
        page.goto(f"{path.as_uri()}{anchor}")
        page.wait_for_selector("#feature h2")
        return browser

    return opened_at


def rows(page) -> list[int]:
    """Latents listed, in their order."""
    texts = page.eval_on_selector_all(".row b", "all => all.map(one => one.textContent)")
    return [int(text) for text in texts]


def opened(page) -> int:
    return int(page.text_content("#feature h2").split()[1])


def await_opened(page, latent: int) -> None:
    """Wait for a feature: the page opens it when its address changes, which is behind the key or click."""
    page.locator("#feature h2", has_text=re.compile(rf"^latent {latent}$")).wait_for()


def count(page) -> str:
    return page.text_content("#count")


def nodes(page) -> int:
    return page.evaluate("document.querySelectorAll('*').length")


class TestWidgets:
    @pytest.fixture(scope="class")
    def path(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("page")
        store = made_folder(folder / "features", dead=[2, 3])
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(page_module, "DENSE", 0.0075)
            return write_dashboard(store, folder / "page.html", labels={4: "a warm greeting"}, title="Features")

    def test_search_sort_and_filter(self, path, opening):
        seen = opening(path)
        page = seen.page
        assert rows(page) == [11, 10, 9, 8, 7, 6, 5, 4, 1, 0, 2, 3], "densest first, those never active last"
        for where, words, found in [
            ("any", "word7", [7]),
            ("any", "#5", [5]),
            ("any", "greet", [4]),
            ("number", "1", [1]),
            ("fires", "WORD1", [11, 10, 1]),
            ("fires", "up1", []),
            ("writes", "up1", [11, 10, 1]),
            ("label", "never active", [2, 3]),
        ]:
            page.select_option("#where", where)
            page.fill("#query", words)
            assert (where, words, rows(page)) == (where, words, found)
            assert page.locator("#list >> text=no feature matches").count() == (not found)
            assert count(page) == f"{len(found)} of 12 features"
        page.click("#reset")
        assert count(page) == "12 of 12 features"
        for state, found in [
            ("dead", {2, 3}),
            ("alive", set(range(12)) - {2, 3}),
            ("dense", {7, 8, 9, 10, 11}),
            ("sparse", {0, 1, 4, 5, 6}),
        ]:
            page.select_option("#state", state)
            assert (state, set(rows(page))) == (state, found)
        page.click("#reset")
        page.select_option("#measure", "bias")
        page.click("#order")
        assert page.text_content("#order") == "smallest first"
        assert rows(page) == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
        assert "bias -1.1" in page.text_content(".row:first-child small")
        page.select_option("#measure", "density")
        page.select_option("#state", "alive")
        page.fill("#from", "80")
        assert rows(page) == [10, 11], "the densest fifth of ten"
        page.fill("#to", "90")
        assert rows(page) == [10]
        assert (seen.complaints, seen.requests) == ([], [path.as_uri()])

    def test_the_keyboard_opens_features_and_walks_their_tokens(self, path, opening):
        seen = opening(path)
        page = seen.page
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "query"
        page.keyboard.type("word1")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "list"
        for key, latent in zip(
            ("ArrowDown", "ArrowDown", "ArrowUp", "End", "Home", "j"), (10, 1, 10, 1, 11, 10), strict=True
        ):
            page.keyboard.press(key)
            await_opened(page, latent)
        assert page.get_attribute("#list", "aria-activedescendant") == "row-10"
        assert page.get_attribute("#row-10", "aria-selected") == "true"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "feature"
        while page.evaluate("!document.activeElement.classList.contains('example')"):
            page.keyboard.press("Tab")
        told = []
        for key in ("", "ArrowRight", "ArrowRight", "ArrowLeft"):
            if key:
                page.keyboard.press(key)
            told.append(page.text_content("#tip"))
        assert told == ["word10: 11", "↵: 2.75", "and: 0", "↵: 2.75"]
        page.keyboard.press("Tab")
        page.keyboard.press("/")
        assert page.is_hidden("#tip")
        assert seen.complaints == []

    def test_the_pointer_follows_neighbours_reads_values_and_chooses_bins(self, path, opening):
        seen = opening(path)
        page = seen.page
        page.goto(f"{path.as_uri()}#latent-4")
        assert opened(page) == 4, "a feature has an address"
        assert page.text_content(".label").strip() == "a warm greeting", "and no chip: the label was given"
        page.hover(".example .begin")
        assert (page.text_content("#tip"), page.is_visible("#tip")) == ("word4: 5", True)
        shades = page.eval_on_selector_all(
            ".example:first-of-type .token", "all => all.map(one => one.style.getPropertyValue('--s'))"
        )
        assert [float(shade) for shade in shades[:7] if shade] == [1.0, 0.25]
        assert page.locator(".example").count() == 6
        page.select_option("#bins", "1")
        assert page.locator(".example").count() == 2
        assert page.text_content("#feature h4") == "50% to 100% of active values, by size"
        assert page.locator("svg rect").count() == 2
        page.click("text='latent 5'")
        await_opened(page, 5)
        assert (opened(page), page.evaluate("document.activeElement.id")) == (5, "feature")
        assert "heuristic" in page.text_content(".label")
        assert page.locator(".example").count() == 2, "the chosen bin stays chosen"
        page.go_back()
        await_opened(page, 4)
        page.click("#row-2")
        await_opened(page, 2)
        assert "never active" in page.text_content("#feature")
        assert seen.complaints == []

    def test_printing_prints_the_open_feature_within_the_sheet(self, path, opening):
        seen = opening(path)
        seen.page.emulate_media(media="print")
        seen.page.set_viewport_size({"width": 690, "height": 1000})
        assert not seen.page.is_visible(".choose")
        assert seen.page.is_visible(".example")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 690

    def test_an_address_of_no_feature_is_told_until_there_is_one(self, path, opening):
        page = opening(path, anchor="#latent-99").page
        assert opened(page) == 11, "the first of the list"
        assert page.inner_text("#told") == "latent 99 is not on this page: it holds 12 of 12"
        page.evaluate("location.hash = 'latent-4'")
        await_opened(page, 4)
        assert page.is_hidden("#told")

    def test_the_histogram_says_what_its_axis_is_and_no_heading_is_empty(self, path, opening, tmp_path):
        page = opening(path).page
        assert page.text_content("svg .axis") == "value, bins side by side"
        assert page.eval_on_selector_all("th", "all => all.filter((one) => !one.textContent).length") == 0
        edges = [1.0, 1.5, 2.25, 3.375]
        bars = [(0, nth, low, high, 3) for nth, (low, high) in enumerate(pairwise(edges))]
        growing = write_dashboard(made_folder(tmp_path / "f", n_latents=1, bars=bars), tmp_path / "page.html")
        page = opening(growing).page
        assert page.text_content("svg .axis") == "value, logarithmic axis: each bin reaches 50% higher"
        assert "values too" in page.get_attribute("svg", "aria-label")


class TestHostileText:
    def test_in_the_dark_on_a_telephone_nothing_runs_and_everything_can_be_read(self, tmp_path, opening):
        names = {0: HOSTILE, 1: '"><img src=x onerror="document.title=1">', 2: "\n", 3: "a\u200bb", 4: "\u05d0" * 300}
        store = made_folder(tmp_path / "features", n_latents=6, names=names, words=(HOSTILE, "a", "\u202eb", "\t"))
        path = write_dashboard(store, tmp_path / "page.html", labels={5: HOSTILE * 3}, title=HOSTILE)
        seen = opening(path, scheme="dark")
        page = seen.page
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.title().startswith("</script>"), "the title is text"
        for latent, shown in [(0, "<img src=x"), (1, 'onerror="'), (2, "↵"), (3, "a\\u200bb"), (5, "</script>")]:
            page.evaluate(f"location.hash = 'latent-{latent}'")
            await_opened(page, latent)
            assert shown in page.text_content("#feature")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.text_content("#row-2").startswith("2 fires on")
        page.fill("#query", "↵")
        page.select_option("#where", "fires")
        assert rows(page) == [2]
        assert page.locator("img").count() == 0
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 26)"
        assert page.title() != "owned"
        assert (seen.complaints, seen.requests) == ([], [path.as_uri()])


class TestManyFeatures:
    WORDS = tuple(f"w{number}" for number in range(9973))

    def test_two_thousand_open_at_once_and_the_document_holds_only_what_is_seen(self, tmp_path, opening):
        sizes = {}
        for n_latents in (40, 2000):
            store = made_folder(tmp_path / f"{n_latents}", n_latents=n_latents, n_bins=0, per_bin=2, words=self.WORDS)
            path = write_dashboard(store, tmp_path / f"{n_latents}.html")
            begun = time.perf_counter()
            seen = opening(path)
            seen.page.wait_for_selector("#feature h2")
            took = time.perf_counter() - begun
            assert len(rows(seen.page)) < 40
            seen.page.evaluate("document.getElementById('list').scrollTop = 1e9")
            seen.page.wait_for_selector("#row-0", state="attached")
            assert rows(seen.page)[-1] == 0
            sizes[n_latents] = nodes(seen.page)
            assert seen.complaints == []
            assert took < 20, "generous; below a second is usual"
        assert sizes[2000] < 500
        assert abs(sizes[2000] - sizes[40]) < 60

    def test_two_thousand_with_twenty_examples_each_would_be_below_eight_megabytes(self, tmp_path):
        settings = {"n_bins": 4, "per_bin": 4, "context": 10, "words": self.WORDS}
        few, many = (
            write_dashboard(made_folder(tmp_path / f"{n}", n_latents=n, **settings), tmp_path / f"{n}.html")
            for n in (20, 60)
        )
        each = (many.stat().st_size - few.stat().st_size) / 40
        assert 1_000 < each < 4_000, "bytes per feature"
