"""Asking the viewer for pages, without a network."""

import html
import re
from pathlib import Path
from typing import Any

import anyio
from starlette.testclient import TestClient

from interp_lab.apps.view import Library, view_app
from interp_lab.apps.view.guard import cookie_name

PORT = 8123
HERE = f"http://127.0.0.1:{PORT}"
TOKEN = "a-secret_word"
COOKIE = {cookie_name(PORT): TOKEN}


def viewer(
    *folders: Path, counting: float = 60.0, raises: bool = True, cookies: dict[str, str] | None = COOKIE
) -> TestClient:
    """The viewer, asked by a browser that was there before, unless other cookies are named."""
    app = view_app(Library(folders), port=PORT, token=TOKEN, counting=counting)
    return TestClient(app, base_url=HERE, cookies=cookies, follow_redirects=False, raise_server_exceptions=raises)


def text_of(page: Any) -> str:
    body = page.text.partition("<body>")[2].replace("<wbr>", "")
    return " ".join(html.unescape(re.sub(r"<script.*?</script>|<[^>]+>", " ", body, flags=re.DOTALL)).split())


def status_of_raw(client: TestClient, path: str) -> int:
    """Status of the answer to a path exactly as it is given."""
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": [(b"host", f"127.0.0.1:{PORT}".encode()),
                         (b"cookie", f"{cookie_name(PORT)}={TOKEN}".encode())]}  # fmt: skip
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    anyio.run(client.app, scope, receive, send)
    return said[0]["status"]


def id_of(client: TestClient, name: str) -> str:
    """Id of a run by what its link says."""
    found = re.search(rf'href="/runs/([0-9a-f]+)">{re.escape(html.escape(name))}<', client.get("/").text)
    assert found, f"{name} is not listed"
    return found[1]


def listed(client: TestClient, **wanted: object) -> list[str]:
    """Names in the list, in order."""
    page = client.get("/", params=wanted)
    assert page.status_code == 200, text_of(page)
    return [
        html.unescape(name) for name in re.findall(r'<th scope="row"[^>]*><a href="/runs/\w+">(.*?)</a>', page.text)
    ]
