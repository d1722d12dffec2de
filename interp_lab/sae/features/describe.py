"""One pass over text: everything that is kept of every feature, written to a folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from interp_lab.experiment import Progress, silent
from interp_lab.hooks import device_of
from interp_lab.models import identity_of
from interp_lab.sae.activations.config import ActivationsConfig
from interp_lab.sae.activations.reading import pieces, widths
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
    length = config.text.length or int(model.cfg.n_ctx)
    n_windows = max(1, min(MOST_WINDOWS, config.batch_bytes // (4 * dictionary.n_latents * length)))
    reading = read_text(dictionary, config, n_windows=n_windows)
    widths(model, reading.hooks)
    found = gathering(dictionary.n_latents, config)
    for batch in batches(model, dictionary, reading, documents=documents):
        found.take(batch, seed=config.seed)
        progress(found.moments.n_tokens, config.n_tokens or found.moments.n_tokens, "reading text")
    return found


def batches(
    model: HookedModel,
    dictionary: Dictionary,
    reading: ActivationsConfig,
    *,
    documents: Sequence[Document] | None,
) -> Iterator[Events]:
    """Yield where latents are active, batch by batch."""
    for piece in pieces(model, reading, documents=documents):
        if not len(piece.labels):
            continue
        with torch.inference_mode():
            activations = piece.activations(model, reading)[dictionary.hook].to(device_of(model))
            latents = dictionary.encode(activations, what=f"batch {piece.number}")
        yield events_of(latents, piece.labels)


def describe_features(
    model: HookedModel,
    dictionary: Dictionary,
    config: DescribeConfig,
    *,
    folder: str | Path,
    documents: Sequence[Document] | None = None,
    progress: Progress = silent,
) -> Gathered:
    """Describe every feature of a dictionary on text, and write what was found to a folder; see `FeatureStore`.

    Raises: as `gather`; OSError, if the disk is full.
    """
    found = gather(model, dictionary, config, documents=documents, progress=progress)
    write_features(folder, FeatureTables.of(model, dictionary, config, found), identity=identity_of(model))
    return found
