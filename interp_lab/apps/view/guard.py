"""Who may ask, and how: whoever was told the token, on this machine, under this machine's own name, only to read."""

import hmac
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
"""The only address that is ever listened on."""
TOKEN = "token"
"""Parameter of the address that is printed."""
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
    embed nothing. The interface is open to other users of this machine, too: so the address that is printed holds a
    token, which is exchanged for a cookie at the first visit, and nothing is shown without either.
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str) -> None:
        self._app = app
        self._token = token
        self._cookie = cookie_name(port)
        self._hosts = {f"{name}:{port}" for name in (HOST, "localhost")}
        if port == 80:
            self._hosts |= {HOST, "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        refused = self._refused(scope) or self._unknown(scope)

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

    def _unknown(self, scope: Scope) -> Response | None:
        """Return what whoever has no cookie is answered: a cookie for the token, or a refusal."""
        cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
        if self._is_token(cookies.get(self._cookie, "")):
            return None
        [given, *_] = parse_qs(scope["query_string"].decode("latin-1")).get(TOKEN, [""])
        if not self._is_token(given):
            return PlainTextResponse("open the whole address that interp-lab view printed, token included\n", 403)
        admitted = RedirectResponse("/", 303)  # the address with the token is not kept in the history
        admitted.set_cookie(self._cookie, self._token, path="/", httponly=True, samesite="lax")
        return admitted

    def _is_token(self, given: str) -> bool:
        """Compare in a time that does not tell how much of it is right."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode("utf-8"))


def cookie_name(port: int) -> str:
    """Return the name of the cookie; browsers keep those of all ports together."""
    return f"interp-lab-view-{port}"


def content_policy(policy: str) -> dict[str, str]:
    """Return the header of a page's content security policy, to which what no page can say of itself is added."""
    return {"content-security-policy": f"{policy}; frame-ancestors 'none'"}


def sandboxed() -> dict[str, str]:
    """Return the header for a page that was written elsewhere: it may draw itself, and reach nothing."""
    return content_policy(
        "sandbox allow-scripts allow-downloads allow-modals; default-src 'none'; script-src 'unsafe-inline'; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
