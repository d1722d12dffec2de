"""A user's own trait: one JSON object a line, `#` before a comment.

Either `{"positive": TEXT, "negative": TEXT}`: two texts, from which a direction is made. Or `{"prompt": TEXT,
"positive": ANSWER, "negative": ANSWER}`: the texts are the prompt with either answer, and the prompt is what the effect
is measured on. `template` (the unit that intervals are clustered by; each line is its own without it) and `reserved`
(held out from everything that selects) may be added to both.

Source: Rimsky et al. 2023, arXiv 2312.06681 (contrast pairs of one prompt with two answers).
"""

from dataclasses import dataclass
from pathlib import Path

from interp_lab.folds import lines_shown, told
from interp_lab.tasks.keyed_lines import KeyedLine, keyed_lines

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
    """Read a user's trait, the lines that may be seen (see `folds`).

    Raises: ValueError, naming file and line, for malformed JSON, a missing or unknown key, a value that is empty or of
        the wrong type, two sides that are the same, or a file that is not there or holds no line.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; write one JSON object a line, with {' and '.join(REQUIRED)}")
    lines = [_line(line, path=path) for line in keyed_lines(path, required=REQUIRED, optional=OPTIONAL)]
    if not lines:
        raise ValueError(f"{path} holds no lines; write one JSON object a line, with {' and '.join(REQUIRED)}")
    shown = lines_shown([line.texts if line.prompt is None else (line.prompt,) for line in lines])
    if not any(shown):
        raise ValueError(f"{path} holds {len(lines)} lines, and none{told()}; give more, with other texts")
    return [line for line, kept in zip(lines, shown, strict=True) if kept]


def _line(line: KeyedLine, *, path: Path) -> TraitLine:
    entry, place = line.entry, line.place
    for key in (*REQUIRED, "prompt", "template"):
        if key in entry and not (isinstance(entry[key], str) and entry[key].strip()):
            raise ValueError(f"{place}: {key!r} must be text that is not empty, got {entry[key]!r}")
    if not isinstance(entry.get("reserved", False), bool):
        raise ValueError(f"{place}: 'reserved' must be true or false, got {entry['reserved']!r}")
    if entry["positive"] == entry["negative"]:
        raise ValueError(f"{place}: positive and negative are the same, {entry['positive']!r}; they must differ")
    return TraitLine(
        number=line.number,
        prompt=entry.get("prompt"),
        positive=entry["positive"],
        negative=entry["negative"],
        template=entry.get("template", f"{path.stem}/{line.number}"),
        reserved=entry.get("reserved", False),
    )
