"""What checkpoints of any training have in common: they are continued from with the config they were made with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class CheckpointError(ValueError):
    """A checkpoint that cannot be written, or cannot be continued from; the message says why and what to do."""


def require_same(stored: Mapping[str, Any], given: Mapping[str, Any], *, path: Path) -> None:
    """Refuse to go on from a checkpoint that was made with other values.

    Args:
        stored: flat, as read from the checkpoint.
        given: flat, those of now.

    Raises: CheckpointError, with every key that differs, its old value and the new.
    """
    plain = json.loads(json.dumps(dict(given)))
    differing = sorted(key for key in stored.keys() | plain.keys() if stored.get(key) != plain.get(key))
    if differing:
        told = "; ".join(f"{key}: {stored.get(key)!r}, now {plain.get(key)!r}" for key in differing)
        raise CheckpointError(
            f"{path} was made with another config ({told}); resume with the old values or train into a new folder"
        )
