"""`@NAME` in the config of a step: the run folder of an earlier one."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

STEPS = "steps"
"""Folder of the steps' runs within that of the investigation."""
_REFERENCE = re.compile(r"@(?P<name>[a-z0-9][a-z0-9_-]*)")


def references_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - plain data
    """Yield the names of the steps that a config refers to."""
    if isinstance(value, Mapping):
        for inside in value.values():
            yield from references_in(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from references_in(inside)
    elif isinstance(value, str) and (found := _REFERENCE.fullmatch(value)):
        yield found["name"]


def resolved(value: Any, folder: Path) -> Any:  # noqa: ANN401 - plain data
    """Return a config with every reference replaced by the run folder that it means.

    Args:
        folder: of the investigation.
    """

    def meant(text: str) -> str:
        found = _REFERENCE.fullmatch(text)
        return text if found is None else str(step_folder(folder, found["name"]))

    return _with_texts(value, meant)


def unresolved(value: Any, folder: Path) -> Any:  # noqa: ANN401 - plain data
    """Return a config with references in place of the run folders of steps: the same wherever that folder lies."""
    return _with_texts(value, lambda text: f"@{Path(text).name}" if Path(text).parent == folder / STEPS else text)


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - plain data
    if isinstance(value, Mapping):
        return {key: _with_texts(inside, change) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_with_texts(inside, change) for inside in value]
    return change(value) if isinstance(value, str) else value


def step_folder(folder: Path, name: str) -> Path:
    """Return the run folder of a step."""
    return folder / STEPS / name
