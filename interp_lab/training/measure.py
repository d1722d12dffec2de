"""Measuring a bundled model afresh: what `interp-lab model-card` does."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interp_lab.models import build_hooked
from interp_lab.organisms.bundled import BundledModel, read_bundled
from interp_lab.training.anatomy import dissect
from interp_lab.training.card import CardRow, ModelCard
from interp_lab.training.conduct import Conduct, conduct_of
from interp_lab.training.conduct_figures import conduct_rows
from interp_lab.training.config import CardConfig
from interp_lab.training.figures import card_rows
from interp_lab.training.initial import initial_weights
from interp_lab.training.organism_config import BehaviourCardConfig
from interp_lab.types import HookedModel

TUNED_FROM = {"organism-tuned": "organism"}
"""Which bundled model a tuned one started from."""
_UNTRAINED_SHARE = 4
"""The control is measured on so many times fewer texts: nothing is asked of it but to be far off."""


@dataclass(frozen=True)
class Conducts:
    """How a model behaves, beside its controls."""

    trained: Conduct
    untrained: Conduct
    base: Conduct | None
    """Decisions of the model that a tuned one started from."""

    def rows(self) -> tuple[CardRow, ...]:
        """Return the figures of the card."""
        return conduct_rows(self.trained, self.untrained, base=self.base)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array by name."""
        parts = {"trained": self.trained, "untrained": self.untrained, "base": self.base}
        return {
            f"{part}.{name}": values
            for part, conduct in parts.items()
            if conduct is not None
            for name, values in conduct.arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Conducts":
        """Rebuild from `arrays`; other entries are left alone."""
        parts = [
            Conduct.from_arrays({name[len(part) :]: values for name, values in arrays.items() if name.startswith(part)})
            for part in ("trained.", "untrained.", "base.")
        ]
        return cls(parts[0], parts[1], parts[2] if parts[2].values else None)


def model_card(name: str, config: CardConfig | BehaviourCardConfig | None = None) -> ModelCard:
    """Measure a bundled model afresh, beside an untrained one of the same shape.

    Raises: ValueError, for a name that is not bundled, or a config that is not for models of this kind.
    """
    bundle = read_bundled(name)
    base = read_bundled(TUNED_FROM[name]) if name in TUNED_FROM else None
    kind = CardConfig if bundle.config.get("attn_only") else BehaviourCardConfig
    return card_of(bundle, config or kind(), base=base)


def card_of(
    bundle: BundledModel, config: CardConfig | BehaviourCardConfig, *, base: BundledModel | None = None
) -> ModelCard:
    """Measure a model that was written by `write_bundled`; see `model_card`.

    Args:
        base: the model that a tuned one started from.

    Raises: ValueError, for a config that is not for models of this kind.
    """
    is_on_repeats = isinstance(config, CardConfig)
    if is_on_repeats != bool(bundle.config.get("attn_only")):
        raise ValueError(
            f"{bundle.name} learned {'the grammar' if is_on_repeats else 'repeats'}: measure it with a "
            f"{'BehaviourCardConfig' if is_on_repeats else 'CardConfig'}, not {type(config).__name__}"
        )
    if not isinstance(config, CardConfig):
        return ModelCard(bundle.name, config, conducts_of(build(bundle), bundle, config, base=base).rows())
    symbols = range(1, int(bundle.config["d_vocab"]))
    trained = dissect(build(bundle), config, symbols=symbols)
    untrained = dissect(untrained_like(bundle, seed=config.seed), config, symbols=symbols)
    return ModelCard(bundle.name, config, card_rows(trained, untrained, config=config, n_symbols=len(symbols)))


def conducts_of(
    model: HookedModel, like: BundledModel, config: BehaviourCardConfig, *, base: BundledModel | None = None
) -> Conducts:
    """Measure a model on fresh text, beside an untrained one and, on decisions, the one it was tuned from.

    Args:
        like: gives the shape of the untrained model.
    """
    n_few = max(24, config.n_examples // _UNTRAINED_SHARE)
    return Conducts(
        trained=conduct_of(model, n_examples=config.n_examples, seed=config.seed, is_tuned=base is not None),
        untrained=conduct_of(untrained_like(like, seed=config.seed), n_examples=n_few, seed=config.seed),
        base=None
        if base is None
        else conduct_of(build(base), n_examples=config.n_examples, seed=config.seed, behaviours=("loans",)),
    )


def build(bundle: BundledModel) -> HookedModel:
    """Return a bundled model, ready to run."""
    return build_hooked(bundle.config, bundle.state_dict, name=bundle.name)


def untrained_like(bundle: BundledModel, *, seed: int) -> HookedModel:
    """Return a model of the same shape with initial weights: the control of every figure."""
    weights = initial_weights(bundle.config, seed=seed)
    return build_hooked(bundle.config, weights, name=f"{bundle.name} (untrained)")
