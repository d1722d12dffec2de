"""From scores to probabilities: fitted on one split, to be tested on another."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

Fit = Literal["platt", "isotonic"]
"""A logistic curve of the score, or any curve that never falls."""
ToProbability = Callable[[np.ndarray], np.ndarray]


def probability_of(
    scores: Float[np.ndarray, " example"], positive: Bool[np.ndarray, " example"], *, how: Fit = "platt"
) -> ToProbability:
    """Return the function that turns a score into the probability of a positive, as fitted on these examples.

    Raises: ValueError, unless there are examples of both kinds.
    Source: Platt 1999; Zadrozny and Elkan 2002 (isotonic); both through scikit-learn.
    """
    if positive.all() or not positive.any():
        raise ValueError(f"{int(positive.sum())} of {len(positive)} examples are positive; fitting needs both kinds")
    if how == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        curve = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit(scores, positive.astype(float))
        return lambda new: np.asarray(curve.predict(new))
    from sklearn.linear_model import LogisticRegression

    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    fitted = LogisticRegression(C=100.0).fit(((scores - centre) / spread)[:, None], positive)
    return lambda new: fitted.predict_proba(((new - centre) / spread)[:, None])[:, 1]
