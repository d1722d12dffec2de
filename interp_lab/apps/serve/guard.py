"""Who may ask, and how much: with the token, for this host, no other site's page, and no more than a body's length."""

import asyncio
import hmac
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from interp_lab.apps.serve.config import ServeConfig
from interp_lab.apps.serve.meters import Meters
from interp_lab.apps.serve.refused import refusal

OPEN = ("/healthz", "/readyz")
"""Answered without a token: they say only whether somebody answers."""
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """Refuses, before anything is read, what no client of this service asks.

    A page elsewhere can have a browser send requests to this machine, and by a name that it has resolved to it (DNS
    rebinding) even read the answers: so where there is no token, a request must be for this machine by name. Bodies are
    read here, so that what comes behind can wait for the client's leaving alone.
    """

    def __init__(
        self, app: ASGIApp, config: ServeConfig, meters: Meters, *, hosts: Collection[str] | None, token: str | None
    ) -> None:
        """Guard an application.

        Args:
            hosts: names and ports under which it answers; `None` takes any.
            token: that requests must bear; `None` asks for none.
        """
        self._app, self._config, self._meters = app, config, meters
        self._hosts, self._token = hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                self._meters.answers.labels(str(message["status"])).inc()
            await send(message)

        refused = self._refused(scope)
        if refused is None and scope["method"] == "POST":
            body = await self._body(scope, receive)
            if isinstance(body, bytes):
                receive = _replaying(body, receive)
            else:
                refused = body
        await (self._app if refused is None else refused)(scope, receive, send_guarded)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        given = [host.lower() for host in headers.getlist("host")]
        if self._hosts is not None and given not in [[host] for host in self._hosts]:
            return refusal(400, "wrong_host", f"this service answers as {' and '.join(sorted(self._hosts))} only")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return refusal(403, "foreign_page", "pages of other sites may not ask this service")
        if self._token is not None and scope["path"] not in OPEN and not self._bears_token(headers):
            bearer = {"www-authenticate": "Bearer"}
            return refusal(401, "unauthorized", "this service wants its token, as Authorization: Bearer ...", bearer)
        return None

    def _bears_token(self, headers: Headers) -> bool:
        """Compare in a time that does not tell how much of it is right."""
        kind, _, given = headers.get("authorization", "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), str(self._token).encode("utf-8"))
        return is_right and kind.lower() == "bearer" and len(headers.getlist("authorization")) == 1

    async def _body(self, scope: Scope, receive: Receive) -> bytes | Response:
        headers, most = Headers(scope=scope), self._config.max_body_bytes
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return refusal(415, "not_json", "send the request as application/json")
        too_long = refusal(413, "too_long", f"the body has more than {most} bytes, which is all that is read")
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > most:
            return too_long
        try:
            async with asyncio.timeout(self._config.body_s):
                body = await _read(receive, most)
        except TimeoutError:
            return refusal(408, "too_slow", f"the body did not come within {self._config.body_s:g} s")
        return too_long if body is None else body


async def _read(receive: Receive, most: int) -> bytes | None:
    """Return the body; `None` if it has more than so many bytes. What ends early is what came."""
    parts, n_bytes = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        n_bytes += len(parts[-1])
        if n_bytes > most:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _replaying(body: bytes, receive: Receive) -> Receive:
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay
