"""The addresses of `interp-lab view`, and what each answers."""

import html
import re
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from interp_lab.apps.view import pages
from interp_lab.apps.view.guard import Guard, content_policy, sandboxed
from interp_lab.apps.view.library import Library
from interp_lab.apps.view.listing import Wanted
from interp_lab.apps.view.rows import Row
from interp_lab.runs import RunError

READ = ["GET", "HEAD"]
COUNTING = 1.5
"""Seconds that a list spends on counting claims; the next one goes on."""
_POLICY = re.compile(r"<meta http-equiv=\"Content-Security-Policy\" content=\"([^\"]*)\">")
_NOT_FOUND = "there is no such page here; runs that were added or moved are found by looking again"


def view_app(library: Library, *, port: int, token: str, counting: float = COUNTING) -> Guard:
    """Return the application; it answers requests for this machine and port, and changes nothing.

    Args:
        token: that a browser must know; see `Guard`.
        counting: seconds that a list spends on counting claims.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    _add_list(app, library, counting)
    _add_runs(app, library)
    _add_errors(app)
    return Guard(app, port=port, token=token)


def _add_list(app: FastAPI, library: Library, counting: float) -> None:
    @app.api_route("/", methods=READ)
    def _list(wanted: Annotated[Wanted, Query()]) -> Response:
        left = library.count(seconds=counting)
        return _page(pages.list_page(library, wanted, n_uncounted=left))

    @app.api_route("/refresh", methods=READ)
    def _refresh() -> Response:
        library.refresh()
        return RedirectResponse("/", 303)

    @app.api_route("/favicon.ico", methods=READ)
    def _icon() -> Response:
        return Response(status_code=204)

    @app.api_route("/investigations/{id}", methods=READ)
    def _investigation(id: str) -> Response:
        page = library.page_of(id)
        if page is None:
            raise HTTPException(404)
        return HTMLResponse(pages.with_icon(page.read_text("utf-8", "replace")), headers=sandboxed())


def _add_runs(app: FastAPI, library: Library) -> None:
    @app.api_route("/runs/{id}", methods=READ)
    def _run(id: str) -> Response:
        return _page(pages.run_page(library, _known(library, id)))

    @app.api_route("/runs/{id}/report", methods=READ)
    def _report(id: str) -> Response:
        return _page(pages.report_page(_known(library, id)))

    @app.api_route("/compare", methods=READ)
    def _compare(a: str = "", b: str = "") -> Response:
        if not a or not b:
            raise HTTPException(400, "choose two runs to compare, one as A and one as B")
        first, second = _known(library, a), _known(library, b)
        if first == second:
            raise HTTPException(400, f"{first.name} was chosen as A and as B; choose two runs")
        return _page(pages.compare_page(first, second))


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    def _refused(request: Request, error: HTTPException) -> Response:
        text = _NOT_FOUND if error.status_code == 404 else str(error.detail)
        return _page(pages.message_page(text), error.status_code)

    @app.exception_handler(RequestValidationError)
    def _misread(request: Request, error: RequestValidationError) -> Response:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return _page(pages.message_page(f"the address asks for something that there is not: {wrong}"), 400)

    @app.exception_handler(RunError)
    def _unreadable(request: Request, error: RunError) -> Response:
        return _page(pages.message_page(str(error)), 409)

    @app.exception_handler(Exception)
    def _failed(request: Request, error: Exception) -> Response:
        text = f"this page could not be made ({type(error).__name__}); the terminal of interp-lab view says more"
        return _page(pages.message_page(text), 500)


def _known(library: Library, id: str) -> Row:
    row = library.row(id)
    if row is None:
        raise HTTPException(404)
    return row


def _page(page: str, status: int = 200) -> HTMLResponse:
    """Answer with a page, whose own policy is made the answer's."""
    found = _POLICY.search(page)
    assert found is not None, "every page states its policy"
    return HTMLResponse(page, status, headers=content_policy(html.unescape(found[1])))
