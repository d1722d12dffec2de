"""The numbers of one split, prompt by prompt."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.effects.untouched import Untouched


@dataclass(frozen=True)
class AblatedSplit(Untouched):
    """What ablations change on the clean prompts of one split, in the unit of the metric.

    Changes are the metric under the ablation minus that of the untouched model.
    """

    changes: Float[np.ndarray, "kind site example"]
    """Of each site alone, under each kind of ablation; NaN on the selection split where nothing was chosen."""
    direct: Float[np.ndarray, "site example"]
    """What each site writes straight to the metric; NaN if it cannot be taken apart."""
    pairs: Float[np.ndarray, "backup head example"]
    """Each head whose stand-in is looked for, ablated together with every head; NaN with itself."""
    sets: Float[np.ndarray, "set draw example"]
    """The chosen sites of each map together, and then random sets of as many; NaN where there is no such set."""
    cumulative: Float[np.ndarray, "order step example"]
    """The first site, the first two, and so on: in the order chosen, and then in random orders."""
    directions: Float[np.ndarray, "direction variant example"]
    """Each direction projected out, and then random ones at the same place."""

    @property
    def labels(self) -> tuple[Hashable, ...]:
        """The clusters, one by one."""
        return tuple(self.clusters.tolist())
