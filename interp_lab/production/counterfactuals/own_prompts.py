"""A user's own prompts: one JSON object a line, `#` before a comment.

```json
{"prompt": "Anna of Westfield earns little. The loan was", "answers": [" approved", " rejected"],
 "template": "earns", "slots": {"town": ["Eastgate", "Westfield"], "income": ["little", "enough", "much"]}}
```
Each on one line. `slots` names attributes, with the values that they may take; the one that stands in the prompt is
among them. Lines of one `template` are one independent unit; `reserved: true` holds a line out from everything that
chooses. Attributes mean the same on every line that has them.
"""

from pathlib import Path

from interp_lab.folds import lines_shown, open_templates, told
from interp_lab.production.counterfactuals.cases import Case, own_case
from interp_lab.tasks.keyed_lines import KeyedLine, keyed_lines

REQUIRED = ("prompt", "answers", "template")
OPTIONAL = ("slots", "reserved")


def read_prompts(path: Path, *, reserved: bool) -> list[Case]:
    """Read the prompts of one kind that may be seen (see `folds`).

    Raises: ValueError, naming file and line, for malformed JSON, a key that is missing, unknown or of the wrong type, a
        slot whose value is not in the prompt, or a file that is not there; FoldError, for reserved lines where they are
        closed.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; write one JSON object a line, with {', '.join(REQUIRED)}")
    kind = open_templates(reserved)
    lines = keyed_lines(path, required=REQUIRED, optional=OPTIONAL)
    cases = [(_case(line), line.entry.get("reserved", False)) for line in lines]
    shown = lines_shown([(case.words.text,) for case, _ in cases])
    return [case for (case, apart), kept in zip(cases, shown, strict=True) if kept and apart is kind]


def own_cases(path: Path, n: int, *, reserved: bool, skip: int = 0) -> list[Case]:
    """Return `n` prompts of a file behind the first ones.

    Raises: ValueError, if there are not so many, or as `read_prompts`.
    """
    every = read_prompts(path, reserved=reserved)
    if skip + n > len(every):
        kind = "reserved" if reserved else "ordinary"
        raise ValueError(
            f"{path} holds {len(every)} {kind} prompts{told()}, and {skip + n} are asked for; lower "
            f"{'n_held_out (or set it to null)' if reserved else 'n_select and n_report'}"
        )
    return every[skip : skip + n]


def _case(line: KeyedLine) -> Case:
    entry, place = line.entry, line.place
    slots, reserved = entry.get("slots", {}), entry.get("reserved", False)
    for key in ("prompt", "template"):
        _require(isinstance(entry[key], str) and entry[key] != "", key, "text", entry[key], place)
    _require(_texts(entry["answers"]), "answers", "a list of texts", entry["answers"], place)
    _require(isinstance(reserved, bool), "reserved", "true or false", reserved, place)
    whole = isinstance(slots, dict) and all(_texts(values) for values in slots.values())
    _require(whole, "slots", "an object of lists of texts", slots, place)
    try:
        return own_case(entry["prompt"], entry["answers"], slots, template=entry["template"])
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error


def _texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) and one for one in value)


def _require(condition: bool, key: str, kind: str, got: object, place: str) -> None:
    if not condition:
        raise ValueError(f"{place}: {key!r} must be {kind}, got {got!r}")
