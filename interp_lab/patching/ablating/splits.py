"""The numbers of one split, prompt by prompt."""

from collections.abc import Hashable
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.patching.changes import PATCHES, SplitMeasurements


@dataclass(frozen=True)
class AblatedSplit:
    """What ablations change on the clean prompts of one split, in the unit of the metric.

    Changes are the metric under the ablation minus that of the untouched model.
    """

    clean: Float[np.ndarray, " example"]
    corrupted: Float[np.ndarray, " example"]
    preference: Float[np.ndarray, " example"]
    """Fall of the logit difference under the corruption, where the metric is a cost; else NaN."""
    templates: Shaped[np.ndarray, " example"]
    changes: Float[np.ndarray, "kind site example"]
    """Of each site alone, under each kind of ablation."""
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
    def behaviour(self) -> SplitMeasurements:
        """The runs without ablations, as `behaviour.lacks_behaviour` reads them."""
        nothing = np.zeros((len(PATCHES), 0, len(self.clean)))
        return SplitMeasurements(
            self.clean, self.corrupted, self.templates, nothing, np.zeros((0, 0, len(self.clean))), self.preference
        )

    @property
    def clusters(self) -> Shaped[np.ndarray, " example"]:
        """What intervals resample: templates, or pairs where all are of one template."""
        return self.behaviour.clusters

    @property
    def labels(self) -> tuple[Hashable, ...]:
        """The clusters, one by one."""
        return tuple(self.clusters.tolist())

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the fields under a prefix."""
        return {f"{prefix}_{one.name}": getattr(self, one.name) for one in fields(self)}

    @classmethod
    def from_arrays(cls, prefix: str, arrays: dict[str, np.ndarray]) -> "AblatedSplit":
        """Rebuild from what `arrays` returned."""
        return cls(**{one.name: arrays[f"{prefix}_{one.name}"] for one in fields(cls)})
