"""One self-contained HTML page from results: no request leaves it, and text from prompts stays text.

Figures travel as JSON in inert script elements and are drawn by one small script; the content
security policy admits that script and plotly.js by their hashes and nothing else.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from interp_lab.experiment import Result
from interp_lab.runs import write_atomic

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def render_page(title: str, results: Sequence[Result], *, reproduce: str) -> str:
    """Return the page as HTML text.

    Args:
        results: in the order they are to appear.
        reproduce: the command that makes this page again.

    Raises: ValueError, for no results; TypeError, for a figure that is not a plotly figure.
    """
    if not results:
        raise ValueError("a page needs at least one result")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("interp_lab.reports", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"figure": figure_json, "cell": cell_text, "yaml": lambda config: config.to_yaml()}
    page = environment.get_template("page.html.j2").render(
        title=title,
        results=[_for_template(result) for result in results],
        reproduce=reproduce,
        plotly=get_plotlyjs().replace("</script", "<\\/script"),
    )
    return page.replace("SCRIPT-HASHES", " ".join(script_hashes(page)))


def write_page(path: Path, title: str, results: Sequence[Result], *, reproduce: str) -> Path:
    """Write `render_page` to a file, by temporary name and rename, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, render_page(title, results, reproduce=reproduce).encode("utf-8"))
    return path


def _for_template(result: Result) -> dict[str, Any]:
    claims = sorted(result.claims(), key=lambda claim: -claim.grade)
    return {
        "config": result.config,
        "provenance": result.provenance,
        "summary": result.summary().splitlines(),
        "claims": claims,
        "sections": result.sections(),
    }


def figure_json(figure: object) -> str:
    """Return a figure as JSON that is inert inside a script element.

    Raises: TypeError, if it is not a plotly figure.
    """
    if not isinstance(figure, go.Figure):
        raise TypeError(f"a page shows plotly figures, got a {type(figure).__name__}")
    text = figure.to_json() or ""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def cell_text(value: object) -> str:
    """Return a table cell: three decimals for numbers, nothing for missing ones."""
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3f}"
    return str(value)


def script_hashes(page: str) -> list[str]:
    """Return the content-security-policy sources of every executable inline script of a page."""
    digests = (hashlib.sha256(body.encode("utf-8")).digest() for body in _SCRIPT.findall(page))
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
