"""Would other prompts have named the same sites? The overlap of the top sites over resampled prompts."""

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.stats.overlap import Overlap, expected_overlap, is_top, jaccard


def top_site_stability(
    effects: Float[np.ndarray, "site example"],
    clusters: Shaped[np.ndarray, " example"],
    *,
    k: int,
    n_resamples: int = 500,
    seed: int = 0,
) -> Overlap:
    """Resample clusters of prompts, rank sites by their mean effect each time, and compare the first `k`.

    No forward pass is needed: effects are kept prompt by prompt.

    Raises: ValueError, unless `k` is at least 1 and below the number of sites, and there are two clusters.
    Source: Meloux et al. 2025, arXiv 2510.00845 (stability of circuits under bootstrap), here for sites.
    """
    n_sites = len(effects)
    if not 1 <= k < n_sites:
        raise ValueError(f"k={k} of {n_sites} sites: choose at least one, and not all")
    names, codes = np.unique(clusters, return_inverse=True)
    if len(names) < 2:
        raise ValueError("all prompts are of one cluster; nothing can be resampled")
    sums = np.stack([effects[:, codes == code].sum(1) for code in range(len(names))], axis=1)
    counts = np.bincount(codes)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples)
    means = (drawn @ sums.T) / (drawn @ counts)[:, None]
    same = jaccard(is_top(means, k), is_top(effects.mean(1)[None], k))
    return Overlap(same, chance=expected_overlap(n_sites, k), k=k)
