"""What settings cost on one split: predictions on neutral text, and capabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from interp_lab.claims import Split
from interp_lab.decoding.where import Prompted
from interp_lab.interventions import Intervention
from interp_lab.runs.fields import KeptFields
from interp_lab.stats import SIGNED, bounded_interval
from interp_lab.steering.capabilities import Capability, capability_of
from interp_lab.steering.choice import Price
from interp_lab.steering.config import Budget, SteeringConfig
from interp_lab.steering.drawn import PARTS
from interp_lab.steering.neutral import NeutralTexts
from interp_lab.steering.price import price_of
from interp_lab.steering.reliability import clusters_of
from interp_lab.types import HookedModel, Interval

Make = Callable[[Sequence[int], Prompted], Sequence[Intervention]]
"""Makes the interventions of some settings on a batch."""


@dataclass(frozen=True)
class Costs(KeptFields):
    """What settings cost on one split."""

    kl: Float[np.ndarray, "setting document"]
    """Mean over the tokens of a text of KL(unsteered || steered) (nats per token)."""
    ce_change: Float[np.ndarray, "setting document"]
    """Rise of the next-token loss (nats per token), whose exponential is the factor of the perplexity; NaN on the
    selection split, which does not choose by it."""
    touched: Float[np.ndarray, "setting document"]
    """Share of the tokens that are acted upon."""
    kl_touched: Float[np.ndarray, "setting document"]
    """KL over what is predicted from the first such token on; NaN where there is none."""
    templates: Shaped[np.ndarray, " document"]
    right: Float[np.ndarray, "capability setting question"]
    """Whether the likeliest token of the whole vocabulary is a right answer; NaN for settings that were left out."""
    clean_right: Float[np.ndarray, "capability question"]
    """The same of the unsteered model."""
    question_templates: Int[np.ndarray, "capability question"]
    """Numbers of templates: what intervals of falls resample."""
    deciding: Float[np.ndarray, "setting pair"]
    """Fall of the gap by what should decide (a probability), in pairs of prompts; no column where that is not asked."""

    def fall(self, capability: int, setting: int, *, level: float) -> Interval:
        """Return the fall in accuracy on a capability (share of questions), with its interval over templates.

        Where no answer changes it is as wide as that of a share that is never seen (`bounded_interval`).
        """
        lost = self.clean_right[capability] - self.right[capability, setting]
        clusters = clusters_of(self.question_templates[capability])
        return bounded_interval(lost, clusters, within=SIGNED, level=level)

    @property
    def losses(self) -> Float[np.ndarray, "capability setting"]:
        """Fall in accuracy (share of questions)."""
        return self.clean_right.mean(-1)[:, None] - self.right.mean(-1)

    @property
    def worst_loss(self) -> Float[np.ndarray, " setting"]:
        """Largest fall in accuracy on any capability; 0 if none is asked for, NaN for settings that were left out."""
        return self.losses.max(0) if len(self.right) else np.zeros(len(self.kl))

    @property
    def price(self) -> Price:
        """Return what is held against the budget; a gap that is not asked about does not fall."""
        asked = self.deciding.shape[-1] > 0
        return Price(self.kl.mean(-1), self.worst_loss, self.deciding.mean(-1) if asked else np.zeros(len(self.kl)))


def costs_of(
    model: HookedModel,
    config: SteeringConfig,
    settings: Sequence[int],
    *,
    split: Split,
    neutral: NeutralTexts,
    make: Make,
    deciding: Float[np.ndarray, "setting pair"] | None = None,
    capable: Callable[[Float[np.ndarray, " setting"]], Sequence[int]] | None = None,
) -> Costs:
    """Measure what settings cost.

    Args:
        make: interventions of some of `settings` on a batch.
        deciding: fall of the gap by what should decide; `None` if that is not asked.
        capable: given the mean KL of each, which places of `settings` to ask for capabilities; `None` asks for all.

    Raises: ValueError, as `price_of` and `capability_of`.
    """
    price = price_of(
        model, neutral, make(settings, neutral.batch), losses=split is not Split.SELECT,
        memory_budget=config.memory_budget,
    )  # fmt: skip
    asked = list(range(len(settings)) if capable is None else capable(price.kl.mean(-1)))
    right, clean, names = _capabilities(model, config, [settings[nth] for nth in asked], split=split, make=make)
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
        question_templates=names,
        deciding=np.zeros((len(settings), 0)) if deciding is None else deciding,
    )


Asked = tuple[
    Float[np.ndarray, "capability setting question"],
    Float[np.ndarray, "capability question"],
    Int[np.ndarray, "capability question"],
]
"""Whether questions are answered right under settings, and unsteered; and the numbers of their templates."""


def _capabilities(
    model: HookedModel, config: SteeringConfig, settings: Sequence[int], *, split: Split, make: Make
) -> Asked:
    names, n = config.capabilities, config.n_capability // 2
    if not names:
        return np.zeros((0, len(settings), n)), np.zeros((0, n)), np.zeros((0, n), dtype=np.int64)
    found: Capability = capability_of(
        model, names, lambda batch: make(settings, batch) if settings else (), n, seed=config.seed, part=PARTS[split],  # ty: ignore[invalid-argument-type] - values of PARTS
        memory_budget=config.memory_budget,
    )  # fmt: skip
    return found.top, found.clean_top, np.array([np.unique(names, return_inverse=True)[1] for names in found.templates])


def require_capable(model: HookedModel, config: SteeringConfig) -> None:
    """Refuse, before settings are measured, a capability that the budget could not protect.

    Raises: ValueError, as `capability_of` and `require_something_to_lose`.
    """
    if config.capabilities:
        names, n = config.capabilities, config.n_capability // 2
        found = capability_of(model, names, lambda batch: (), n, seed=config.seed, part="select")
        require_something_to_lose(names, found.clean_top.mean(-1), config.budget)


def require_something_to_lose(names: Sequence[str], accuracy: Float[np.ndarray, " capability"], budget: Budget) -> None:
    """Refuse a capability that the budget could not protect: the model has no more of it than it may lose.

    Raises: ValueError.
    """
    for name, share in zip(names, accuracy.tolist(), strict=True):
        if share <= budget.capability_loss:
            raise ValueError(
                f"the unsteered model answers {share:.1%} of {name!r} right (likeliest token of the whole vocabulary), "
                f"and the budget allows a fall of {budget.capability_loss:.1%}: no setting could exceed it; name "
                "capabilities that the model has, or leave them out"
            )
