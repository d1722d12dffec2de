"""What every page is built with: templates in which text stays text, style, scripts, and sections with figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from interp_lab.experiment import Section
from interp_lab.plots.inline import closed_script
from interp_lab.plots.text import visible
from interp_lab.reports import digest
from interp_lab.reports.cells import ShownTable, interval_text, number_text, p_text, shown_table
from interp_lab.reports.figures import Embedded, Embedder

HOME = "interp_lab.reports"


@dataclass(frozen=True)
class ShownSection:
    """A section of a result, ready for the page."""

    title: str
    causal: bool
    suggests: str
    does_not_show: str
    figures: tuple[Embedded, ...]
    tables: Mapping[str, ShownTable]


def shown_section(section: Section, embedder: Embedder) -> ShownSection:
    """Return a section with its figures embedded.

    Raises: as `Embedder.embed`.
    """
    return ShownSection(
        title=section.title,
        causal=section.causal,
        suggests=section.suggests,
        does_not_show=section.does_not_show,
        figures=tuple(embedder.embed(name, figure) for name, figure in section.figures.items()),
        tables={name: shown_table(table) for name, table in section.tables.items()},
    )


def own_facts(one: digest.Asked, shared: Mapping[str, str]) -> dict[str, str]:
    """Return where a result comes from, without what all results of the page share."""
    return {name: value for name, value in digest.origin_facts(one.result).items() if name not in shared}


def environment(*packages: str) -> jinja2.Environment:
    """Return the environment of a page's templates: those of the reports, and of other packages that make pages."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name, ".") for name in (HOME, *packages)]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_readable,
    )
    made.filters |= {
        "interval": interval_text,
        "number": number_text,
        "p": p_text,
        "split_label": digest.split_label,
        "by_result": digest.by_result,
    }
    return made


def scripts(embedder: Embedder, *own: str, bundle: str | None = None) -> list[Markup]:
    """Return the libraries that the figures need, each once, the script that draws them, and the page's own.

    Args:
        own: text of further scripts.
        bundle: of CircuitsVis, if it is there.
    """
    libraries = [get_plotlyjs()] if "plotly" in embedder.kinds else []
    libraries += [bundle] if "heads" in embedder.kinds and bundle is not None else []
    return [closed_script(script) for script in (*libraries, text_of("page.js"), *own)]


def text_of(name: str, package: str = HOME) -> str:
    """Return a file that lies beside a page's module: a style or a script."""
    return files(package).joinpath(name).read_text("utf-8")


def _readable(value: object) -> object:
    """Write out what would steer the display, in everything that is put on the page; what is marked safe stays."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
