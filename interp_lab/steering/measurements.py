"""All that was measured, and what follows: what is chosen, and how it holds up on prompts that chose nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from interp_lab.claims import Split
from interp_lab.experiment import Provenance
from interp_lab.stats import Intervals, bootstrap_interval, bounded_interval
from interp_lab.steering.choice import Choice
from interp_lab.steering.config import SteeringConfig
from interp_lab.steering.controls import Controls, Doses
from interp_lab.steering.costs import Costs
from interp_lab.steering.gates import Gate
from interp_lab.steering.generated.generated import Generated
from interp_lab.steering.measured import Scale, Steered, on_scale
from interp_lab.steering.measuring import choices_by_direction, chosen, whole
from interp_lab.steering.plan import Family, Plan
from interp_lab.steering.reliability import (
    clusters_of,
    monotone,
    moved_wrong,
    rank_correlations,
    rank_p,
    shrinkage,
)
from interp_lab.steering.setting import Setting
from interp_lab.steering.side_effects import SideEffects
from interp_lab.types import Interval


@dataclass(frozen=True)
class SteeringMeasurements:
    """What settings do and cost on each split, and what stands beside those that lead."""

    config: SteeringConfig
    provenance: Provenance
    scale: Scale
    target: str
    """Its name."""
    unit: str
    plan: Plan
    lengths: Mapping[str, Mapping[str, float]]
    """Of each direction, by hook point (units of activation)."""
    gates: tuple[Gate, ...]
    """That some settings have."""
    select: Steered
    """All settings."""
    select_costs: Costs
    """All settings; capabilities only of those within the budget for KL."""
    reported: Int[np.ndarray, " reported"]
    """Settings that are measured again: those that lead, their families, and the frontiers; ascending."""
    report: Steered
    """Of `reported`."""
    report_costs: Costs
    """Of `reported`."""
    held_out: Steered | None
    """Of `reported`, on templates that neither split has; `None` if there are none."""
    deciding: Mapping[Split, Steered]
    """The gap by what should decide, under the settings that lead (in their order); none if it was not asked for."""
    controls: Mapping[int, Controls]
    """By sign, of the setting that leads."""
    doses: Mapping[int, Doses]
    """By family, of those that lead."""
    generated: Generated | None
    """What is written under the settings that lead; `None` if not asked for, or if none leads."""
    side_effects: SideEffects | None
    """What directions do to other traits, put in as what leads to the positive side is (or else the negative one)."""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """All settings of the plan."""
        return self.plan.settings

    @cached_property
    def choices(self) -> Mapping[int, Choice]:
        """By sign: what the selection split says."""
        found = chosen(self.plan, self.select, self.select_costs, self.scale, config=self.config)
        return {choice.sign: choice for choice in found}

    @cached_property
    def choices_of(self) -> Mapping[str, Mapping[int, Choice]]:
        """By direction and sign: what the selection split says of its settings alone."""
        found = choices_by_direction(self.plan, self.select, self.select_costs, self.scale, config=self.config)
        return {name: {choice.sign: choice for choice in own} for name, own in found.items()}

    @property
    def leading(self) -> Mapping[int, int]:
        """By sign, the setting that leads, within the budget or not; a sign that nothing moves to is missing."""
        return {sign: choice.leading for sign, choice in self.choices.items() if choice.leading is not None}

    def is_within(self, sign: int) -> bool:
        """Whether what leads kept to the budget on the selection split."""
        return self.choices[sign].best is not None

    def stays_within(self, sign: int) -> bool:
        """Whether what leads keeps to the budget on the report split as well."""
        return self.is_within(sign) and bool(self.within(self.report_costs)[self.at(self.leading[sign])])

    def family(self, setting: int) -> Family:
        """Return the family of a setting."""
        return self.plan.families[self.plan.family_of[setting]]

    def named(self, setting: int) -> str:
        """Return what tables and texts call a setting."""
        return self.family(setting).named(self.settings[setting].coefficient)

    def at(self, setting: int) -> int:
        """Return the place of a setting among those that are reported."""
        return int(np.flatnonzero(self.reported == setting)[0])

    def split(self, split: Split) -> Steered:
        """Return the target of a split; held-out templates must be there."""
        found = {Split.SELECT: self.select, Split.REPORT: self.report, Split.HELD_OUT: self.held_out}[split]
        assert found is not None, "the caller asks only for splits that were measured"
        return found

    def changes(
        self, setting: int, split: Split = Split.REPORT, *, scale: Scale | None = None
    ) -> Float[np.ndarray, " example"]:
        """Return what a setting changes, prompt by prompt."""
        place = setting if split is Split.SELECT else self.at(setting)
        return self.split(split).changes(scale or self.scale)[place]

    def changed_by(
        self, values: Float[np.ndarray, "*site example"], split: Split
    ) -> Float[np.ndarray, "*site example"]:
        """Return what controls change, from the target under them."""
        return on_scale(values, self.scale) - on_scale(self.split(split).baseline, self.scale)

    def interval(
        self, values: Float[np.ndarray, "*site example"], labels: Shaped[np.ndarray, " example"] | None = None
    ) -> Intervals:
        """Return intervals of means over prompts of the report split (or others, with their own labels)."""
        names = self.report.templates if labels is None else labels
        return bootstrap_interval(values, clusters_of(names), level=self.config.level, seed=self.config.seed)

    def effect(self, setting: int, split: Split = Split.REPORT, *, scale: Scale | None = None) -> Interval:
        """Return the mean change of the target under a setting."""
        return self.interval(self.changes(setting, split, scale=scale), self.split(split).templates).at()

    def kl(self, setting: int) -> Interval:
        """Return the price of a setting on the report half of the neutral texts (nats per token)."""
        return self.of_documents(self.report_costs.kl[self.at(setting)])

    def of_documents(self, values: Float[np.ndarray, " document"]) -> Interval:
        """Return the interval of a mean over neutral texts of the report half; NaN is left out."""
        there = np.isfinite(values)
        if there.sum() < 2:
            return Interval(float(np.nan), float(np.nan), float(np.nan), self.config.level)
        return self.interval(values[there], self.report_costs.templates[there]).at()

    def margin(self, split: Split = Split.REPORT) -> float:
        """Return the smallest effect of interest, in the unit of the target."""
        return self.config.smallest_effect * whole(self.split(split), self.scale)

    def wrong_way(
        self, sign: int, split: Split = Split.REPORT, *, of: int | None = None, beyond: float = 0.0
    ) -> Interval:
        """Return the share of prompts that what leads (or another setting) moves against its sign.

        Args:
            beyond: what counts must be more than this (unit of the target).
        """
        wrong = moved_wrong(self.changes(self.leading[sign] if of is None else of, split), sign, beyond=beyond)
        return self._share(wrong, self.split(split).templates)

    def shrinkage(self, sign: int) -> Interval:
        """Return how much farther what leads moved the prompts that chose it than those it is reported on."""
        chosen = self.leading[sign]
        return shrinkage(
            sign * self.changes(chosen, Split.SELECT), sign * self.changes(chosen),
            select_templates=self.select.templates.tolist(), report_templates=self.report.templates.tolist(),
            level=self.config.level, seed=self.config.seed,
        )  # fmt: skip

    def dose_response(self, family: int) -> tuple[Float[np.ndarray, " dose"], Float[np.ndarray, "dose example"]]:
        """Return coefficients and the target of a family on the report split, the unsteered model among them.

        What coefficient 0 stands for is the unsteered model, but for a clamp, whose 0 is a dose like any other.
        """
        members = self.plan.of(family).tolist()
        doses = np.array([self.settings[nth].coefficient for nth in members])
        values = on_scale(self.report.values[[self.at(nth) for nth in members]], self.scale)
        if self.plan.families[family].how == "clamp":
            return doses, values
        doses, values = np.append(doses, 0.0), np.vstack([values, on_scale(self.report.baseline, self.scale)])
        order = np.argsort(doses, kind="stable")
        return doses[order], values[order]

    def monotone_share(self, family: int) -> Interval:
        """Return the share of prompts whose target never falls as the coefficient rises."""
        return self._share(monotone(self.dose_response(family)[1]), self.report.templates)

    def _share(self, which: Bool[np.ndarray, " example"], labels: Shaped[np.ndarray, " example"]) -> Interval:
        return bounded_interval(which.astype(float), clusters_of(labels), level=self.config.level)

    def rank_correlation(self, family: int) -> Interval:
        """Return the mean over prompts of Spearman's correlation of target and coefficient."""
        return self.interval(rank_correlations(self.dose_response(family)[1])).at()

    def random_p(self, sign: int, *, orthogonal: bool = False) -> float:
        """Return the p of what leads by its rank among random directions at its setting."""
        own = self.controls[sign]
        drawn = self.changed_by(own.orthogonal if orthogonal else own.random, Split.REPORT).mean(-1)
        return rank_p(float(self.changes(self.leading[sign]).mean()), drawn)

    def within(self, costs: Costs) -> Shaped[np.ndarray, " setting"]:
        """Return which settings keep to the budget, by means over the texts and questions of a split."""
        return costs.price.keeps(self.config.budget)
