"""Who may ask, and how: this machine's own browser, under this machine's own name, and only to read."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
"""The only address that is ever listened on."""
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every answer that does not say otherwise."""


class Guard:
    """Refuses what no reader at this machine asks for.

    A page elsewhere can have a browser send requests here, and by a name that it has resolved to this machine (DNS
    rebinding) even read the answers: so a request must be for this machine by name, and other sites may link here but
    embed nothing.
    """

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in (HOST, "localhost")}
        if port == 80:
            self._hosts |= {HOST, "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        refused = self._refused(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (self._app if refused is None else refused)(scope, receive, send_guarded)

    def _refused(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        if [host.lower() for host in headers.getlist("host")] not in [[host] for host in self._hosts]:
            return PlainTextResponse(f"this server answers as {' and '.join(sorted(self._hosts))} only\n", 400)
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("runs are read here, never changed\n", 405, headers={"allow": "GET, HEAD"})
        is_foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if is_foreign and headers.get("sec-fetch-mode") != "navigate":
            return PlainTextResponse("other sites may link to this page, and no more\n", 403)
        return None


def content_policy(policy: str) -> dict[str, str]:
    """Return the header of a page's content security policy, to which what no page can say of itself is added."""
    return {"content-security-policy": f"{policy}; frame-ancestors 'none'"}


def sandboxed() -> dict[str, str]:
    """Return the header for a page that was written elsewhere: it may draw itself, and reach nothing."""
    return content_policy(
        "sandbox allow-scripts allow-downloads allow-modals; default-src 'none'; script-src 'unsafe-inline'; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
