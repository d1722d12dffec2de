"""The prescreen of the parts: first-order estimates of patches beside the exact ones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from interp_lab.effects.parts import Part
from interp_lab.patching.ablating.parts import AblatedSites
from interp_lab.patching.prescreen import Estimator, found_of_top, prescreen
from interp_lab.runs.fields import KeptFields
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Screened(KeptFields):
    """Estimates and exact effects of patching each part with its corrupted value, on the clean prompts of a split."""

    estimates: Float[np.ndarray, "site example"]
    exact: Float[np.ndarray, "site example"]
    kept: Int[np.ndarray, " _"]
    """Sites with the largest estimates, the largest first."""
    passes: Int[np.ndarray, " 3"]
    """Passes of one prompt through the model: forward and backward ones of estimates and of what was kept; forward ones
    of patching everything."""

    @property
    def recall(self) -> float | None:
        """Share of as many of the largest exact effects as were kept that are among the kept; `None` if all are 0."""
        return found_of_top(self.exact, self.kept.tolist(), top=len(self.kept))[0]

    @property
    def missed(self) -> tuple[int, ...]:
        """Those of them that are not, the largest first."""
        return found_of_top(self.exact, self.kept.tolist(), top=len(self.kept))[1]


def screened(
    model: HookedModel, part: Part, sites: AblatedSites, *, method: Estimator, keep: int, budget: int | None
) -> Screened:
    """Estimate noising every part, make the largest exactly, and the others too, to see what was missed.

    Raises: ValueError, as `prescreen`.
    """
    found = prescreen(
        model,
        part.pairs.clean,
        corrupted=part.pairs.corrupted,
        groups=[[site] for site in sites.sites],
        metric=part.metric,
        keep=min(keep, len(sites.sites)),
        method=method,
        direction="noise",
        mask=part.pairs.mask,
        memory_budget=budget,
        grad_drop=int(model.cfg.n_layers) > 1,
    )
    assert found.all_exact is not None, "verify_all is the default"
    passes = np.array([found.cost.forward, found.cost.backward, found.cost_of_all.forward])
    return Screened(found.estimated.estimates, found.all_exact.changes, np.array(found.kept, dtype=np.int64), passes)
