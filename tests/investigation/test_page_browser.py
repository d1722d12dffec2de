"""The page of an investigation in Chromium: every control, in light and dark, on a telephone and on paper."""

import pytest

from interp_lab.investigation.page import write_investigation
from tests.browser import until, visit
from tests.investigation.made import whole

ORDER = """[...document.querySelectorAll('table.claims tbody tr')].filter(row => !row.hidden)
           .map(row => row.querySelector('th b').innerText)"""
CONTRAST = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (one) => {
    const own = getComputedStyle(one).backgroundColor;
    return parts(own)[3] === 0 && one.parentElement ? paper(one.parentElement) : own;
  };
  const texts = 'p, li, td, th, h1, h2, h3, h4, .kind, summary, button, label, dt, dd, output, a, select';
  return [...document.querySelectorAll(texts)].filter((one) => one.checkVisibility() && !one.closest('figure'))
    .map((one) => [light(getComputedStyle(one).color), light(paper(one)), one.textContent.slice(0, 40)])
    .filter(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5);
}"""
"""Texts with less than 4.5 to 1."""
FOCUSED = "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
DRAWN = "[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('.main-svg'))"


@pytest.mark.browser
class TestInTheBrowser:
    def test_every_control_by_mouse_and_keyboard(self, tmp_path):
        path = write_investigation(whole(tmp_path), reproduce="x")
        with visit(path) as seen:
            page = seen.page
            assert page.evaluate(ORDER) == ["H1", "H2", "H3", "H4", "H5", "H6"]
            head = page.locator("th[data-key=effect]")
            head.locator("button").click()
            rising, said = page.evaluate(ORDER), head.get_attribute("aria-sort")
            head.locator("button").focus()
            page.keyboard.press("Enter")
            falling, then = page.evaluate(ORDER), head.get_attribute("aria-sort")
            page.select_option("select[name=grade]", "refuted")
            refuted, told = page.evaluate(ORDER), page.locator("form.filters output").inner_text()
            page.select_option("select[name=step]", "audit")
            none = page.evaluate(ORDER)
            page.click("form.filters button[type=reset]")
            until(page, f"{ORDER}.length === 6")
            page.select_option("select[name=component]", "attribute income")
            one = page.evaluate(ORDER)
            assert page.locator("article.result details[open]").count() == 0
            page.click("[data-fold]")
            n_open = page.locator("article.result > details[open]").count()
            until(page, "document.querySelectorAll('article.result .main-svg').length > 0")
            page.click("[data-fold]")
            assert page.locator("article.result > details[open]").count() == 0
            page.evaluate("location.hash = 'result-2'")
            until(page, "document.querySelectorAll('article.result > details[open]').length === 1")
            page.select_option("select[name=grade]", "refuted")
            page.evaluate("location.hash = 'H1'")
            until(page, f"{ORDER}.length === 6")
            low = page.evaluate(CONTRAST)
        assert (rising, said) == (["H4", "H3", "H1", "H2", "H5", "H6"], "ascending"), "what has no effect stands last"
        assert (falling, then) == (["H1", "H2", "H5", "H3", "H4", "H6"], "descending")
        assert (refuted, told, none, one) == (["H4", "H6"], "2 of 6 shown", [], ["H3"])
        assert n_open == 6
        assert low == []
        assert seen.complaints == []
        assert seen.requests == [path.as_uri()]

    def test_in_the_dark_on_a_telephone_and_printed(self, tmp_path):
        path = write_investigation(whole(tmp_path), reproduce="x")
        with visit(path, scheme="dark") as seen:
            page = seen.page
            page.set_viewport_size({"width": 390, "height": 844})
            page.click("[data-fold]")
            narrow, low = page.evaluate("document.documentElement.scrollWidth"), page.evaluate(CONTRAST)
            reached = []
            for _ in range(80):
                page.keyboard.press("Tab")
                reached.append(
                    page.evaluate(
                        "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
                    )
                )
            page.emulate_media(media="print")
            page.set_viewport_size({"width": 690, "height": 1000})
            page.evaluate("dispatchEvent(new Event('beforeprint'))")
            until(page, "[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('.main-svg'))")
            printed = page.evaluate("document.documentElement.scrollWidth")
        assert (narrow, printed, low) == (390, 690, [])
        assert {"A", "SELECT", "BUTTON", "SUMMARY"} <= {tag for tag, _ in reached}
        assert {outline for tag, outline in reached if tag != "BODY"} <= {"solid", "auto"}
        assert seen.complaints == []
        assert seen.requests == [path.as_uri()]
