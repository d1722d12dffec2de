"""One model for several experiments in a row."""

from collections.abc import Generator, Hashable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from interp_lab.models.load import load_model
from interp_lab.types import HookedModel


@dataclass
class _Slot:
    key: Hashable = None
    model: HookedModel | None = None


_slot: ContextVar[_Slot | None] = ContextVar("held model", default=None)


@contextmanager
def held() -> Generator[None]:
    """Keep the model that `model_named_by` loaded last, inside the `with` block: who asks for it again gets it.

    One at a time, so that two large ones are never in memory together. Blocks may be nested; the outermost one counts.
    """
    token = _slot.set(_slot.get() or _Slot())
    try:
        yield
    finally:
        _slot.reset(token)


def model_named_by(config: Any) -> HookedModel:  # noqa: ANN401 - a Config with these five fields
    """Load the model that a config names, or return the one that is `held`.

    Raises: ValueError, as `load_model`.
    """
    slot = _slot.get()
    key = (config.model, config.device, config.dtype, config.processing, config.backend)
    if slot is not None and slot.model is not None and slot.key == key:
        return slot.model
    if slot is not None:
        slot.key = slot.model = None  # makes room before the next one is there
    model = load_model(
        config.model, config.device, dtype=config.dtype, processing=config.processing, backend=config.backend
    )
    if slot is not None:
        slot.key, slot.model = key, model
    return model
