"""What every method gives each source of some prompts, and what leaving sources out does to the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float
from pydantic import Field, PositiveInt

from interp_lab.config import Config
from interp_lab.production.sources.ablations import Ablations, Asked, Way, other_way
from interp_lab.production.sources.looks import attention_to_sources, input_x_gradient, integrated_gradients
from interp_lab.production.sources.prompts import Kept, SourcedPrompt
from interp_lab.production.sources.subsets import LEAST_HELD, drawn_subsets, shared_out, subset_weights, without_each
from interp_lab.types import HookedModel

LOOKS = ("attention", "attention rollout", "gradient x input", "integrated gradients")
"""Methods without intervention."""


class Scoring(Config):
    """How sources are scored."""

    way: Way = "text"
    """How sources are left out; what is found so is tested the other way. `text`: their tokens are taken out, as if
    they had not been found; `mask`: they stay, and nothing behind them can attend to them."""
    n_subsets: Annotated[int, Field(ge=2)] = 32
    """Subsets of the sources drawn at random; all there are, where there are fewer."""
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability of each source to be in a subset."""
    held_subsets: Annotated[float, Field(gt=0, lt=1)] = 0.35
    """Share of the subsets that no score is made of: they test scores. Subsets without at least two sources, and none
    where these are fewer than three, as with two sources."""
    alpha: Annotated[float, Field(ge=0)] = 0.01
    """Penalty of the lasso on subsets; 0 is least squares."""
    steps: PositiveInt = 8
    """Of integrated gradients."""
    n_resamples: Annotated[int, Field(ge=20)] = 200
    """Draws of subsets from those of one prompt, for the intervals of its highlight."""
    batch_size: PositiveInt = 64
    """Prompts per forward pass, and whose keys and values are held at once."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method by name; the last one is the test of the others."""
        return (*LOOKS, *self.causal)

    @property
    def causal(self) -> tuple[str, ...]:
        """Those that leave sources out; the last one the other way."""
        own = (f"leave-one-out ({self.way})", f"random subsets ({self.way})")
        return (*own, f"leave-one-out ({other_way(self.way)})")


@dataclass(frozen=True)
class Scores:
    """Of some prompts; sources that a prompt does not have are NaN."""

    values: Float[np.ndarray, "method example source"]
    by_layer: Float[np.ndarray, "example layer source"]
    """Attention, mean over heads."""
    missing: Float[np.ndarray, " example"]
    """By how much integrated gradients fail to add up (share)."""
    full: Float[np.ndarray, " example"]
    """Log odds of the answer with all sources."""
    empty: Float[np.ndarray, "way example"]
    """Without any: the config's way, and the other one."""
    foretold: Float[np.ndarray, "method example"]
    """Rank correlation over held-out subsets of what a method's scores add up to with the log odds (the linear
    datamodelling score); NaN where fewer than three are held out or all are alike."""
    fitted: tuple[tuple[tuple[Kept, ...], tuple[float, ...]], ...]
    """Of each prompt the subsets that were fitted on, and the log odds with them."""


def there(prompts: Sequence[SourcedPrompt]) -> Bool[np.ndarray, "example source"]:
    """Return which sources each prompt has."""
    counts = np.array([len(one.parts) for one in prompts])
    return np.arange(counts.max()) < counts[:, None]


def score(
    model: HookedModel, prompts: Sequence[SourcedPrompt], ways: Sequence[Ablations], given: Scoring, *, seed: int
) -> Scores:
    """Score the sources of some prompts by every method.

    Args:
        ways: the one that is asked for, and the other one.
        seed: of the subsets.

    Raises: ValueError, as `Ablations`.
    """
    own, other = ways
    has, rng = there(prompts), np.random.default_rng(seed)
    subsets = [drawn_subsets(len(one.parts), given.n_subsets, keep=given.keep, rng=rng) for one in prompts]
    split = [shared_out(drawn, held=given.held_subsets) for drawn in subsets]
    asked: list[Asked] = [(row, kept) for row, drawn in enumerate(subsets) for kept in drawn]
    asked += [(row, kept) for row, one in enumerate(prompts) for kept in without_each(len(one.parts))]
    own.log_odds(asked)  # all at once: what is asked for below is known
    by_layer, rolled = attention_to_sources(model, prompts)
    integrated, missing = integrated_gradients(model, prompts, steps=given.steps)
    fitted = [(tuple(fit), tuple(own.log_odds([(row, k) for k in fit]).tolist())) for row, (fit, _) in enumerate(split)]
    made = [
        by_layer.mean(1),
        rolled,
        input_x_gradient(model, prompts),
        integrated,
        falls_without_each(own, prompts),
        _weights(prompts, fitted, given),
        falls_without_each(other, prompts),
    ]
    values = np.where(has, np.stack(made), np.nan)
    held = [(kept, own.log_odds([(row, one) for one in kept])) for row, (_, kept) in enumerate(split)]
    return Scores(
        values=values,
        by_layer=np.where(has[:, None], by_layer, np.nan),
        missing=missing,
        full=own.log_odds([(row, one.whole) for row, one in enumerate(prompts)]),
        empty=np.stack([_without_any(one, prompts) for one in ways]),
        foretold=np.stack([_foretold(values[:, row], *one) for row, one in enumerate(held)], 1),
        fitted=tuple(fitted),
    )


def falls_without_each(ablations: Ablations, prompts: Sequence[SourcedPrompt]) -> Float[np.ndarray, "example source"]:
    """Return by how much the log odds of the answer fall when each source is left out; 0 where a prompt has none."""
    asked = [(row, kept) for row, one in enumerate(prompts) for kept in without_each(len(one.parts))]
    full = ablations.log_odds([(row, prompts[row].whole) for row, _ in asked])
    found, has = np.zeros(there(prompts).shape), there(prompts)
    found[has] = full - ablations.log_odds(asked)
    return found


def _without_any(ablations: Ablations, prompts: Sequence[SourcedPrompt]) -> Float[np.ndarray, " example"]:
    return ablations.log_odds([(row, (False,) * len(one.parts)) for row, one in enumerate(prompts)])


def _weights(
    prompts: Sequence[SourcedPrompt], fitted: Sequence[tuple[Sequence[Kept], Sequence[float]]], given: Scoring
) -> Float[np.ndarray, "example source"]:
    found = np.zeros(there(prompts).shape)
    for row, (kept, values) in enumerate(fitted):
        n_tokens = len(prompts[row].answer)
        weights, _ = subset_weights(np.array(kept), np.array(values), alpha=given.alpha, n_tokens=n_tokens)
        found[row, : len(weights)] = weights
    return found


def _foretold(
    values: Float[np.ndarray, "method source"], kept: Sequence[Kept], actual: Float[np.ndarray, " subset"]
) -> Float[np.ndarray, " method"]:
    """Return Spearman's correlation of the sums of kept sources' scores with the log odds."""
    from scipy.stats import rankdata

    if len(kept) < LEAST_HELD:
        return np.full(len(values), np.nan)
    sums = values[:, : len(kept[0])] @ np.array(kept, dtype=np.float64).T
    ranks, own = rankdata(sums, axis=1), rankdata(actual)
    both = ((ranks - ranks.mean(1, keepdims=True)) * (own - own.mean())).sum(1)
    spread = len(kept) * ranks.std(1) * own.std()
    return np.divide(both, spread, out=np.full(len(values), np.nan), where=spread > 0)
