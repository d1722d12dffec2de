"""Figures as data inside the page: plotly figures, views of attention heads, and HTML that is marked as safe."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Literal

import plotly.graph_objects as go
from markupsafe import Markup

from interp_lab.plots import AttentionView
from interp_lab.plots.inline import inert_json
from interp_lab.plots.text import visible

Kind = Literal["plotly", "heads", "fragment"]

_TITLE_HEIGHT = 26
"""Pixels that a figure is lower by when its title stands in its caption."""
_FOREIGN = re.compile(r"url\(\s*+['\"]?+(?!#)", re.IGNORECASE)
"""In a style: an address that is not within the page."""
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_ACTIVE = frozenset({"script", "iframe", "object", "embed", "link", "meta", "base", "style", "form", "frame", "portal"})
_ADDRESSES = frozenset({"src", "href", "xlink:href", "srcset", "poster", "data", "action", "formaction", "background"})


@dataclass(frozen=True)
class Embedded:
    """A figure ready for the page."""

    kind: Kind
    caption: str
    content: Markup
    """JSON that is inert in a script element; of a fragment, its HTML."""
    width: int = 0
    height: int = 0
    """Pixels; 0 where the content decides."""


@dataclass
class Embedder:
    """Turns figures into `Embedded` ones; what many figures share (a plotly template) is kept once, for the page."""

    has_heads_script: bool
    """Whether CircuitsVis's script can stand in the page."""
    templates: dict[str, str] = field(default_factory=dict)
    """JSON of each template, and the name that figures call it by."""
    kinds: set[Kind] = field(default_factory=set)
    """Of the figures so far: which scripts the page needs."""
    n_views: int = 0
    """Views of several heads so far, drawn by whichever script."""

    def embed(self, name: str, figure: object) -> Embedded:
        """Embed one figure under its caption.

        Raises: TypeError, if it is no figure that a page can show; ValueError, for a fragment that is not inert.
        """
        if isinstance(figure, AttentionView):
            self.n_views += 1
            shown = self._heads(figure) if self.has_heads_script else self._plotly(figure.title, figure.figure())
        elif isinstance(figure, go.Figure):
            shown = self._plotly(name, figure)
        elif isinstance(figure, Markup):
            require_inert(figure, what=f"fragment {name!r}")
            shown = Embedded("fragment", name, figure)
        else:
            raise TypeError(
                f"figure {name!r} is a {type(figure).__name__}; a page shows plotly figures, AttentionView, and HTML "
                "that markupsafe.Markup marks as safe (build it with Markup('<b>{}</b>').format(text), which escapes)"
            )
        self.kinds.add(shown.kind)
        return shown

    def _heads(self, view: AttentionView) -> Embedded:
        return Embedded("heads", view.title, inert_json(view.properties()))

    def _plotly(self, name: str, figure: go.Figure) -> Embedded:
        data = json.loads(figure.to_json(engine="json") or "{}")
        layout = data["layout"]
        title = _plain(layout.pop("title", {}).get("text") or "")
        height, width = layout.get("height", 450), layout.get("width", 700)
        if title:
            layout["height"] = height = height - _TITLE_HEIGHT
            margin = layout.setdefault("margin", {})
            margin["t"] = max(margin.get("t", 100) - _TITLE_HEIGHT, 24)
        template = json.dumps(layout.pop("template", {}), sort_keys=True)
        layout["template"] = self.templates.setdefault(template, f"t{len(self.templates)}")
        content = inert_json({"data": data["data"], "layout": layout})
        return Embedded("plotly", title or name, content, int(width), int(height))

    def shared(self) -> Markup:
        """Return the templates by name, as inert JSON."""
        return inert_json({name: json.loads(template) for template, name in self.templates.items()})


def require_inert(fragment: Markup, *, what: str) -> None:
    """Refuse HTML that would run something, or load something from elsewhere.

    Raises: ValueError, naming the element or attribute.
    """
    reader = _Reader()
    reader.feed(str(fragment))
    reader.close()
    if reader.found:
        raise ValueError(f"{what} holds {reader.found[0]}; a page shows HTML that runs nothing and loads nothing")


@dataclass
class _Reader(HTMLParser):
    """Collects what is not inert."""

    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTIVE:
            self.found.append(f"the element <{tag}>")
        for name, value in attrs:
            self.found += _active_attribute(tag, name, (value or "").strip())


def _active_attribute(tag: str, name: str, value: str) -> Iterator[str]:
    if name.startswith("on"):
        yield f"the handler {name} of <{tag}>"
    elif (name in _ADDRESSES and not value.startswith(("#", "data:image/"))) or _FOREIGN.search(value):
        yield f"an address in {name} of <{tag}>"


def _plain(title: str) -> str:
    """Return the text of a plotly title, which may break lines and write `&lt;` for a bracket."""
    return visible(html.unescape(_BREAK.sub(" ", title)))
