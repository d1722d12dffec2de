"""Which sites are worth testing, judged by pairs on which nothing is reported."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Shaped

from interp_lab.patching.changes import Patch, SplitMeasurements
from interp_lab.patching.config import PatchingConfig
from interp_lab.stats import paired_difference


@dataclass(frozen=True)
class MapLabels:
    """The rows and columns of one map, and where its cells lie among all sites."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_title: str
    column_title: str
    first: int
    """Number of its first cell among all sites."""

    @property
    def cells(self) -> slice:
        """Its cells among all sites."""
        return slice(self.first, self.first + len(self.rows) * len(self.columns))

    def laid_out(self, values: Shaped[np.ndarray, " site"]) -> Shaped[np.ndarray, "row column"]:
        """Return its part of numbers for all sites, as a map."""
        return values[self.cells].reshape(len(self.rows), len(self.columns))


def choose(
    select: SplitMeasurements,
    maps: Mapping[str, MapLabels],
    *,
    config: PatchingConfig,
    left_out: Bool[np.ndarray, " site"] | None = None,
) -> Int[np.ndarray, " chosen"]:
    """Return the sites of each map with the largest effects, of those that are clear of their control.

    Both ways: what counts of a site is the larger of what denoising and noising it do, so that one that others stand in
    for is found, and one that is needed and does not suffice. Clear on the side of the effect: a site at which only the
    control does something is none. Corrected over both ways at all sites of all maps (Benjamini and Hochberg).

    Args:
        left_out: sites that are not asked about, because by construction they do everything; see `screening`.

    Returns: all that are asked about, where the choice was stated in advance.
    """
    n_sites = select.changes.shape[1]
    asked = np.arange(n_sites) if left_out is None else np.flatnonzero(~left_out)
    if config.chosen is not None or not len(asked):
        return asked
    ways = ((Patch.DENOISE, Patch.DENOISE_NULL), (Patch.NOISE, Patch.NOISE_NULL))
    effects, control = (np.stack([select.effect(patch)[asked] for patch in side]) for side in zip(*ways, strict=True))
    adjusted = paired_difference(effects, control, select.clusters, level=config.level, seed=config.seed).p_adjusted()
    beyond = effects.mean(-1) * (effects - control).mean(-1) > 0
    size = np.zeros(n_sites)
    size[asked] = (np.abs(effects.mean(-1)) * (beyond & (adjusted < config.fdr))).max(0)
    found: list[int] = []
    for labels in maps.values():
        own = size[labels.cells]
        largest = np.argsort(-own, kind="stable")[: config.n_top]
        found += [labels.first + int(nth) for nth in largest if own[nth] > 0]
    return np.array(found, dtype=np.int64)
