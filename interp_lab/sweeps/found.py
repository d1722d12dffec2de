"""What a sweep came to, before it is shown: trials, what was chosen among them, and what is left of it elsewhere."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.experiment import Provenance
from interp_lab.sweeps.config import Searchable, SweepConfig
from interp_lab.sweeps.held_out import Again, remeasured
from interp_lab.sweeps.importance import FEWEST_TRIALS, Importance
from interp_lab.sweeps.pareto import SECONDS, Objective, on_front, usual_objectives
from interp_lab.sweeps.searched import Searched
from interp_lab.sweeps.shrinkage import Remeasured
from interp_lab.types import nearest


@dataclass(frozen=True)
class Found:
    """Everything that tables, figures and texts are made from."""

    config: SweepConfig
    provenance: Provenance
    searched: Searched
    importance: Importance | None
    """`None` where there is too little to rank; `not_ranked` says why."""
    again: tuple[Again, ...]
    """The winner and the config without the swept values, measured again."""

    @cached_property
    def best(self) -> int | None:
        """Row of the best trial; `None` if no trial can be compared."""
        return self.searched.best(sign=self.config.sign)

    @cached_property
    def varied(self) -> tuple[int, ...]:
        """Columns of the parameters that were tried at more than one value."""
        return tuple(np.flatnonzero(self.searched.varied()).tolist())

    @cached_property
    def known(self) -> tuple[Searchable, ...]:
        """Every parameter of the definition."""
        return self.config.parameters

    @property
    def n_tied(self) -> int:
        """How many trials are as good as the best, it included."""
        if self.best is None:
            return 0
        s = self.searched
        return int((s.comparable & (s.metric == s.metric[self.best])).sum())

    @property
    def not_ranked(self) -> str:
        """Why parameters have no importance; empty if they have."""
        return why_not_ranked(self.searched, self.varied) if self.importance is None else ""

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """What the metric is weighed against."""
        if not self.config.pareto:
            return usual_objectives(self.searched.other_names, metric=self.config.metric)
        asked = map(Objective.named, self.config.pareto)
        return tuple(one for one in asked if one.name in (*self.searched.other_names, SECONDS))

    @property
    def unknown_objectives(self) -> tuple[str, ...]:
        """What the metric was to be weighed against and no trial has, each with the nearest name there is."""
        names = (*self.searched.other_names, SECONDS)
        asked = [Objective.named(text).name for text in self.config.pareto]
        return tuple(f"{name!r}{nearest(name, names)}" for name in asked if name not in names)

    @cached_property
    def gains(self) -> Float[np.ndarray, "trial objective"]:
        """The metric and the objectives, higher is better; NaN for trials that cannot be compared."""
        s = self.searched
        columns = [self.config.sign * s.metric, *(one.sign * s.measured(one.name) for one in self.objectives)]
        return np.where(s.comparable[:, None], np.stack(columns, axis=1), np.nan)

    @cached_property
    def front(self) -> Bool[np.ndarray, " trial"]:
        """Which trials no other beats in the metric and all objectives; none if there is nothing to weigh."""
        return on_front(self.gains) if self.objectives else np.zeros(len(self.gains), dtype=bool)

    @cached_property
    def remeasured(self) -> Remeasured | None:
        """Winner and base on the held-out fold; `None` if that was not done, or every run of it failed."""
        if self.best is None:
            return None
        return remeasured(
            self.again, float(self.searched.metric[self.best]), sign=self.config.sign, level=self.config.level
        )


def why_not_ranked(searched: Searched, varied: tuple[int, ...]) -> str:
    """Return why the importance of parameters is not estimated; empty if it can be."""
    n = searched.n_comparable
    if n < FEWEST_TRIALS:
        return f"it takes {FEWEST_TRIALS} trials with a value, and there {'is' if n == 1 else 'are'} {n}"
    if np.ptp(searched.metric[searched.comparable]) == 0:
        return f"all {n} trials came to the same value, so that there is nothing to rank"
    return "" if varied else "no parameter was tried at more than one value"
