"""A user's own queries, sources and answers: one JSON object a line, `#` before a comment."""

from pathlib import Path
from typing import Any

from interp_lab.folds import lines_shown, told
from interp_lab.production.sources.prompts import SourcedText, found_in, put_together
from interp_lab.tasks.keyed_lines import keyed_lines

REQUIRED = ("query", "sources")
OPTIONAL = ("answer", "prompt", "relevant", "template", "reserved")


def read_sourced(path: Path) -> list[SourcedText]:
    """Read queries with their sources, those that may be seen (see `folds`).

    `answer` is what is asked about (left out: what the model answers), `prompt` the whole prompt, in which the sources
    stand word for word (left out: the sources, one a line, and the query), `relevant` the number of the source, from 0,
    that the answer is known to come from, `template` what intervals take to belong together.

    Raises: ValueError, naming file and line, for malformed JSON, a missing or unknown key, a value of the wrong type, a
        source that is not in the prompt, or a file that is not there or holds nothing that may be seen.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; write one JSON object a line, with {', '.join(REQUIRED)}")
    found = [_text(line.entry, line.place) for line in keyed_lines(path, required=REQUIRED, optional=OPTIONAL)]
    shown = lines_shown([(one.prompt,) for one in found])
    if not any(shown):
        raise ValueError(f"{path} holds {len(found)} prompts, and none{told()}; give more")
    return [one for one, kept in zip(found, shown, strict=True) if kept]


def _text(entry: dict[str, Any], place: str) -> SourcedText:
    query, sources, answer = entry["query"], entry["sources"], entry.get("answer")
    _require(isinstance(query, str) and query.strip() != "", "query", "text", query, place)
    are_texts = isinstance(sources, list) and all(isinstance(one, str) for one in sources)
    _require(are_texts, "sources", "a list of texts", sources, place)
    _require(answer is None or isinstance(answer, str), "answer", "text", answer, place)
    relevant, prompt = entry.get("relevant"), entry.get("prompt")
    is_one = isinstance(relevant, int) and not isinstance(relevant, bool) and 0 <= relevant < len(sources)
    _require(relevant is None or is_one, "relevant", f"a number from 0 to {len(sources) - 1}", relevant, place)
    _require(prompt is None or isinstance(prompt, str), "prompt", "text", prompt, place)
    template, reserved = entry.get("template", ""), entry.get("reserved", False)
    _require(isinstance(template, str), "template", "text", template, place)
    _require(isinstance(reserved, bool), "reserved", "true or false", reserved, place)
    try:
        if prompt is None:
            prompt, spans = put_together(query, sources)
        else:
            spans = found_in(prompt, sources)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    return SourcedText(prompt, spans, query, answer, relevant, template, reserved)


def _require(condition: bool, key: str, kind: str, got: object, place: str) -> None:
    if not condition:
        raise ValueError(f"{place}: {key!r} must be {kind}, got {got!r}")
