"""Edits by name: `paper=waxed` puts a word into a slot, `paper=waxed with seal=broken` two."""

from collections.abc import Iterable

Edit = tuple[tuple[str, str], ...]
"""Slots and what is put into each, sorted."""
_WITH = " with "


def edit_from(text: str) -> Edit:
    """Read an edit.

    Raises: ValueError, for what does not say slots and words, or a slot twice.
    """
    parts = [part.partition("=") for part in text.split(_WITH)]
    if not all(slot.strip() and equals and word.strip() for slot, equals, word in parts):
        raise ValueError(f"{text!r} names no edit; write SLOT=WORD, or SLOT=WORD with SLOT=WORD")
    found = sorted((slot.strip(), word.strip()) for slot, _, word in parts)
    if len({slot for slot, _ in found}) < len(found):
        raise ValueError(f"{text!r} puts two words into one slot; name each slot once")
    return tuple(found)


def edit_name(edit: Iterable[tuple[str, str]]) -> str:
    """Return what `edit_from` reads; nothing, for no edit."""
    return _WITH.join(f"{slot}={word}" for slot, word in sorted(edit))


def told(edit: Edit) -> str:
    """Return an edit in words."""
    return " and ".join(f"{word!r} for the {slot}" for slot, word in edit)
