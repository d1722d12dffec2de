"""Has what is scored changed? Live scores beside those of control texts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from interp_lab.stats.clusters import require_finite
from interp_lab.stats.fdr import benjamini_hochberg


@dataclass(frozen=True)
class Drift:
    """Whether two samples of scores could come from the same texts."""

    distance: Float[np.ndarray, " score"]
    """Largest distance of the two distribution functions (0 to 1)."""
    p: Float[np.ndarray, " score"]
    """Of each score by itself."""
    p_adjusted: Float[np.ndarray, " score"]
    """Corrected over all scores that were tested together."""
    n: tuple[int, int]
    """Texts: live, control."""


def drift(live: Float[np.ndarray, "score live"], control: Float[np.ndarray, "score control"]) -> Drift:
    """Compare the whole distribution of each score, one number per text, with that of the controls.

    Texts must be independent of each other, and a window tested once: who tests one window after the other corrects
    over windows as well, or alarms come by chance. With ties (a feature that is mostly 0) it is too careful.

    Raises: ValueError, for NaN or inf, or fewer than 5 texts on a side.
    Source: the two-sample test of Kolmogorov and Smirnov, through scipy (exact for small samples).
    """
    if min(live.shape[1], control.shape[1]) < 5:
        raise ValueError(f"{live.shape[1]} live and {control.shape[1]} control texts are too few; give 5 of each")
    for what, values in (("live scores", live), ("control scores", control)):
        require_finite(values, what=what)
    found = [stats.ks_2samp(one, other) for one, other in zip(live, control, strict=True)]
    p = np.array([float(one.pvalue) for one in found])
    distance = np.array([float(one.statistic) for one in found])
    return Drift(distance, p, benjamini_hochberg(p), (live.shape[1], control.shape[1]))
