"""One pass over text: everything that is kept of every feature, written to a folder."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch

from interp_lab.experiment import Progress, silent
from interp_lab.hooks import device_of
from interp_lab.models import identity_of
from interp_lab.sae.activations.config import ActivationsConfig
from interp_lab.sae.activations.reading import Piece, pieces, widths
from interp_lab.sae.features.config import DescribeConfig
from interp_lab.sae.features.dictionary import Dictionary
from interp_lab.sae.features.events import Events, events_of
from interp_lab.sae.features.gathered import Gathered, gathering
from interp_lab.sae.features.tables import FeatureTables, write_features
from interp_lab.tasks import Document
from interp_lab.types import HookedModel

MOST_WINDOWS = 32
"""Windows in one forward pass."""


def read_text(dictionary: Dictionary, config: DescribeConfig, *, n_windows: int) -> ActivationsConfig:
    """Return how text is read for a dictionary."""
    return ActivationsConfig(
        hooks=(dictionary.hook,), text=config.text, n_tokens=config.n_tokens, dtype="float32", windows_at_once=n_windows
    )


def gather(
    model: HookedModel,
    dictionary: Dictionary,
    config: DescribeConfig,
    *,
    documents: Sequence[Document] | None = None,
    progress: Progress = silent,
) -> Gathered:
    """Read text once: the model runs once and the codec encodes once for every batch of windows.

    Memory does not grow with the text: see `DescribeConfig` for what it grows with.

    Args:
        documents: read these, in place of the text that the config names.

    Raises: ValueError, for text that there is not or too little of it, an unknown hook point, or latents that are NaN,
        inf or negative; NonFiniteActivationError, naming batch, hook point and layer.
    """
    every = range(config.sections)
    sections = gather_sections(model, dictionary, config, every, documents=documents, progress=progress)
    return joined(found for _, found in sections)


def joined(sections: Iterable[Gathered]) -> Gathered:
    """Return what sections that follow each other make together; the first one is changed."""
    following = iter(sections)
    found = next(following)
    for later in following:
        found.join(later)
    return found


def gather_sections(
    model: HookedModel,
    dictionary: Dictionary,
    config: DescribeConfig,
    wanted: Sequence[int],
    *,
    documents: Sequence[Document] | None = None,
    progress: Progress = silent,
) -> Iterator[tuple[int, Gathered]]:
    """Yield what each of some sections of the text leaves, in order; the model reads those sections alone.

    A section ends where a batch of windows does. Raises: as `gather`.
    """
    reading = read_text(dictionary, config, n_windows=windows_at_once(model, dictionary, config))
    widths(model, reading.hooks)
    waiting, n_rows = sorted(wanted), 0
    found = gathering(dictionary.n_latents, config)
    for piece in pieces(model, reading, documents=documents):
        number = n_rows * config.sections // config.n_tokens if config.n_tokens else 0
        while waiting and waiting[0] < number:
            yield waiting.pop(0), found
            found = gathering(dictionary.n_latents, config)
        if not waiting:
            return
        if number == waiting[0] and len(piece.labels):
            found.take(_events(model, dictionary, reading, piece), seed=config.seed)
        n_rows += len(piece.labels)
        progress(n_rows, config.n_tokens or n_rows, "reading text")
    for number in waiting:
        yield number, found
        found = gathering(dictionary.n_latents, config)


def windows_at_once(model: HookedModel, dictionary: Dictionary, config: DescribeConfig) -> int:
    """Return how many windows make a batch."""
    length = config.text.length or int(model.cfg.n_ctx)
    return max(1, min(MOST_WINDOWS, config.batch_bytes // (4 * dictionary.n_latents * length)))


def _events(model: HookedModel, dictionary: Dictionary, reading: ActivationsConfig, piece: Piece) -> Events:
    """Return where latents are active in a batch."""
    with torch.inference_mode():
        activations = piece.activations(model, reading)[dictionary.hook].to(device_of(model))
        return events_of(dictionary.encode(activations, what=f"batch {piece.number}"), piece.labels)


def describe_features(
    model: HookedModel,
    dictionary: Dictionary,
    config: DescribeConfig,
    *,
    folder: str | Path,
    documents: Sequence[Document] | None = None,
    found: Gathered | None = None,
    progress: Progress = silent,
) -> Gathered:
    """Describe every feature of a dictionary on text, and write what was found to a folder; see `FeatureStore`.

    Args:
        found: what was gathered before, in place of reading the text now.

    Raises: as `gather`; OSError, if the disk is full.
    """
    if found is None:
        found = gather(model, dictionary, config, documents=documents, progress=progress)
    write_features(folder, FeatureTables.of(model, dictionary, config, found), identity=identity_of(model))
    return found
