"""The course: notebooks in percent format as pages of text and code."""

from pathlib import Path

import jupytext

_ABOUT = """# The course

Notebooks, in this order, that `make notebooks` runs from top to bottom (`notebooks/*.py`, jupytext's percent format:
open them in Jupyter, or in an editor that knows `# %%`). Here is their text and code; run them for the figures.

```{toctree}
:maxdepth: 1

"""


def course_pages(repository: Path) -> dict[str, str]:
    """Return the text of a page for each notebook, and of their list, by path."""
    notebooks = sorted((repository / "notebooks").glob("*.py"))
    listed = "\n".join(path.stem for path in notebooks)
    pages = {f"course/{path.stem}.md": _page(path) for path in notebooks}
    return {"course/index.md": f"{_ABOUT}{listed}\n```\n", **pages}


def _page(path: Path) -> str:
    cells = jupytext.read(path).cells
    return "\n\n".join(
        cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```" for cell in cells
    )
