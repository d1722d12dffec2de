"""Writes the pages that come from the code, and settles how docstrings are read: an extension of Sphinx."""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from docs.pages.api import api_pages
from docs.pages.commands import command_pages
from docs.pages.course import course_pages
from docs.pages.docstrings import as_fields, without_foreign, without_signature
from docs.pages.experiments import experiment_pages
from docs.pages.references import plain_where_it_exists

WRITTEN = ("reference", "course")
"""Folders that hold nothing but what is written here; git does not know them."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect everything; called by Sphinx."""
    app.connect("builder-inited", _write)
    app.connect("autodoc-process-docstring", as_fields)
    app.connect("autodoc-process-signature", without_signature)
    app.connect("autodoc-skip-member", without_foreign)
    app.connect("missing-reference", plain_where_it_exists)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write(app: Sphinx) -> None:
    docs = Path(app.srcdir)
    made = {**experiment_pages(docs.parent), **api_pages(), **command_pages(), **course_pages(docs.parent)}
    for folder in WRITTEN:
        for path in (docs / folder).rglob("*.*"):
            if path.relative_to(docs).as_posix() not in made:
                path.unlink()
    for name, text in made.items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:  # what has not changed is not read again
            path.write_text(text)
