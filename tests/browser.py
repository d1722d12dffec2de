"""A headless Chromium for tests of pages; skipped without one, except in CI, where it must be there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@dataclass
class Visit:
    """An open page, and what it said and asked for."""

    page: object
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None and os.environ.get("CI"):
        pytest.fail("CI must have Chromium; .ci/run installs it")
    if found is None:
        pytest.skip("no Chromium on this machine; install it to run the browser tests")
    return found


@contextmanager
def visit(path: Path, *, scheme: str = "light") -> Iterator[Visit]:
    """Open a file with the network off; collects console errors and every request that is not for the file itself."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": 1200, "height": 900})
        seen = Visit(context.new_page())
        seen.page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(path.as_uri())
        seen.page.wait_for_function("document.readyState === 'complete'")
        try:
            yield seen
        finally:
            browser.close()


def until(page, expression: str) -> None:
    """Wait until a JavaScript expression holds, asking from outside: a page's policy forbids it to evaluate text."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true on the page: {expression}")
