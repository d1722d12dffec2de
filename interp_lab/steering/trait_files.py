"""A user's own trait: one JSON object a line, `#` before a comment.

Either `{"positive": TEXT, "negative": TEXT}`: two texts, from which a direction is made. Or `{"prompt": TEXT,
"positive": ANSWER, "negative": ANSWER}`: the texts are the prompt with either answer, and the prompt is what the effect
is measured on. `template` (the unit that intervals are clustered by; each line is its own without it) and `reserved`
(held out from everything that selects) may be added to both.

Source: Rimsky et al. 2023, arXiv 2312.06681 (contrast pairs of one prompt with two answers).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interp_lab.tasks.streams import json_object, numbered_lines
from interp_lab.types import nearest

REQUIRED = ("positive", "negative")
OPTIONAL = ("prompt", "template", "reserved")


@dataclass(frozen=True)
class TraitLine:
    """One line of a file."""

    number: int
    """In the file, from 1."""
    prompt: str | None
    """What both answers stand behind; `None` if the line is two whole texts."""
    positive: str
    """Answer or text."""
    negative: str
    template: str
    reserved: bool

    @property
    def texts(self) -> tuple[str, str]:
        """The two texts of the contrast, answers included."""
        before = self.prompt or ""
        return before + self.positive, before + self.negative


def read_trait(path: Path) -> list[TraitLine]:
    """Read a user's trait.

    Raises: ValueError, naming file and line, for malformed JSON, a missing or unknown key, a value that is empty or of
        the wrong type, two sides that are the same, or a file that is not there or holds no line.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; write one JSON object a line, with {' and '.join(REQUIRED)}")
    lines = [
        _line(json_object(line, place=f"{path}:{number}"), path=path, number=number)
        for number, line in numbered_lines(path)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise ValueError(f"{path} holds no lines; write one JSON object a line, with {' and '.join(REQUIRED)}")
    return lines


def _line(entry: dict[str, Any], *, path: Path, number: int) -> TraitLine:
    place = f"{path}:{number}"
    for key in entry:
        if key not in (*REQUIRED, *OPTIONAL):
            raise ValueError(
                f"{place}: unknown key {key!r}{nearest(key, (*REQUIRED, *OPTIONAL))}; use {', '.join(REQUIRED)} and, "
                f"if need be, {', '.join(OPTIONAL)}"
            )
    for key in REQUIRED:
        if key not in entry:
            raise ValueError(f"{place}: no {key!r}; every line needs {' and '.join(REQUIRED)}")
    for key in (*REQUIRED, "prompt", "template"):
        if key in entry and not (isinstance(entry[key], str) and entry[key].strip()):
            raise ValueError(f"{place}: {key!r} must be text that is not empty, got {entry[key]!r}")
    if not isinstance(entry.get("reserved", False), bool):
        raise ValueError(f"{place}: 'reserved' must be true or false, got {entry['reserved']!r}")
    if entry["positive"] == entry["negative"]:
        raise ValueError(f"{place}: positive and negative are the same, {entry['positive']!r}; they must differ")
    return TraitLine(
        number=number,
        prompt=entry.get("prompt"),
        positive=entry["positive"],
        negative=entry["negative"],
        template=entry.get("template", f"{path.stem}/{number}"),
        reserved=entry.get("reserved", False),
    )
