"""Files of one's own that steps read: large enough for the test of what is found in them, and the same to the end.

Which fold a line is in follows from its texts and from the lines that share one with it (`folds.lines_shown`). A line
that is added, or taken away, while an investigation goes on may bring lines that were searched into its test.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from interp_lab.config import Config
from interp_lab.effects.config import PairsConfig
from interp_lab.folds import visible
from interp_lab.seals import digest_of
from interp_lab.tasks.user import read_pairs

SUFFIX = ".jsonl"


def digests_of(configs: Iterable[Config]) -> dict[str, str]:
    """Return the SHA-256 of every file of lines that configs name, by its path as it stands there."""
    named = {text for one in configs for text in _texts_in(one.as_dict()) if text.endswith(SUFFIX)}
    return {name: digest_of(Path(name)) for name in sorted(named) if Path(name).is_file()}


def problems_of_pairs(config: Config) -> Iterator[str]:
    """Yield where a file of pairs has too few that are held out, so that this is known before the search, not after."""
    if not (isinstance(config, PairsConfig) and config.task.endswith(SUFFIX) and Path(config.task).is_file()):
        return
    try:
        with visible("held_out"):
            pairs = read_pairs(Path(config.task))
    except ValueError as error:
        yield str(error)
        return
    for key, reserved in (("n_pairs", False), ("n_held_out", True)):
        wanted = getattr(config, key)
        there = len({(pair.clean, pair.corrupted) for pair in pairs if pair.reserved is reserved})
        if wanted is not None and wanted > there:
            kind, null = ("reserved", " or to null") if reserved else ("ordinary", "")
            yield (
                f"{key}={wanted}, and of the lines of {config.task} that are held out for the test (a third) {there} "
                f"are different {kind} pairs; set {key} to {there} at most{null}, or add pairs"
            )


def _texts_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - plain data
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts_in(one)
