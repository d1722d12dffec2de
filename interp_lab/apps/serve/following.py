"""Waiting for a request's end, for as long as somebody waits for it and it may take."""

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic

from starlette.requests import Request

from interp_lab.apps.serve.engine import Engine
from interp_lab.apps.serve.job import Ended, Event, Failed, Job

GONE = Failed(499, "client_gone", "nobody waits for the answer any more")
"""Never sent: there is nobody to read it."""


async def followed(
    engine: Engine, job: Job, *, timeout_s: float, request: Request | None = None
) -> AsyncGenerator[Event, None]:
    """Yield what happens to a request that was submitted; the last event is an end or a failure.

    However this ends, the request is given up: after its end that changes nothing.

    Args:
        request: watched for the client's leaving; `None` where somebody else does so, and cancels.
    """
    left = asyncio.ensure_future(_left(request)) if request is not None else None
    end = "client_gone"
    try:
        while True:
            event = await _next(job, left, until=job.arrived + timeout_s)
            if isinstance(event, Ended | Failed):
                end = "answered" if isinstance(event, Ended) else event.code
                yield event
                return
            for alarm in event.alarms:
                engine.meters.alarms.labels(alarm.monitor, alarm.action).inc()
            yield event
    finally:
        engine.forget(job)
        if left is not None:
            left.cancel()
        engine.meters.requests.labels(end).inc()
        engine.meters.took.observe(monotonic() - job.arrived)


async def _next(job: Job, left: "asyncio.Future[None] | None", *, until: float) -> Event:
    coming = asyncio.ensure_future(job.events.get())
    waited_for = {coming} if left is None else {coming, left}
    try:
        done, _ = await asyncio.wait(
            waited_for, timeout=max(until - monotonic(), 0), return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        if not coming.done():
            coming.cancel()
    if coming in done:
        return coming.result()
    if left is not None and left in done:
        return GONE
    took = monotonic() - job.arrived
    return Failed(504, "timed_out", f"no end after {took:.1f} s; ask for fewer tokens, or later")


async def _left(request: Request) -> None:
    """Return once the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
