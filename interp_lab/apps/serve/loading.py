"""The model and its monitors, as the service loads them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from interp_lab.apps.serve.config import ServeConfig
from interp_lab.apps.serve.engine import Loaded
from interp_lab.apps.serve.watchlist import WatchEntry, Watchlist
from interp_lab.models import load_model


def loader(config: ServeConfig, entries: Sequence[WatchEntry]) -> Callable[[], Loaded]:
    """Return what loads the model, and then the monitors for it."""

    def load() -> Loaded:
        model = load_model(
            config.model, processing=config.processing, backend=config.backend, dtype=config.dtype, device=config.device
        )
        own = Path(config.model)
        name = own.name if own.is_dir() else config.model  # where it lies on this machine is nobody's business
        return Loaded(model, name, Watchlist.of(entries, model))

    return load
