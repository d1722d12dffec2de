"""What settings cost on one split: predictions on neutral text, and capabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.claims import Split
from interp_lab.interventions import Intervention
from interp_lab.steering.capabilities import Capability, capability_of
from interp_lab.steering.config import SteeringConfig
from interp_lab.steering.drawn import PARTS
from interp_lab.steering.measured import Kept
from interp_lab.steering.neutral import NeutralTexts
from interp_lab.steering.price import price_of
from interp_lab.steering.where import Prompted
from interp_lab.types import HookedModel

Make = Callable[[Sequence[int], Prompted], Sequence[Intervention]]
"""Makes the interventions of some settings on a batch."""


@dataclass(frozen=True)
class Costs(Kept):
    """What settings cost on one split."""

    kl: Float[np.ndarray, "setting document"]
    """Mean over the tokens of a text of KL(unsteered || steered) (nats per token)."""
    ce_change: Float[np.ndarray, "setting document"]
    """Rise of the next-token loss (nats per token); its exponential is the factor of the perplexity."""
    touched: Float[np.ndarray, "setting document"]
    """Share of the tokens that are acted upon."""
    kl_touched: Float[np.ndarray, "setting document"]
    """KL over what is predicted from the first such token on; NaN where there is none."""
    templates: Shaped[np.ndarray, " document"]
    right: Float[np.ndarray, "capability setting question"]
    """Whether the likeliest token of the whole vocabulary is a right answer; NaN for settings that were left out."""
    clean_right: Float[np.ndarray, "capability question"]
    """The same of the unsteered model."""

    @property
    def losses(self) -> Float[np.ndarray, "capability setting"]:
        """Fall in accuracy (share of questions)."""
        return self.clean_right.mean(-1)[:, None] - self.right.mean(-1)

    @property
    def worst_loss(self) -> Float[np.ndarray, " setting"]:
        """Largest fall in accuracy on any capability; 0 if none is asked for, NaN for settings that were left out."""
        return self.losses.max(0) if len(self.right) else np.zeros(len(self.kl))


def costs_of(
    model: HookedModel,
    config: SteeringConfig,
    settings: Sequence[int],
    *,
    split: Split,
    neutral: NeutralTexts,
    make: Make,
    capable: Callable[[Float[np.ndarray, " setting"]], Sequence[int]] | None = None,
) -> Costs:
    """Measure what settings cost.

    Args:
        make: interventions of some of `settings` on a batch.
        capable: given the mean KL of each, which places of `settings` to ask for capabilities; `None` asks for all.

    Raises: ValueError, as `price_of` and `capability_of`.
    """
    price = price_of(model, neutral, make(settings, neutral.batch), memory_budget=config.memory_budget)
    asked = list(range(len(settings)) if capable is None else capable(price.kl.mean(-1)))
    right, clean = _capabilities(model, config, [settings[nth] for nth in asked], split=split, make=make)
    every = np.full((len(right), len(settings), clean.shape[-1]), np.nan)
    every[:, asked] = right
    return Costs(
        kl=price.kl,
        ce_change=price.ce_change,
        touched=price.touched,
        kl_touched=price.kl_touched,
        templates=np.array(neutral.templates),
        right=every,
        clean_right=clean,
    )


def _capabilities(
    model: HookedModel, config: SteeringConfig, settings: Sequence[int], *, split: Split, make: Make
) -> tuple[Float[np.ndarray, "capability setting question"], Float[np.ndarray, "capability question"]]:
    names, n = config.capabilities, config.n_capability // 2
    if not names:
        return np.zeros((0, len(settings), n)), np.zeros((0, n))
    found: Capability = capability_of(
        model, names, lambda batch: make(settings, batch) if settings else (), n, seed=config.seed, part=PARTS[split],  # ty: ignore[invalid-argument-type] - values of PARTS
        memory_budget=config.memory_budget,
    )  # fmt: skip
    return found.top, found.clean_top
