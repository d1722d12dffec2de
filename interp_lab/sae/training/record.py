"""What we keep beside SAE Lens's files: where an autoencoder belongs, and where it came from."""

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveInt

from interp_lab.config import Config
from interp_lab.runs.files import Fingerprint

RECORD = "interp_lab.json"
"""Written last: a folder without it is not one of ours, or was not finished."""


class SaeRecord(Config):
    """Content of `interp_lab.json`."""

    format: PositiveInt = 1
    """Raised when an older interp_lab could not read a newer file."""
    name: str
    hook: str
    model: Mapping[str, Any]
    """As `ModelIdentity.as_dict` gives it."""
    provenance: Mapping[str, Any]
    """As `Provenance.as_dict` gives it."""
    training: Mapping[str, Any]
    """Config of the whole training; `text` where it is known what it was on, and `fold` where it was on one alone."""
    metrics: Mapping[str, float]
    """Of the last training batch."""
    dead: Mapping[str, Any]
    """Dead latents at the end, with the criterion."""
    calibration: Mapping[str, Any] | None
    """Of the threshold, where there is one."""
    files: dict[str, Fingerprint]
    """The other files, by name."""
