"""Which sites are worth testing, judged by pairs on which nothing is reported."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

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
    select: SplitMeasurements, maps: Mapping[str, MapLabels], *, config: PatchingConfig
) -> Int[np.ndarray, " chosen"]:
    """Return the sites of each map with the largest denoising effects, of those that are clear of their control.

    Clear on the side of the effect: a site at which only the control does something is none. Corrected over all sites
    of all maps (Benjamini and Hochberg).
    """
    effects, control = select.effect(Patch.DENOISE), select.effect(Patch.DENOISE_NULL)
    adjusted = paired_difference(effects, control, select.clusters, level=config.level, seed=config.seed).p_adjusted()
    beyond = effects.mean(-1) * (effects - control).mean(-1) > 0
    size = np.abs(effects.mean(-1)) * (beyond & (adjusted < config.fdr))
    found: list[int] = []
    for labels in maps.values():
        own = size[labels.cells]
        largest = np.argsort(-own, kind="stable")[: config.n_top]
        found += [labels.first + int(nth) for nth in largest if own[nth] > 0]
    return np.array(found, dtype=np.int64)
