"""How docstrings are read: house style, which is nearly that of Google, as reStructuredText."""

import inspect
import re
from collections.abc import Sequence
from typing import Any

from sphinx.application import Sphinx

_SECTION = re.compile(r"^(\s*)(Args|Returns|Raises|Yields|Source|Shape|Shapes):(?: (\S.*))?$")
_ARGUMENT = re.compile(r"^\*{0,2}(\w+): ")
_CODE = re.compile(r"(?<![`:\\])`([^`]+)`(?![`_])")
_BAR = re.compile(r"\|(?=[^`\n]*(?:`[^`\n]*`[^`\n]*)*$)", re.MULTILINE)
"""A bar outside of code, which would begin a substitution."""
_BOUND = re.compile(r"[\s.,;:!?)\]}'\"/>-]|$")
"""What reStructuredText wants behind code."""


def told(text: str) -> str:
    """Return text of a docstring or a config's field as reStructuredText on one line."""
    return " ".join(marked(text).split())


def marked(text: str) -> str:
    """Return text with its `code` marked so that letters may touch it, as in plurals."""
    text = _BAR.sub(r"\\|", text)

    def code(found: re.Match[str]) -> str:
        behind = text[found.end() : found.end() + 1]
        before = text[found.start() - 1 : found.start()]
        left = "" if not before or re.match(r"[\s(\[{'\"/<:-]", before) else "\\ "
        return f"{left}``{found[1]}``{'' if _BOUND.match(behind) else chr(92) + ' '}"

    return _CODE.sub(code, text)


def as_fields(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,  # noqa: ANN401 - whatever has a docstring
    options: Any,  # noqa: ANN401 - Sphinx's own
    lines: list[str],
) -> None:
    """Make fields of `Args:`, and paragraphs of `Raises: what follows, and goes on indented`.

    In place of napoleon, which knows headings alone on their line, and takes what stands before a colon in the first
    line of an attribute for its type.
    """
    given, made, at = marked("\n".join(lines)).split("\n"), list[str](), 0
    while at < len(given):
        section = _SECTION.match(given[at])
        at += 1
        if section is None:
            made.append(given[at - 1])
            continue
        block: list[str] = []
        while at < len(given) and given[at].startswith(f"{section[1]}  "):
            block.append(given[at])
            at += 1
        made += ["", *(f"{section[1]}{line}" for line in _section(section[2], section[3], block)), ""]
    lines[:] = made


def _section(name: str, text: str | None, block: Sequence[str]) -> list[str]:
    if text is not None:
        return [f"**{name}:** {' '.join([text, *(line.strip() for line in block)])}"]
    indent = min(len(line) - len(line.lstrip()) for line in block)
    items: list[str] = []
    for line in block:
        if line[indent] == " ":
            items[-1] += f" {line.strip()}"
        else:
            items.append(line.strip())
    if name == "Args":
        return [_ARGUMENT.sub(r":param \1: ", item) for item in items]
    return [f"**{name}:**", "", *(f"- {item}" for item in items)]


def without_signature(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,  # noqa: ANN401 - as above
    options: Any,  # noqa: ANN401 - as above
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None] | None:
    """Leave out the signature of a config, whose table says more, and of what nobody constructs."""
    from pydantic import BaseModel

    if what == "class" and isinstance(obj, type) and issubclass(obj, BaseModel):
        return "", None
    return None


def without_foreign(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:  # noqa: ANN401 - as above
    """Leave out methods that a library has put into a class of ours."""
    is_foreign = inspect.isroutine(obj) and not str(getattr(obj, "__module__", "")).startswith("interp_lab")
    return True if what == "class" and is_foreign else None


def heading(text: str, mark: str = "=") -> list[str]:
    """Return a heading with its line."""
    return [text, mark * len(text), ""]


def first_sentence(text: str | None) -> str:
    """Return the first paragraph of a docstring's first sentence, on one line; empty without a docstring."""
    paragraph = (text or "").strip().split("\n\n")[0]
    return told(paragraph.split(". ")[0]).removesuffix(".")


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, widths: Sequence[int]) -> list[str]:
    """Return a table whose cells are reStructuredText on one line each; nothing without rows."""
    if not rows:
        return []
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}", ""]
    for row in (titles, *rows):
        lines += [f"   {'*' if nth == 0 else ' '} - {cell}" for nth, cell in enumerate(row)]
    return [*lines, ""]
