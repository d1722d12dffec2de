"""Requests that are not answered: with which status, and how that is told."""

from typing import Any

from starlette.responses import JSONResponse

from interp_lab.apps.serve.wire import ErrorResponse, Problem

MEANINGS = {
    400: "the request is no HTTP or JSON that can be read, or for another host",
    401: "the token is missing or wrong",
    403: "another site's page asks",
    408: "the body did not come in time",
    413: "the body is too long",
    415: "the body is not application/json",
    422: "the request asks for something that there is not, or that is not allowed",
    500: "the model failed",
    503: "loading, stopping, or the queue is full; ask again after Retry-After seconds",
    504: "the request took longer than it may",
}
"""Of every status that refuses."""
GUARDED = (400, 401, 403)
WITH_BODY = (408, 413, 415, 422)
CODES = {404: "not_found", 405: "method_not_allowed"}


class RefusedError(Exception):
    """A request that is not answered."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def answer(self) -> JSONResponse:
        """Return it as an answer."""
        headers = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return refusal(self.status, self.code, self.message, headers)


def refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that is refused."""
    body = ErrorResponse(error=Problem(code=code, message=message))
    return JSONResponse(body.model_dump(), status, headers=headers)


def documented(*statuses: int, by_name: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI writes of these statuses into the OpenAPI document.

    Args:
        by_name: for operations that do not answer with JSON, and whose own type FastAPI would give to errors.
    """
    found: dict[int | str, dict[str, Any]] = {}
    named = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{ErrorResponse.__name__}"}}}}
    for status in statuses:
        found[status] = {"description": MEANINGS[status], **(named if by_name else {"model": ErrorResponse})}
        if status == 503:
            seconds = {"description": "seconds", "schema": {"type": "integer"}}
            found[status]["headers"] = {"Retry-After": seconds}
    return found
