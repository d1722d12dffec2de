"""One self-contained page to read features by: search, sort, filter, and each feature's evidence, drawn on demand.

The data are inert JSON; only the rows in view and the open feature stand in the document, so that thousands of features
open at once. The content security policy admits the page's one script by its hash, and no request leaves the page.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from interp_lab.plots.inline import closed_script, inert_json, policy, require_page_path
from interp_lab.plots.text import visible
from interp_lab.runs import write_atomic
from interp_lab.sae.dashboard.latents import chosen_latents
from interp_lab.sae.dashboard.packing import MEASURES, Shown, packed
from interp_lab.sae.features import About, FeatureStore
from interp_lab.sae.naming.heuristic import heuristic_labels

DENSE = 0.1
"""Share of tokens from which the page's filter calls a feature dense."""
SCRIPTS = ("drawing.js", "feature.js", "listing.js")
"""Joined into one, in this order."""


def render_dashboard(
    store: FeatureStore,
    *,
    latents: Sequence[int] | None = None,
    labels: Mapping[int, str] | None = None,
    title: str = "Features",
    shown: Shown | None = None,
) -> str:
    """Return the page as HTML text.

    Args:
        latents: which are on the page; `None` takes all.
        labels: by latent, those of people or of an explainer; the others get `heuristic_label`, marked as such.
        shown: how many examples, tokens and neighbours each has.

    Raises: ValueError, for latents or labels of latents that there are not.
    """
    chosen = chosen_latents(store, latents)
    given = dict(labels or {})
    stray = sorted(set(given) - set(range(store.n_latents)))
    if stray:
        raise ValueError(f"a label is for latent {stray[0]}, and {store.folder} has 0 to {store.n_latents - 1}")
    unnamed = [latent for latent in chosen if latent not in given]
    named = heuristic_labels(store, unnamed) | given
    data = packed(store, chosen, labels=named, shown=shown or Shown())
    data["heuristic"] = [int(latent not in given) for latent in chosen]
    data |= {"measures": dict(MEASURES), "dense": DENSE, "width": store.n_latents}
    script = closed_script("\n".join(_file(name) for name in SCRIPTS))
    return _environment().get_template("page.html.j2").render(
        title=title,
        facts=_facts(store.about, len(chosen)),
        dense=f"{DENSE:.0%}",
        has_heuristics=bool(unnamed),
        style=Markup(_file("page.css")),
        data=inert_json(data),
        script=script,
        policy=policy([script]),
    )  # fmt: skip


def write_dashboard(
    store: FeatureStore,
    path: Path,
    *,
    latents: Sequence[int] | None = None,
    labels: Mapping[int, str] | None = None,
    title: str = "Features",
    shown: Shown | None = None,
) -> Path:
    """Write `render_dashboard` to a file, by temporary name and rename, and return its path.

    Raises: as `render_dashboard`; ValueError, if the path does not end in `.html` or is a folder. Nothing is written.
    """
    require_page_path(path)
    page = render_dashboard(store, latents=latents, labels=labels, title=title, shown=shown)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, page.encode("utf-8"))
    return path


def _facts(about: About, n_shown: int) -> dict[str, str]:
    width = f"{n_shown:,} of {about.n_latents:,}" if n_shown < about.n_latents else f"{n_shown:,}"
    source = str(about.text.get("source", ""))
    part = str(about.text.get("part", ""))
    return {
        "features": f"{width} {'neurons' if about.kind == 'neurons' else 'latents'} of {Path(about.sae).name}",
        "model": f"{about.model.get('name', '')} at {about.hook}",
        "text": f"{about.n_tokens:,} tokens of {about.n_documents:,} documents"
        + (f" ({', '.join(word for word in (source, part) if word)})" if source or part else ""),
        "made": about.created[:10],
    }


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("interp_lab.sae.dashboard", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )


def _file(name: str) -> str:
    return files("interp_lab.sae.dashboard").joinpath(name).read_text("utf-8")
