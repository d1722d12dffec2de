"""What is known of the text that an autoencoder was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interp_lab.folds import seen_now
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.activations.config import GRAMMAR
from interp_lab.sae.training import LoadedSae
from interp_lab.types import Codec

UNKNOWN = "not known"
OTHER = "other text"


def known_of_training(codec: Codec, measured: TextConfig) -> str:
    """Return whether a codec is known to be trained on other text than is measured on: `other text` or `not known`.

    Documents are divided by what they say, twice: the train side of a division shares none with the held-out side, nor
    with that of a smaller held-out share, and one fold (of those in which training and measuring read) none with the
    other, whatever was drawn and from whichever file. That holds of documents that are cut alike.

    Raises: ValueError, if it was trained on text of the same source that was not divided like this.
    """
    text, fold = _read_by(codec)
    if text is None:
        return UNKNOWN
    same, alike = _same_source(text.source, measured.source), _cut_alike(text, measured)
    if alike and (_on_other_sides(text, measured) or {fold, seen_now()} == {"search", "held_out"}):
        return OTHER
    if same:
        raise ValueError(
            f"this autoencoder was trained on part {text.part!r} of {text.source!r} (held_out_share "
            f"{text.held_out_share}, fold {fold!r}), and would be measured on part {measured.part!r} "
            f"({measured.held_out_share}, fold {seen_now()!r}) of the same: measure on part 'held_out', with at most "
            "the share that training left out, or on other text"
            + ("" if alike else f"; and in the same documents, column {text.column!r} and unit {text.unit!r}")
        )
    return UNKNOWN if same is None else OTHER


def _on_other_sides(text: TextConfig, measured: TextConfig) -> bool:
    return text.part == "train" and measured.part == "held_out" and text.held_out_share >= measured.held_out_share


def _cut_alike(one: TextConfig, other: TextConfig) -> bool:
    """Return whether what is a document in one text is one in the other."""
    return GRAMMAR in (one.source, other.source) or (one.column, one.unit) == (other.column, other.unit)


def _same_source(one: str, other: str) -> bool | None:
    """Return whether two names are of one text; `None` where that cannot be told from here.

    A file that is not there may have been named from another folder, and a folder holds what its files do.
    """
    if one == other or GRAMMAR in (one, other):
        return one == other
    first, second = Path(one).resolve(), Path(other).resolve()
    if first == second:
        return True
    nested = first in second.parents or second in first.parents
    return None if nested or not (first.exists() and second.exists()) else False


def _read_by(codec: Codec) -> tuple[TextConfig | None, str]:
    """Return the text that the record of a training names, if there is one, and the fold that was read of it."""
    if not isinstance(codec, LoadedSae) or codec.record is None:
        return None, "all"
    training: Any = codec.record.training
    named = training.get("text")
    return TextConfig.from_mapping(named) if isinstance(named, Mapping) else None, str(training.get("fold", "all"))
