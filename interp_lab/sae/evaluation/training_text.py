"""What is known of the text that an autoencoder was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interp_lab.sae.activations import TextConfig
from interp_lab.sae.activations.config import GRAMMAR
from interp_lab.sae.training import LoadedSae
from interp_lab.types import Codec

UNKNOWN = "not known"
OTHER = "other text"


def known_of_training(codec: Codec, measured: TextConfig) -> str:
    """Return whether a codec is known to be trained on other text than is measured on: `other text` or `not known`.

    Documents are divided by what they say: the train side of a division shares none with the held-out side, nor with
    that of a smaller held-out share, whatever was drawn and from whichever file.

    Raises: ValueError, if it was trained on text of the same source that was not divided like this.
    """
    text = _text_of(codec)
    if text is None:
        return UNKNOWN
    if text.part == "train" and measured.part == "held_out" and text.held_out_share >= measured.held_out_share:
        return OTHER
    same = _same_source(text.source, measured.source)
    if same:
        raise ValueError(
            f"this autoencoder was trained on part {text.part!r} of {text.source!r} (held_out_share "
            f"{text.held_out_share}), and would be measured on part {measured.part!r} ({measured.held_out_share}) of "
            "the same: measure on part 'held_out', with at most the share that training left out, or on other text"
        )
    return UNKNOWN if same is None else OTHER


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


def _text_of(codec: Codec) -> TextConfig | None:
    """Return the text that the record of a training names, if there is one."""
    if not isinstance(codec, LoadedSae) or codec.record is None:
        return None
    named: Any = codec.record.training.get("text")
    return TextConfig.from_mapping(named) if isinstance(named, Mapping) else None
