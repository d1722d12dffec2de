"""What activation patching measured, split by split, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.experiment import Provenance
from interp_lab.patching.changes import PATCHES, Patch, SplitMeasurements, as_shares
from interp_lab.patching.choice import MapLabels
from interp_lab.patching.config import PatchingConfig
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval, paired_difference
from interp_lab.types import Interval


@dataclass(frozen=True)
class PatchingMeasurements:
    """Numbers of all splits, and what is chosen, compared and claimed."""

    config: PatchingConfig
    provenance: Provenance
    unit: str
    """Of the metric."""
    names: tuple[str, ...]
    """Of all sites, map by map."""
    maps: Mapping[str, MapLabels]
    select: SplitMeasurements
    report: SplitMeasurements
    held_out: SplitMeasurements | None
    chosen: Int[np.ndarray, " chosen"]
    """Sites that the selection split speaks for."""

    @cached_property
    def total(self) -> Interval:
        """What the corruption costs, on the report split, in the unit of the metric."""
        return self.total_on(self.report)

    def total_on(self, split: SplitMeasurements) -> Interval:
        """Return what the corruption costs on one split."""
        return mean_interval(split.total, split.clusters, level=self.config.level, seed=self.config.seed)

    @property
    def is_normalised(self) -> bool:
        """Whether effects are given as shares of the total effect: only where that is clear of zero."""
        return self.total.excludes(0.0)

    @property
    def effect_unit(self) -> str:
        """Of effects and their intervals."""
        return "share of the total effect" if self.is_normalised else self.unit

    @property
    def margin(self) -> float:
        """Smallest effect of interest, in the unit of effects; raw effects have none to be taken a share of."""
        return self.config.smallest_effect if self.is_normalised else 0.0

    def in_unit(self, split: SplitMeasurements, effects: Float[np.ndarray, "*site example"]) -> np.ndarray:
        """Return effects, example by example, in the unit that they are given in."""
        return as_shares(effects, split.total) if self.is_normalised else effects

    @cached_property
    def intervals(self) -> dict[Patch, Intervals]:
        """Effects of every site on the report split."""
        return {patch: self._interval(self.report, self.report.effect(patch)) for patch in PATCHES}

    @cached_property
    def disagreement(self) -> Intervals:
        """Denoising minus noising.

        Above zero where a site suffices more than it is needed, because others carry the same; below, where it is
        needed and not enough.
        """
        difference = self.report.effect(Patch.DENOISE) - self.report.effect(Patch.NOISE)
        return self._interval(self.report, difference)

    @cached_property
    def disagrees(self) -> np.ndarray:
        """Where denoising and noising differ by more than the smallest effect of interest."""
        return (self.disagreement.low > self.margin) | (self.disagreement.high < -self.margin)

    @cached_property
    def specificity(self) -> Intervals:
        """What the own clean value brings back beyond that of another clean prompt of the template."""
        difference = self.report.effect(Patch.DENOISE) - self.report.effect(Patch.DENOISE_OTHER)
        return self._interval(self.report, difference)

    def _interval(self, split: SplitMeasurements, effects: np.ndarray) -> Intervals:
        values, c = self.in_unit(split, effects), self.config
        return bootstrap_interval(values, split.clusters, level=c.level, seed=c.seed)

    def _split(self, split: Split) -> SplitMeasurements | None:
        """Return what evidence is taken from.

        Nothing, where shares mean nothing because the corruption costs nothing, or where there is a single held-out
        template: its pairs cannot speak for others.
        """
        held = self.report if split is Split.REPORT else self.held_out
        if held is None or (split is Split.HELD_OUT and not held.has_templates):
            return None
        return None if self.is_normalised and not self.total_on(held).excludes(0.0) else held

    def evidence(self, patch: Patch, split: Split) -> list[Evidence]:
        """Return the evidence on each chosen site: its effect, and that minus the control's."""
        return [found for key, found in self._tested(split).items() if key[0] == patch]

    def set_evidence(self, split: Split) -> dict[str, Evidence]:
        """Return, by map, the evidence on its chosen sites denoised together, against random sets of as many sites."""
        return {what: found for (kind, what), found in self._tested(split).items() if kind == _SETS}

    def _tested(self, split: Split) -> dict[tuple[str, str], Evidence]:
        """Return the evidence on all that is tested, by what was done and where; corrected over all of it."""
        held = self._split(split)
        if held is None or not len(self.chosen):
            return {}
        tested: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
        for patch, null in _NULL_OF.items():
            effects, control = (held.effect(one)[self.chosen] for one in (patch, null))
            names = [(str(patch), self.names[site]) for site in self.chosen]
            tested |= dict(zip(names, zip(effects, control, strict=True), strict=True))
        for name, sets in zip(self.maps, held.sets, strict=True):
            if np.isfinite(sets).all():
                tested[_SETS, name] = (sets[0], sets[1:].mean(0))
        return dict(zip(tested, self._compared(held, tested, split=split), strict=True))

    def _compared(
        self, held: SplitMeasurements, tested: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]], *, split: Split
    ) -> list[Evidence]:
        c = self.config
        effects, control = (np.stack(side) for side in zip(*tested.values(), strict=True))
        own, against = self._interval(held, effects), self._interval(held, effects - control)
        adjusted = paired_difference(effects, control, held.clusters, level=c.level, seed=c.seed).p_adjusted()
        return [
            Evidence(
                what=f"{kind} {what}",
                unit=self.effect_unit,
                effect=own.at(nth),
                versus_control=against.at(nth),
                p_adjusted=float(adjusted[nth]),
                control=f"mean of {c.n_random_sets} random sets of as many sites" if kind == _SETS else _CONTROL[kind],
                split=split,
                n_examples=effects.shape[-1],
                margin=self.margin,
            )
            for nth, (kind, what) in enumerate(tested)
        ]

    def claims(self) -> list[Claim]:
        """Return what is claimed of each chosen site, one claim per direction, and of the chosen sites together."""
        made = []
        for patch, says in _SAYS.items():
            found, again = (self.evidence(patch, split) for split in (Split.REPORT, Split.HELD_OUT))
            for nth, (site, effect) in enumerate(zip(self.chosen, found, strict=True)):
                statement = says.format(site=self.names[site], model=self.config.model)
                made.append(self._claim(statement, effect, again[nth] if again else None))
        together, again_together = self.set_evidence(Split.REPORT), self.set_evidence(Split.HELD_OUT)
        for name, effect in together.items():
            statement = f"The chosen sites of {name} together carry what the corruption changes in {self.config.model}"
            made.append(self._claim(statement, effect, again_together.get(name)))
        return made

    def grades(self) -> dict[str, tuple[Grade, Grade]]:
        """Return, by chosen site, the grades of what is claimed of denoising and of noising it."""
        graded, n = [claim.grade for claim in self.claims()], len(self.chosen)
        return {self.names[site]: (graded[nth], graded[n + nth]) for nth, site in enumerate(self.chosen)}

    def _claim(self, statement: str, effect: Evidence, replication: Evidence | None) -> Claim:
        observed = f"the corruption costs {self.total} {self.unit}; the site was chosen on the selection split"
        return Claim(statement, observed, effect, replication, alpha=self.config.fdr)


_SETS = "denoise together the chosen sites of"
_NULL_OF = {Patch.DENOISE: Patch.DENOISE_NULL, Patch.NOISE: Patch.NOISE_NULL}
_CONTROL: Mapping[str, str] = {
    Patch.DENOISE: "the value of another corrupted prompt of the template",
    Patch.NOISE: "the value of another clean prompt of the template",
}
_SAYS = {
    Patch.DENOISE: "The clean value at {site} brings the answer back in corrupted prompts ({model})",
    Patch.NOISE: "The corrupted value at {site} takes the answer away in clean prompts ({model})",
}
