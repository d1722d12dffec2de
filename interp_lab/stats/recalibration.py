"""From scores to probabilities: fitted on one split, to be tested on another."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit

Fit = Literal["platt", "isotonic", "temperature"]
"""A logistic curve of the score; any curve that never falls; log odds divided by one number."""
_COLDEST, _HOTTEST = 1e-2, 1e3
"""Temperatures between which one is looked for."""


@dataclass(frozen=True)
class ToProbability:
    """A function from a score to a probability, by its numbers, so that it can be kept."""

    how: Fit
    at: Float[np.ndarray, " knot"]
    """Of `isotonic` the scores at which the curve bends; of the others what the score is multiplied with."""
    value: Float[np.ndarray, " knot"]
    """Of `isotonic` the probabilities there, straight between and level outside; of the others what is added."""

    def __call__(self, scores: Float[np.ndarray, "*example"]) -> Float[np.ndarray, "*example"]:
        """Return the probabilities of some scores."""
        if self.how == "isotonic":
            return np.interp(scores, self.at, self.value)
        return np.asarray(expit(self.at[0] * scores + self.value[0]))

    @property
    def temperature(self) -> float:
        """What log odds are divided by.

        Raises: ValueError, unless that was fitted.
        """
        if self.how != "temperature":
            raise ValueError(f"a curve fitted by {self.how!r} has no temperature; fit one with how='temperature'")
        return float(1 / self.at[0])


def probability_of(
    scores: Float[np.ndarray, " example"], positive: Bool[np.ndarray, " example"], *, how: Fit = "platt"
) -> ToProbability:
    """Return the function that turns a score into the probability of a positive, as fitted on these examples.

    Args:
        how: `temperature` needs log odds as scores, and keeps what they call as likely as not; it is at most 1,000,
            where they tell nothing, or the wrong way.

    Raises: ValueError, unless there are examples of both kinds.
    Source: Platt 1999; Zadrozny and Elkan 2002 (isotonic), both through scikit-learn; Guo et al. 2017, arXiv
        1706.04599 (temperature; here of the log odds of being right, which answers of several tokens have as well).
    """
    if positive.all() or not positive.any():
        raise ValueError(f"{int(positive.sum())} of {len(positive)} examples are positive; fitting needs both kinds")
    if how == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(scores, positive.astype(float))
        return ToProbability(how, np.asarray(curve.X_thresholds_), np.asarray(curve.y_thresholds_))
    if how == "temperature":
        return ToProbability(how, np.array([_sharpness(scores, positive)]), np.zeros(1))
    from sklearn.linear_model import LogisticRegression

    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    fitted = LogisticRegression(C=100.0).fit(((scores - centre) / spread)[:, None], positive)
    slope = float(fitted.coef_[0, 0]) / spread
    return ToProbability(how, np.array([slope]), np.array([float(fitted.intercept_[0]) - slope * centre]))


def _sharpness(log_odds: Float[np.ndarray, " example"], positive: Bool[np.ndarray, " example"]) -> float:
    """Return one over the temperature at which what happened is likeliest."""
    from scipy.optimize import minimize_scalar

    signed = np.where(positive, -log_odds, log_odds)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, signed * np.exp(-log_temperature)).mean())

    found = minimize_scalar(
        loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded", options={"xatol": 1e-9}
    )
    return float(np.exp(-found.x))
