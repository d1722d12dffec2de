"""The addresses of `interp-lab serve`, and what each answers."""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response, StreamingResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from interp_lab.apps.serve.asked import job_of
from interp_lab.apps.serve.described import (
    Alive,
    ModelResponse,
    MonitorsResponse,
    Ready,
    model_told,
    monitors_told,
)
from interp_lab.apps.serve.engine import Engine
from interp_lab.apps.serve.following import followed
from interp_lab.apps.serve.job import Job
from interp_lab.apps.serve.refused import CODES, GUARDED, WITH_BODY, RefusedError, documented, refusal
from interp_lab.apps.serve.told import Answer, answered, streamed
from interp_lab.apps.serve.wire import GenerateRequest, GenerateResponse

_BEARER = HTTPBearer(auto_error=False, description="The service's token.")
_EVENTS = (
    "Server-sent events: `token` (a `Delta`), `scores` (`ScoresTold`, where asked for), `alarm` (`AlarmTold`), and at "
    "the end `done` (`GenerateResponse`) or `error` (`ErrorResponse`, with the codes of the other statuses)."
)
_LOG = logging.getLogger("interp_lab.serve")


def serve_app(engine: Engine, *, has_token: bool = False) -> FastAPI:
    """Return the application; `Guard` belongs before it.

    Args:
        has_token: whether the OpenAPI document says that requests must bear one; the guard sees to it.
    """
    app = FastAPI(
        title="interp_lab", version=version("interp_lab"), docs_url=None, redoc_url=None, redirect_slashes=False,
        description="Generation under the eyes of monitors: what a model writes, and what its activations say of it.",
    )  # fmt: skip
    bears = [Depends(_BEARER)] if has_token else []
    _add_generating(app, engine, bears)
    _add_describing(app, engine, bears)
    _add_health(app, engine)
    _add_errors(app)
    return app


def _add_generating(app: FastAPI, engine: Engine, bears: Sequence[Any]) -> None:
    fails = documented(*GUARDED, *WITH_BODY, 500, 503, 504)

    @app.post("/v1/generate", responses=fails, dependencies=bears)
    async def generate(asked: GenerateRequest, request: Request) -> GenerateResponse:
        """Generate, and tell all at the end."""
        job, answer, timeout = _submitted(engine, asked)
        return await answered(answer, followed(engine, job, timeout_s=timeout, request=request))

    events = {200: {"description": _EVENTS, "content": {"text/event-stream": {}}}}
    streams = {**events, **documented(*GUARDED, *WITH_BODY, 500, 503, by_name=True)}

    @app.post("/v1/generate/stream", responses=streams, response_class=_Events, dependencies=bears)
    async def generate_stream(asked: GenerateRequest) -> Response:
        """Generate, and tell of every token as it comes."""
        job, answer, timeout = _submitted(engine, asked)
        return _Events(streamed(answer, followed(engine, job, timeout_s=timeout)))


class _Events(StreamingResponse):
    media_type = "text/event-stream"


def _submitted(engine: Engine, asked: GenerateRequest) -> tuple[Job, Answer, float]:
    """Put a request into the queue; return it, what will be its answer, and how long it may take (seconds)."""
    loaded = engine.require_ready()
    job = job_of(asked, loaded, engine.config)
    engine.submit(job)
    engine.meters.prompted.inc(len(job.ids))
    timeout = min(asked.timeout_s or engine.config.timeout_s, engine.config.timeout_s)
    return job, Answer(job, loaded, explained=asked.explain is not None), timeout


def _add_describing(app: FastAPI, engine: Engine, bears: Sequence[Any]) -> None:
    fails = documented(*GUARDED, 503)

    @app.get("/v1/model", responses=fails, dependencies=bears)
    async def model() -> ModelResponse:
        """Tell which model answers, and what may be asked of it."""
        return model_told(engine.require_loaded(), engine.config)

    @app.get("/v1/monitors", responses=fails, dependencies=bears)
    async def monitors() -> MonitorsResponse:
        """Tell which monitors there are, and what their alarms may set off."""
        return MonitorsResponse(monitors=monitors_told(engine.require_loaded()))

    @app.get(
        "/metrics",
        responses={200: {"description": "Prometheus's text format.", "content": {"text/plain": {}}}}
        | documented(*GUARDED, by_name=True),
        response_class=Response,
        dependencies=bears,
    )
    async def metrics() -> Response:
        """Tell what was counted and measured, for Prometheus."""
        engine.meters.ready.set(engine.state == "ready")
        return Response(engine.meters.text(), headers={"content-type": CONTENT_TYPE_LATEST})


def _add_health(app: FastAPI, engine: Engine) -> None:
    @app.get("/healthz", responses=documented(400, 403, 503))
    async def healthz() -> Alive:
        """Tell whether the service runs; if not, it should be started again."""
        if engine.state == "failed":
            raise RefusedError(503, "failed", "the thread of the model has ended; start the service again")
        return Alive()

    @app.get("/readyz", responses=documented(400, 403, 503))
    async def readyz() -> Ready:
        """Tell whether requests are taken: the model is loaded, the queue is not full."""
        engine.require_ready()
        return Ready(waiting=engine.n_waiting)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        return error.answer()

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        return refusal(error.status_code, CODES.get(error.status_code, "bad_request"), str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def misread(request: Request, error: RequestValidationError) -> Response:
        found = [f"{_place(one['loc'][1:])}: {one['msg']}" for one in error.errors()]
        return refusal(422, "invalid", _shown("; ".join(found)))

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        _LOG.error("an answer could not be made", exc_info=error)
        return refusal(500, "internal", "the answer could not be made; the service's log says more")


def _place(parts: Sequence[object]) -> str:
    """Return where in a request something is wrong; which kind of prompt it would have been is left out."""
    return ".".join(str(one) for one in parts if "constrained" not in str(one)) or "body"


def _shown(message: str, most: int = 2000) -> str:
    """Return a message as it can be sent: what a request held may be long, and no text."""
    return message.encode("utf-8", "replace").decode("utf-8")[:most]
