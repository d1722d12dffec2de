"""Measuring a bundled model afresh: what `interp-lab model-card` does."""

from interp_lab.models import build_hooked
from interp_lab.organisms.bundled import BundledModel, read_bundled
from interp_lab.training.anatomy import dissect
from interp_lab.training.card import ModelCard
from interp_lab.training.config import CardConfig
from interp_lab.training.figures import card_rows
from interp_lab.training.initial import initial_weights
from interp_lab.types import HookedModel


def model_card(name: str, config: CardConfig | None = None) -> ModelCard:
    """Measure a bundled model afresh, beside an untrained one of the same shape.

    Raises: ValueError, for a name that is not bundled.
    """
    return card_of(read_bundled(name), config or CardConfig())


def card_of(bundle: BundledModel, config: CardConfig) -> ModelCard:
    """Measure a model that was written by `write_bundled`; see `model_card`."""
    symbols = range(1, int(bundle.config["d_vocab"]))
    trained = dissect(build(bundle), config, symbols=symbols)
    untrained = dissect(untrained_like(bundle, seed=config.seed), config, symbols=symbols)
    return ModelCard(bundle.name, config, card_rows(trained, untrained, config=config, n_symbols=len(symbols)))


def build(bundle: BundledModel) -> HookedModel:
    """Return a bundled model, ready to run."""
    return build_hooked(bundle.config, bundle.state_dict, name=bundle.name)


def untrained_like(bundle: BundledModel, *, seed: int) -> HookedModel:
    """Return a model of the same shape with initial weights: the control of every figure."""
    weights = initial_weights(bundle.config, seed=seed)
    return build_hooked(bundle.config, weights, name=f"{bundle.name} (untrained)")
