"""Measurements as arrays and back: numbers as they are, names as text."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np


def to_arrays(one: Any, prefix: str) -> dict[str, np.ndarray]:  # noqa: ANN401 - any dataclass of these
    """Return the fields of a dataclass of arrays, numbers, texts and tuples of texts, by name behind a prefix."""
    held = {field.name: getattr(one, field.name) for field in fields(one)}
    return {
        f"{prefix}_{name}": np.array(value, dtype=str) if isinstance(value, tuple) else np.array(value)
        for name, value in held.items()
    }


def from_arrays(kind: Any, prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:  # noqa: ANN401 - its class
    """Return the fields of a dataclass from what `to_arrays` made of one."""
    return {field.name: _plain(arrays[f"{prefix}_{field.name}"]) for field in fields(kind)}


def _plain(value: np.ndarray) -> Any:  # noqa: ANN401 - what the field holds
    if value.ndim == 0:
        return value.item()
    return tuple(map(str, value)) if value.dtype.kind == "U" else value
