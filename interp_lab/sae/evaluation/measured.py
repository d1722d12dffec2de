"""What was measured, document by document, and the numbers with their intervals that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from interp_lab.sae.evaluation.config import EvaluationConfig
from interp_lab.sae.evaluation.stability import Stability
from interp_lab.stats import Intervals, bootstrap_interval, ratio_of_means
from interp_lab.types import Interval

MEAN, ZERO = "mean", "zero"
"""Names of the two ablations, which are codecs as well."""
UNIGRAM = "unigram"
"""What is recovered is counted from there, too: from knowing how often tokens come, and nothing else."""
METRICS = (
    "l0", "r2", "mse", "cosine", "l2_ratio", "relative_bias", "ce", "ce_rise", "kl", "ce_recovered_zero",
    "ce_recovered_mean", "ce_recovered_unigram", "kl_recovered_zero", "kl_recovered_mean",
)  # fmt: skip
"""Of every codec, in the order of tables; each is a ratio of sums over documents."""


@dataclass(frozen=True)
class Measured:
    """Sums by document; the last axis is the document."""

    config: EvaluationConfig
    hook: str
    d_vocab: int
    """Tokens that the model chooses from: who knows nothing loses its logarithm."""
    names: tuple[str, ...]
    """Codecs: those asked about, then baselines, the mean and zero."""
    asked: tuple[str, ...]
    """Those asked about."""
    described: tuple[str, ...]
    """What each codec is."""
    baselines: Mapping[str, tuple[str, ...]]
    """Names of the baselines of each that was asked about, of as many active latents."""
    trained_on: Mapping[str, str]
    """Whether what each was trained on is known to be other text."""
    shared: Mapping[str, Float[np.ndarray, " document"]]
    """`tokens`, `predicted`, `variance` (squared distance from the mean of all tokens), `ce_clean`, and `ce_unigram`
    (loss of who knows only how often tokens come in train-side text)."""
    own: Mapping[str, Float[np.ndarray, "codec document"]]
    """Of each codec: `squared_error`, `squared_norm`, `inner`, `cosine`, `l2_ratio`, `n_active`, `ce`, `kl`, and
    variants that were asked for."""
    fired: Mapping[str, Int[np.ndarray, " latent"]]
    """Tokens on which each latent was active."""
    stability: tuple[Stability, ...] = ()

    @property
    def n_documents(self) -> int:
        """Distinct texts: what intervals are made of."""
        return len(self.shared["tokens"])

    @property
    def n_tokens(self) -> int:
        """Tokens that were scored."""
        return round(float(self.shared["tokens"].sum()))

    @property
    def dead_name(self) -> str:
        """The number of latents that never fired, with the criterion."""
        return f"dead_in_{self.n_tokens}_tokens"

    @property
    def metric_names(self) -> tuple[str, ...]:
        """All that is told of a codec."""
        return (*METRICS, *self.config.variants)

    def n_dead(self, name: str) -> int:
        """Return how many latents never fired on these tokens."""
        return int((self.fired[name] == 0).sum())

    def density(self, name: str) -> Float[np.ndarray, " latent"]:
        """Return on which share of the tokens each latent was active."""
        return self.fired[name] / self.n_tokens

    @cached_property
    def values(self) -> Float[np.ndarray, "metric codec document"]:
        """Per document, for each metric: numbers whose mean is the figure and whose spread is its uncertainty."""
        return np.stack([np.stack([self._values(metric, nth) for nth in range(len(self.names))])
                         for metric in self.metric_names])  # fmt: skip

    def _values(self, metric: str, nth: int) -> Float[np.ndarray, " document"]:
        own = {quantity: sums[nth] for quantity, sums in self.own.items()}
        tokens, predicted, clean = (self.shared[key] for key in ("tokens", "predicted", "ce_clean"))
        if metric == "r2":
            # The mean of all tokens is uncertain, too, but at it the variance is at its least: to first order nothing.
            return 1 - _ratio(own["squared_error"], self.shared["variance"])
        if metric == "relative_bias":
            return _ratio(own["squared_norm"], own["inner"])
        if metric in ("ce", "ce_rise"):
            return _ratio(own["ce"] - (clean if metric == "ce_rise" else 0.0), predicted)
        if "_recovered_" in metric:
            quantity, _, reference = metric.split("_")
            of_text = reference == UNIGRAM
            floor = self.shared["ce_unigram"] if of_text else self.own[quantity][self.names.index(reference)]
            ceiling = clean if quantity == "ce" else np.zeros_like(clean)
            return _ratio(floor - own[quantity], floor - ceiling, clear_at=self.config.level)
        quantity = {"mse": "squared_error", "l0": "n_active"}.get(metric, metric)
        return _ratio(own[quantity], tokens)

    @cached_property
    def intervals(self) -> Intervals:
        """Of every metric and codec; NaN where a ratio has no meaning."""
        known = np.asarray(np.isfinite(self.values).all(-1))
        found = bootstrap_interval(
            np.where(known[..., None], self.values, 0.0), level=self.config.level, seed=self.config.seed
        )
        ends = (np.where(known, end, np.nan) for end in (found.estimate, found.low, found.high))
        return Intervals(*ends, found.level, found.n_clusters, found.method)

    def interval(self, name: str, metric: str) -> Interval:
        """Return one figure of one codec, with its interval over documents."""
        return self.intervals.at(self.metric_names.index(metric), self.names.index(name))

    def clean_loss(self) -> Interval:
        """Return the loss of the untouched model (nats per predicted token)."""
        return self._of_text("ce_clean")

    def unigram_loss(self) -> Interval:
        """Return the loss of who knows only how often tokens come in train-side text (nats per predicted token)."""
        return self._of_text("ce_unigram")

    def worse_than_unigram(self) -> tuple[str, ...]:
        """Return the ablations whose loss is clearly above that: worse than knowing nothing of the context."""
        above = {name: self._of_text("ce_unigram", below=name) for name in (MEAN, ZERO)}
        return tuple(name for name, interval in above.items() if interval.low > 0)

    def _of_text(self, quantity: str, *, below: str | None = None) -> Interval:
        """Return a loss of the text, or by how much it is below that with a codec in place."""
        parts = self.shared[quantity]
        parts = parts if below is None else self.own["ce"][self.names.index(below)] - parts
        values = _ratio(parts, self.shared["predicted"])
        return bootstrap_interval(values, level=self.config.level, seed=self.config.seed).at()


def _ratio(
    parts: Float[np.ndarray, " document"], total: Float[np.ndarray, " document"], *, clear_at: float | None = None
) -> Float[np.ndarray, " document"]:
    """Return values whose mean is sum(parts) / sum(total); NaN where the total is zero, or not clear of it.

    Args:
        clear_at: level of the interval that has to be above zero; `None` asks for nothing.
    """
    unclear = clear_at is not None and bootstrap_interval(total, method="t", level=clear_at).at().low <= 0
    if total.sum() == 0 or unclear:
        return np.full_like(parts, np.nan)
    return ratio_of_means(parts, total)
