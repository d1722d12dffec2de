"""Correction for testing many sites at once."""

import numpy as np
from jaxtyping import Float
from scipy import stats


def benjamini_hochberg(p: Float[np.ndarray, "*site"]) -> Float[np.ndarray, "*site"]:
    """Adjust p-values so that calling sites with adjusted p < q false discoveries keeps their expected share below q.

    All entries are one family, whatever the shape: correct over everything that was tested together.

    Raises: ValueError, for NaN, values outside [0, 1], or nothing to adjust.
    Source: Benjamini and Hochberg 1995, through scipy; valid for independent or positively dependent tests.
    """
    p = np.asarray(p, dtype=np.float64)
    if p.size == 0:
        raise ValueError("no p-values to adjust; give every p-value of the family at once")
    wrong = np.argwhere(~((p >= 0) & (p <= 1)))
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        raise ValueError(
            f"p{list(index)} = {p[index]} is no probability ({len(wrong)} of {p.size}); a site that was not tested "
            "does not belong to the family: leave it out"
        )
    return np.asarray(stats.false_discovery_control(p.ravel()).reshape(p.shape))
