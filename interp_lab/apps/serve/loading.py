"""The model and its monitors, as the service loads them."""

from collections.abc import Callable, Sequence

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
        return Loaded(model, config.model, Watchlist.of(entries, model))

    return load
