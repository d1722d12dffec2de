"""Keep what loading libraries do to the process inside the load."""

import contextlib
import io
import logging
import random
import warnings
from collections.abc import Generator

import numpy as np
import torch


@contextlib.contextmanager
def contained() -> Generator[None]:
    """Run third-party loading code so that it leaves no trace in the process but its result.

    Restored at the end, also after an exception: the random generators, the warning filters and
    the root logger. Text that TransformerLens prints is dropped; exceptions pass through, and so
    do warnings other than deprecations.
    """
    with (
        _random_state_kept(),
        _root_logger_kept(),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        # HookedTransformer announces its end in TransformerLens 4 on every construction; pyproject caps the version.
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@contextlib.contextmanager
def _random_state_kept() -> Generator[None]:
    numpy_state, python_state = np.random.get_state(), random.getstate()
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=gpus):
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


@contextlib.contextmanager
def _root_logger_kept() -> Generator[None]:
    """TransformerLens calls `logging.warning`, which gives a bare root logger a handler for good."""
    root = logging.getLogger()
    handlers, level, placeholder = list(root.handlers), root.level, logging.NullHandler()
    root.addHandler(placeholder)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextlib.contextmanager
def no_progress_bars() -> Generator[None]:
    """Silence the bars that `transformers` draws while it reads a checkpoint from disk."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars
    from transformers.utils import logging as transformers_logging

    drawn, hub_drawn = transformers_logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            transformers_logging.enable_progress_bar()  # turns the hub's bars on, too
            if not hub_drawn:
                disable_progress_bars()
