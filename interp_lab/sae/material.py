"""Activations of a training run: to train on, and others to calibrate on; none of them of text that is judged on."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from interp_lab.experiment import Progress, silent
from interp_lab.sae.activations import (
    ActivationStore,
    StreamedActivations,
    TextConfig,
    find_or_write_store,
    hold_activations,
    require_disjoint,
    stream_activations,
)
from interp_lab.sae.activations.documents import documents_of, side_of
from interp_lab.sae.activations.reading import TooLittleTextError
from interp_lab.sae.config import SaeTrainingConfig
from interp_lab.sae.evaluation.fitting import reading_config
from interp_lab.sae.source import ActivationSource
from interp_lab.sae.training import HeldOut
from interp_lab.tasks import Document
from interp_lab.types import HookedModel

ACTIVATIONS = "activations"
"""Folder of a run that keeps its activations until the training is done."""
_FIRST = 256
"""Documents that are tried first; twice as many each time that they are too few."""


@dataclass(frozen=True)
class Material:
    """What autoencoders are made from."""

    source: ActivationSource
    held_out: HeldOut | None
    """To calibrate on; `None` where nothing has a threshold."""


def material(model: HookedModel, config: SaeTrainingConfig, *, folder: Path, progress: Progress = silent) -> Material:
    """Read the texts of a run; no document is in two of those to train on, to calibrate on and to judge on.

    Args:
        folder: of the run, for activations on disk that are not to be kept elsewhere.

    Raises: ValueError, for an unknown hook point, text that there is not or too little of, or a document in two of
        the three; NonFiniteActivationError; StoreError; OSError, if the disk is full.
    """
    judged = judged_text(model, config)
    calibration = calibration_text(model, config) if config.needs_calibration else None
    try:
        read = _read(model, config, folder=folder, progress=progress)
    except TooLittleTextError as error:
        training = config.training
        raise ValueError(
            f"text to train on: {error}; or read it more often: training.n_tokens={training.n_tokens} with "
            f"training.epochs={training.epochs} needs {config.n_read} tokens, with more epochs fewer"
        ) from error
    require_disjoint(read, judged)
    if calibration is None:
        return Material(read.source(config.hook), None)
    require_disjoint(read, calibration)
    require_disjoint(calibration, judged)
    held_out = HeldOut(calibration.source(config.hook), n_tokens=config.n_calibrated, seed=config.training.seed)
    return Material(read.source(config.hook), held_out)


def training_text(config: SaeTrainingConfig) -> TextConfig:
    """Return the text to train on: the train side, less what is put aside to calibrate on."""
    share = config.text.held_out_share + config.calibration_share
    return config.text.model_copy(update={"held_out_share": share})


def judged_text(model: HookedModel, config: SaeTrainingConfig) -> StreamedActivations:
    """Read the text that autoencoders are judged on; the model is not run.

    Raises: ValueError, if there is too little of it.
    """
    try:
        return stream_activations(model, reading_config(model, config.hook, config=config.evaluation, fit=False))
    except ValueError as error:
        raise ValueError(f"text to judge on (evaluation): {error}") from error


def calibration_text(model: HookedModel, config: SaeTrainingConfig) -> StreamedActivations:
    """Read text that is neither trained on nor judged on; the model is run when it is asked for activations.

    Raises: ValueError, if there is too little of it.
    """
    put_aside = _put_aside(config)
    documents: list[Document] = []
    asked = config.asked(config.text.model_copy(update={"part": "all"}), n_tokens=None)
    n_rows = 0
    while more := list(itertools.islice(put_aside, max(_FIRST, len(documents)))):
        documents += more
        read = stream_activations(model, asked, documents=documents)
        n_rows = read.n_rows
        if n_rows >= config.n_calibrated:
            return read
    raise ValueError(
        f"text to calibrate on: {len(documents)} documents with {n_rows} tokens are put aside, and "
        f"n_calibrated={config.n_calibrated}; raise calibration_share={config.calibration_share}, lower n_calibrated, "
        "or give more text"
    )


def _put_aside(config: SaeTrainingConfig) -> Iterator[Document]:
    """Yield the documents between those to judge on and those to train on; where they stand, their text decides."""
    text = training_text(config).model_copy(update={"part": "held_out"})
    beside = documents_of(config.asked(text, n_tokens=config.n_calibrated))
    return (document for document in beside if side_of(document.text, config.text.held_out_share) == "train")


def _read(
    model: HookedModel, config: SaeTrainingConfig, *, folder: Path, progress: Progress
) -> ActivationStore | StreamedActivations:
    asked, keeping = config.asked(training_text(config), n_tokens=config.n_read), config.activations
    if keeping.where == "streamed":
        return stream_activations(model, asked, mixed=keeping.mixed, progress=progress)
    if keeping.where == "memory":
        return hold_activations(model, asked, progress=progress)
    if keeping.root is not None:
        return find_or_write_store(model, asked, root=keeping.root, progress=progress)
    own = folder / ACTIVATIONS
    is_new = not own.exists()
    try:
        return find_or_write_store(model, asked, root=own, progress=progress)
    except ValueError:  # the text or the numbers are at fault: nothing that was written can be gone on with
        if is_new:
            shutil.rmtree(own, ignore_errors=True)
        raise
