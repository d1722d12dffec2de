"""What makes a page self-contained: data that is inert in a script element, and a policy that admits nothing else."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

_STEERING = re.compile(r"(?<!\\)((?:\\\\)*)\\u(?=202[89a-e]|20(?:0[bef]|6[0-9])|061c|feff|d[89a-f]..)")
"""In JSON: the escapes of what `visible` writes out."""


def inert_json(value: Any) -> Markup:  # noqa: ANN401 - whatever JSON can hold
    """Return JSON that nothing in it can end or leave: no markup, and no character that steers the display."""
    text = _STEERING.sub(r"\1\\\\u", json.dumps(value, separators=(",", ":")))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def closed_script(script: str) -> Markup:
    """Return a script that no string in it can end, as it stands in the page and as its hash is taken."""
    return Markup(script.replace("\r\n", "\n").replace("</script", "<\\/script"))


def policy(scripts: Sequence[str]) -> str:
    """Return the content security policy that admits these inline scripts, inline styles, and nothing else."""
    digests = (base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode() for script in scripts)
    sources = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def require_page_path(path: Path) -> None:
    """Refuse a place where no page can or should be written.

    Raises: ValueError, naming the path and a better one.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the page itself, such as {path / 'report.html'}")
    if path.suffix.lower() not in {".html", ".htm"}:
        raise ValueError(f"the page {path} must end in .html; name it {path.with_suffix('.html')}")
