"""A user's own pairs: one JSON object a line, `#` before a comment."""

import re
from pathlib import Path
from typing import Any

from interp_lab.folds import lines_shown, told
from interp_lab.organisms.grammar import Value
from interp_lab.runs import write_atomic
from interp_lab.tasks.alignment import TextPair
from interp_lab.tasks.keyed_lines import keyed_lines
from interp_lab.tasks.roles import GIVEN, Place

REQUIRED = ("clean", "corrupted", "answer", "wrong", "template")
OPTIONAL = ("corrupted_answer", "reserved", "latents", "roles")

TEMPLATE = Path(__file__).with_name("user_pairs.jsonl")
"""What `write_template` writes."""


def write_template(path: Path) -> None:
    """Write a commented example file.

    Raises: ValueError, for a name that does not end in .jsonl, if there is something at `path`, or no such folder.
    """
    if path.suffix != ".jsonl":
        raise ValueError(f"{path} does not end in .jsonl, by which a task file is known; use {path.stem}.jsonl")
    if path.exists():
        raise ValueError(f"{path} exists and is left alone; give another name")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}; make it first")
    write_atomic(path, TEMPLATE.read_bytes())


def read_pairs(path: Path) -> list[TextPair]:
    """Read a user's pairs, those that may be seen (see `folds`).

    Raises: ValueError, naming file and line, for malformed JSON, a missing or unknown key, a value of the wrong type,
        or a file that is not there or holds no pair.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; `interp-lab init-task {path}` writes one to start from")
    pairs = [_pair(line.entry, place=line.place) for line in keyed_lines(path, required=REQUIRED, optional=OPTIONAL)]
    if not pairs:
        raise ValueError(f"{path} holds no pairs; write one JSON object a line")
    shown = lines_shown([(pair.clean, pair.corrupted) for pair in pairs])
    if not any(shown):
        raise ValueError(
            f"{path} holds {len(pairs)} pairs, and none{told()}; give more, with other prompts: lines that share one "
            "are in one fold"
        )
    return [pair for pair, kept in zip(pairs, shown, strict=True) if kept]


def _pair(entry: dict[str, Any], *, place: str) -> TextPair:
    for key in ("clean", "corrupted", "template"):
        _require(isinstance(entry[key], str) and entry[key] != "", key, "text", entry[key], place)
    reserved, latents = entry.get("reserved", False), entry.get("latents", {})
    _require(isinstance(reserved, bool), "reserved", "true or false", reserved, place)
    _require(isinstance(latents, dict), "latents", "an object", latents, place)
    for name, value in latents.items():
        _require(isinstance(value, Value), f"latents.{name}", "text, a number, true or false", value, place)
    if entry["clean"] == entry["corrupted"]:
        raise ValueError(f"{place}: clean and corrupted are the same text, {entry['clean']!r}")
    return TextPair(
        clean=entry["clean"],
        corrupted=entry["corrupted"],
        answers=_words(entry, "answer", place),
        wrong=_words(entry, "wrong", place),
        template=entry["template"],
        corrupted_answers=_words(entry, "corrupted_answer", place) if "corrupted_answer" in entry else (),
        reserved=reserved,
        latents=latents,
        roles=_roles(entry, place),
    )


def _roles(entry: dict[str, Any], place: str) -> dict[str, Place]:
    """Return where in the clean prompt the texts of the roles stand."""
    clean, roles = entry["clean"], entry.get("roles", {})
    _require(isinstance(roles, dict), "roles", "an object", roles, place)
    found: dict[str, Place] = {}
    for name, text in roles.items():
        if name in GIVEN:
            raise ValueError(f"{place}: every prompt has the role {name!r} already; choose another name")
        _require(isinstance(text, str) and text.strip() != "", f"roles.{name}", "text", text, place)
        starts = [match.start() for match in re.finditer(f"(?={re.escape(text)})", clean)]
        if len(starts) != 1:
            raise ValueError(
                f"{place}: {text!r} of the role {name!r} stands {len(starts)} times in {clean!r} and must stand there "
                "once; copy it from there, with the words before it if need be"
            )
        found[name] = Place(starts[0], starts[0] + len(text.rstrip()))
    return found


def _words(entry: dict[str, Any], key: str, place: str) -> tuple[str, ...]:
    value = entry[key]
    words = [value] if isinstance(value, str) else value
    is_text = isinstance(words, list) and bool(words) and all(isinstance(word, str) and word for word in words)
    _require(is_text, key, "text or a list of texts", value, place)
    return tuple(words)


def _require(condition: bool, key: str, kind: str, got: object, place: str) -> None:
    if not condition:
        raise ValueError(f"{place}: {key!r} must be {kind}, got {got!r}")
