"""Dataclasses of numbers and names as arrays, and back: how results go to disk."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

KeptT = TypeVar("KeptT")
_PLAIN = (bool, int, float, str)


def as_arrays(held: Any, prefix: str) -> dict[str, np.ndarray]:  # noqa: ANN401 - any dataclass of these
    """Return the fields of a dataclass as arrays, under a prefix; `None` becomes nothing."""
    if held is None:
        return {}
    found = {}
    for one in fields(held):
        value = getattr(held, one.name)
        kind = str if one.type == tuple[str, ...] else None
        found[f"{prefix}_{one.name}"] = value if isinstance(value, np.ndarray) else np.array(value, dtype=kind)
    return found


def from_arrays(cls: type[KeptT], prefix: str, arrays: Mapping[str, np.ndarray]) -> KeptT | None:
    """Rebuild what `as_arrays` was given; `None` if nothing of it is there."""
    names = [one.name for one in fields(cls)]  # ty: ignore[invalid-argument-type] - a dataclass, by the docstring
    if f"{prefix}_{names[0]}" not in arrays:
        return None
    values: dict[str, Any] = {}
    for one in fields(cls):  # ty: ignore[invalid-argument-type] - as above
        array = arrays[f"{prefix}_{one.name}"]
        if one.type == tuple[str, ...]:
            values[one.name] = tuple(map(str, array.tolist()))
        else:
            values[one.name] = array.item() if one.type in _PLAIN else array
    return cls(**values)


class KeptFields:
    """Base of dataclasses whose fields are kept by name, several to a result."""

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the fields under a prefix."""
        return as_arrays(self, prefix)

    @classmethod
    def from_arrays(cls: type[KeptT], prefix: str, arrays: Mapping[str, np.ndarray]) -> KeptT:
        """Rebuild from what `arrays` returned.

        Raises: KeyError, if it is not there; `from_arrays` of this module returns `None` then.
        """
        found = from_arrays(cls, prefix, arrays)
        if found is None:
            raise KeyError(f"no {cls.__name__} under {prefix!r}")
        return found
