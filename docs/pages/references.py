"""References to what has no page here."""

import builtins
import importlib
from collections.abc import Sequence
from typing import Any

from docutils.nodes import Element
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_IMPORTED = ("typing", "torch", "numpy")
"""What the annotations of tensors and arrays name without its module."""


def plain_where_it_exists(app: Sphinx, env: BuildEnvironment, node: Element, contnode: Element) -> Element | None:
    """Leave the name of something that exists as plain text; what does not exist stays an error of the strict build.

    Libraries have their documentation elsewhere, and nothing is fetched; private parts of the package have none.
    """
    if node.get("refdomain") != "py":
        return None
    target, module = node["reftarget"], node.get("py:module") or "interp_lab"
    places = (target, *(f"{place}.{target}" for place in (module, *_IMPORTED)))
    return contnode if any(map(exists, places)) else None


def exists(dotted: str) -> bool:
    """Whether a dotted name leads to something that can be imported; what stands in brackets behind it is not asked."""
    parts = dotted.removeprefix("~").partition("[")[0].split(".")
    if not all(part.isidentifier() for part in parts):
        return False
    for n in range(len(parts), 0, -1):  # a module comes before a function of its name
        try:
            found: Any = importlib.import_module(".".join(parts[:n]))
        except ImportError:
            continue
        return _has(found, parts[n:])
    return hasattr(builtins, parts[0])


def _has(found: Any, parts: Sequence[str]) -> bool:  # noqa: ANN401 - a module, then what is in it
    for part in parts:
        if part in getattr(found, "__annotations__", {}):
            return True
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True
