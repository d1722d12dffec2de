"""Whether there is a behaviour, and the one claim that says so."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.behaviour.config import BehaviourConfig
from interp_lab.behaviour.measured import Able, Behaved
from interp_lab.claims import Claim, Grade, Split
from interp_lab.effects import Compared, Tested, with_replications
from interp_lab.effects.behaviour import lacks_behaviour
from interp_lab.effects.metric_names import COSTS
from interp_lab.experiment import Provenance
from interp_lab.hypotheses import Confirmation
from interp_lab.stats import SHARE, known_interval
from interp_lab.types import Interval


@dataclass(frozen=True)
class BehaviourClaims:
    """What was measured, and what follows."""

    config: BehaviourConfig
    provenance: Provenance
    metric: str
    unit: str
    report: Behaved
    held_out: Behaved | None
    capabilities: Able
    under: str | None
    """What was measured under."""

    @property
    def splits(self) -> Mapping[Split, Behaved]:
        """Those that were measured."""
        found = {Split.REPORT: self.report}
        return found if self.held_out is None else found | {Split.HELD_OUT: self.held_out}

    def interval(
        self,
        values: Float[np.ndarray, " example"],
        clusters: Shaped[np.ndarray, " example"],
        *,
        within: tuple[float, float] | None = None,
    ) -> Interval:
        """Return the interval of a mean, over the examples for which there is a value; see `stats.known_interval`."""
        return known_interval(values, clusters, within=within, level=self.config.level, seed=self.config.seed)

    @cached_property
    def not_asked(self) -> str | None:
        """Why there is nothing to explain; `None` if there is."""
        c = self.config
        return lacks_behaviour(
            self.report, metric=self.metric, unit=self.unit, least=c.least_logits, level=c.level, seed=c.seed
        )

    @cached_property
    def evidence(self) -> Tested | None:
        """What the change of the prompt does, beside what it does to untrained models; `None` if not asked."""
        if self.not_asked is not None:
            return None
        away = None if self.held_out is None else self._compared(self.held_out)
        c = self.config
        ((found,),) = with_replications([self._compared(self.report)], [away], alpha=c.fdr, level=c.level, seed=c.seed)
        return found

    def _compared(self, split: Behaved) -> Compared:
        return Compared(
            names=(f"change of the prompt: {self.metric.replace('_', ' ')}",),
            changes=split.total[None],
            controls=(split.untrained,),
            of=("same differences in untrained models of this shape",),
            unit=self.unit,
            margin=self.config.least_logits if self.metric == "logit_difference" else 0.0,
            clusters=tuple(map(str, split.clusters)),
        )

    @property
    def statement(self) -> str:
        """What is claimed."""
        c = self.config
        does = f"raises {self.metric.replace('_', ' ')}" if self.metric in COSTS else "changes the answer"
        return f"In {c.model}, what tells the clean prompts of {c.task} from the corrupted ones {does}"

    def claims(self) -> list[Claim]:
        """Return one claim: the change of the prompt changes the answer; none if there is nothing to explain."""
        if self.evidence is None:
            return []
        effect, again = self.evidence
        right = self.interval(self.report.right[0], self.report.clusters, within=SHARE)
        shuffled = self.interval(self.report.shuffled.mean(0), self.report.clusters)
        observed = (
            f"right on {right} of the clean prompts; by answers of other pairs the corruption costs {shuffled} "
            f"{self.unit}"
        )
        return [Claim(self.statement, observed, effect, again, alpha=self.config.fdr)]

    def confirmation(self) -> Confirmation | None:
        """Return the claim, if it holds here: nothing was chosen for it."""
        claims = [claim for claim in self.claims() if claim.grade >= Grade.CAUSAL]
        if not claims:
            return None
        return Confirmation(
            config={},
            statements=(claims[0].statement,),
            components={claims[0].statement: "the prompt"},
            uncertain={claims[0].statement: "Which part of the model it goes through, and prompts of other kinds."},
        )
