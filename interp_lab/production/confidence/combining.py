"""Several signals as one probability."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit


@dataclass(frozen=True)
class Combined:
    """A logistic curve of several signals, each in units of its own spread."""

    centre: Float[np.ndarray, " signal"]
    spread: Float[np.ndarray, " signal"]
    weights: Float[np.ndarray, " signal"]
    bias: float

    def __call__(self, signals: Float[np.ndarray, "signal example"]) -> Float[np.ndarray, " example"]:
        """Return the probability of each answer to be right."""
        units = (signals - self.centre[:, None]) / self.spread[:, None]
        return expit(self.weights @ units + self.bias)


def combined(signals: Float[np.ndarray, "signal example"], right: Bool[np.ndarray, " example"]) -> Combined:
    """Fit the logistic curve by which what happened is likeliest, with a little L2 penalty (scikit-learn's C of 1).

    A signal without spread counts nothing.

    Raises: ValueError, unless there are right answers and wrong ones.
    """
    if right.all() or not right.any():
        raise ValueError(f"{int(right.sum())} of {len(right)} answers are right; combining signals needs both kinds")
    from sklearn.linear_model import LogisticRegression

    centre, spread = signals.mean(1), signals.std(1)
    spread = np.where(spread > 0, spread, 1.0)
    fitted = LogisticRegression(C=1.0, max_iter=2000).fit(((signals - centre[:, None]) / spread[:, None]).T, right)
    return Combined(centre, spread, fitted.coef_[0], float(fitted.intercept_[0]))
