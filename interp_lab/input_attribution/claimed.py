"""What maps and their checks amount to: intervals, the map that was chosen, evidence and claims."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Claim, Evidence, Grade
from interp_lab.effects import Compared, with_replications
from interp_lab.effects.behaviour import why_not_asked, why_not_replicable
from interp_lab.effects.untouched import Untouched
from interp_lab.experiment import Provenance
from interp_lab.input_attribution.comparison import Comparison, compared_at_places
from interp_lab.input_attribution.config import InputAttributionConfig
from interp_lab.input_attribution.measured import MapsOfSplit
from interp_lab.input_attribution.methods import UNSIGNED
from interp_lab.input_attribution.removal import Removal
from interp_lab.input_attribution.sanity import Sanity
from interp_lab.stats import Intervals, bootstrap_interval
from interp_lab.types import UNMEASURED, Interval

Tested = tuple[Evidence, Evidence | None]


TAKEN: dict[Removal, str] = {
    "prompt": "replaced by another prompt's",
    "corrupted": "replaced by the corrupted prompt's",
    "mask": "masked",
    "delete": "deleted",
}
"""What becomes of tokens, by removal."""


@dataclass(frozen=True)
class AttributionClaims:
    """Numbers of all splits, and what they support."""

    config: InputAttributionConfig
    provenance: Provenance
    unit: str
    select: MapsOfSplit
    report: MapsOfSplit
    held_out: MapsOfSplit | None
    sanity: Sanity | None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the maps."""
        return tuple(name for name, _, _ in self.config.maps())

    @property
    def signed(self) -> tuple[bool, ...]:
        """Whether each map says for or against, in the unit of the target."""
        return tuple(method not in UNSIGNED for _, method, _ in self.config.maps())

    @property
    def target(self) -> str:
        """The target, in words."""
        return self.config.target.replace("_", " ") if self.config.target != "continuation" else "log-probability"

    @cached_property
    def chosen(self) -> str:
        """The map whose first tokens are needed most on the selection half, masked (see `measured.CHOOSING`)."""
        needed = self.select.curves(0).comprehensiveness[: len(self.names)].mean(-1)
        return self.names[int(needed.argmax())]

    @cached_property
    def not_asked(self) -> str | None:
        """Why nothing is claimed: no behaviour, or templates too few to tell; `None` if claims are made."""
        return self._no_answer(self.report)

    @cached_property
    def not_replicable(self) -> str | None:
        """Why nothing can be replicated on held-out templates; `None` if it can."""
        return why_not_replicable(self.held_out, self._no_answer)

    def _no_answer(self, split: Untouched) -> str | None:
        c = self.config
        n_tests = len(self.names) * len(c.removals)
        return why_not_asked(
            split, metric=c.target, unit=self.unit, least=c.least_logits, n_tests=n_tests, fdr=c.fdr,
            level=c.level, seed=c.seed,
        )  # fmt: skip

    def margin(self, split: MapsOfSplit, removal: int) -> float:
        """Return the smallest effect of interest (unit of the target): a share of what all tokens together do."""
        curves = split.curves(removal)
        return self.config.smallest_effect * abs(float((curves.full - curves.empty).mean()))

    def interval(self, values: Float[np.ndarray, "*site example"], split: MapsOfSplit | None = None) -> Intervals:
        """Return intervals of means over prompts, of the report half unless told otherwise."""
        labels = self._labels(self.report if split is None else split)
        return bootstrap_interval(values, labels, level=self.config.level, seed=self.config.seed)

    def over(self, values: Float[np.ndarray, " example"]) -> Interval:
        """Return the interval of a mean over the prompts of the report half that have a value; the others are NaN.

        `UNMEASURED`, if these are of fewer than two templates (or prompts, where there is one template).
        """
        there = np.flatnonzero(~np.isnan(values))
        labels = [self._labels(self.report)[row] for row in there]
        if len(set(labels)) < 2:
            return UNMEASURED
        return bootstrap_interval(values[there], labels, level=self.config.level, seed=self.config.seed).at()

    def sane(self, values: Float[np.ndarray, " example"]) -> Interval:
        """Return the interval of a mean over the prompts that were disturbed."""
        assert self.sanity is not None, "the callers ask"
        templates = self.sanity.templates.tolist()
        labels = templates if len(set(templates)) > 1 else None
        return bootstrap_interval(values, labels, level=self.config.level, seed=self.config.seed).at()

    @cached_property
    def evidence(self) -> dict[tuple[Removal, str], Tested]:
        """By removal and map: what its first tokens do when they are removed, beside random orders."""
        if self.not_asked is not None:
            return {}
        c = self.config
        report = [self._compared(self.report, nth) for nth in range(len(c.removals))]
        away = None if self.not_replicable is not None else self.held_out
        held_out = [None if away is None else self._compared(away, nth) for nth in range(len(c.removals))]
        tested = with_replications(report, held_out, alpha=c.fdr, level=c.level, seed=c.seed)
        return {
            (by, name): one
            for by, own in zip(c.removals, tested, strict=True)
            for name, one in zip(self.names, own, strict=True)
        }

    def _compared(self, split: MapsOfSplit, nth: int) -> Compared:
        by, needed, n = self.config.removals[nth], split.curves(nth).comprehensiveness, len(self.names)
        return Compared(
            names=tuple(f"first tokens of {name} {TAKEN[by]}: fall of {self.target}" for name in self.names),
            changes=needed[:n],
            controls=(needed[n:],) * n,
            of=("random orders of the tokens that are changed",) * n,
            unit=self.unit,
            margin=self.margin(split, nth),
            clusters=tuple(map(str, self._labels(split))),
        )

    def _labels(self, split: MapsOfSplit) -> tuple[Hashable, ...]:
        return tuple(split.clusters.tolist())

    def claims(self) -> list[Claim]:
        """Return a claim per map and removal; nothing, if nothing was asked (see `not_asked`)."""
        return [self._claim(by, name, *tested) for (by, name), tested in self.evidence.items()]

    def _claim(self, by: Removal, name: str, effect: Evidence, again: Evidence | None) -> Claim:
        nth = self.names.index(name)
        statement = (
            f"The answer needs the tokens that {name} ranks first in {self.config.model}: more is lost when these are "
            f"{TAKEN[by]} than when as many are that are drawn at random (which may be some of the same)"
        )
        exact = self.over(self.report.kendall[-1, nth])
        observed = f"tokens that differ from the other prompt's it ranks as exact patching does at a tau of {exact}"
        return Claim(statement, observed, effect, again, alpha=self.config.fdr)

    def grade(self, by: Removal, name: str) -> Grade | None:
        """Return the grade of the claim on a map under a removal; `None` if nothing was asked."""
        tested = self.evidence.get((by, name))
        return None if tested is None else self._claim(by, name, *tested).grade

    @cached_property
    def comparison(self) -> Comparison:
        """Maps against patching and occlusion, place by place, on the report half; occlusion itself is left out."""
        kept = [nth for nth, (_, method, _) in enumerate(self.config.maps()) if method != "occlusion"]
        return compared_at_places(
            self.report.values[kept],
            [self.names[nth] for nth in kept],
            self.report.placed,
            signed=[self.signed[nth] for nth in kept],
            patched=self.report.patched,
            occluded=self.report.occluded,
            clusters=self._labels(self.report),
            unit=self.unit,
            margin=self.margin(self.report, 0),
            counted=self.report.counted[kept],
            level=self.config.level,
            seed=self.config.seed,
        )
