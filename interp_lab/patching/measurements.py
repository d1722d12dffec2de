"""What activation patching measured, split by split, and what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, Shaped

from interp_lab.claims import Claim, Evidence, Split
from interp_lab.experiment import Provenance
from interp_lab.patching.config import PatchingConfig
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval, paired_difference
from interp_lab.types import Interval


class Patch(StrEnum):
    """What was patched into what."""

    DENOISE = "denoise"
    """The pair's clean value into its corrupted run: does it bring the answer back?"""
    NOISE = "noise"
    """The pair's corrupted value into its clean run: does the answer get lost?"""
    DENOISE_NULL = "denoise_null"
    """Control of denoising: the value of another *corrupted* prompt of the template, which does not know the answer."""
    NOISE_NULL = "noise_null"
    """Control of noising: the value of another *clean* prompt of the template."""
    DENOISE_OTHER = "denoise_other"
    """Content: the value of another clean prompt, into the corrupted run. What this brings back, the site says of any
    clean prompt, and not of this one."""


PATCHES = tuple(Patch)


@dataclass(frozen=True)
class SplitMeasurements:
    """The numbers of one split, example by example, in the unit of the metric."""

    clean: Float[np.ndarray, " example"]
    corrupted: Float[np.ndarray, " example"]
    templates: Shaped[np.ndarray, " example"]
    """Names: the units that intervals resample."""
    changes: Float[np.ndarray, "patch site example"]
    """Metric under the patch minus that of the run it was put into, in the order of `PATCHES`."""
    sets: Float[np.ndarray, "map set example"]
    """Change by denoising the chosen sites of a map together, then as many random ones, again and again; NaN where none
    were chosen."""

    @property
    def total(self) -> Float[np.ndarray, " example"]:
        """What the corruption costs."""
        return self.clean - self.corrupted

    def effect(self, patch: Patch) -> Float[np.ndarray, "site example"]:
        """Return changes with the sign of the total effect: what is brought back, or lost."""
        changes = self.changes[PATCHES.index(patch)]
        return -changes if patch in (Patch.NOISE, Patch.NOISE_NULL) else changes

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the fields under a prefix."""
        names = ("clean", "corrupted", "templates", "changes", "sets")
        return {f"{prefix}_{name}": getattr(self, name) for name in names}


def as_shares(
    effects: Float[np.ndarray, "*site example"], total: Float[np.ndarray, " example"]
) -> Float[np.ndarray, "*site example"]:
    """Return values whose mean is the share mean(effect) / mean(total), and whose spread is that of the ratio.

    Both means are uncertain; to first order, the ratio r varies as the mean of r + (effect - r total) / mean(total).

    Source: the delta method for ratios (any text on survey sampling).
    """
    ratio = effects.mean(-1, keepdims=True) / total.mean()
    return ratio + (effects - ratio * total) / total.mean()


@dataclass(frozen=True)
class PatchingMeasurements:
    """Numbers of all splits, and what is chosen, compared and claimed."""

    config: PatchingConfig
    provenance: Provenance
    unit: str
    """Of the metric."""
    names: tuple[str, ...]
    """Of all sites, map by map."""
    maps: Mapping[str, "MapLabels"]
    select: SplitMeasurements
    report: SplitMeasurements
    held_out: SplitMeasurements | None
    chosen: Int[np.ndarray, " chosen"]
    """Sites that the selection split speaks for."""

    @cached_property
    def total(self) -> Interval:
        """What the corruption costs, on the report split, in the unit of the metric."""
        return mean_interval(self.report.total, self.report.templates, level=self.config.level, seed=self.config.seed)

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
        return bootstrap_interval(values, split.templates, level=c.level, seed=c.seed)

    def evidence(self, patch: Patch, split: Split) -> list[Evidence]:
        """Return the evidence on each chosen site: its effect, and that minus the control's; corrected together."""
        held = self.report if split is Split.REPORT else self.held_out
        if held is None or not len(self.chosen):
            return []
        null = Patch.DENOISE_NULL if patch is Patch.DENOISE else Patch.NOISE_NULL
        effects, control = (held.effect(one)[self.chosen] for one in (patch, null))
        return self._compared(
            held, effects, control, split=split, whats=[f"{patch} {self.names[nth]}" for nth in self.chosen],
            control_name=_CONTROL[patch],
        )  # fmt: skip

    def set_evidence(self, split: Split) -> dict[str, Evidence]:
        """Return, by map, the evidence on its chosen sites denoised together, against random sets of as many sites."""
        held = self.report if split is Split.REPORT else self.held_out
        with_sets = [] if held is None else [n for n in range(len(self.maps)) if np.isfinite(held.sets[n]).all()]
        if held is None or not with_sets:
            return {}
        names = [list(self.maps)[nth] for nth in with_sets]
        own, random = held.sets[with_sets, 0], held.sets[with_sets, 1:].mean(1)
        found = self._compared(
            held, own, random, split=split, whats=[f"denoise the chosen sites of {name} together" for name in names],
            control_name=f"mean of {self.config.n_random_sets} random sets of as many sites",
        )  # fmt: skip
        return dict(zip(names, found, strict=True))

    def _compared(
        self, held: SplitMeasurements, effects: np.ndarray, control: np.ndarray, *, split: Split,
        whats: Sequence[str], control_name: str,
    ) -> list[Evidence]:  # fmt: skip
        c = self.config
        own = self._interval(held, effects)
        against = self._interval(held, effects - control)
        adjusted = paired_difference(effects, control, held.templates, level=c.level, seed=c.seed).p_adjusted()
        return [
            Evidence(
                what=what,
                unit=self.effect_unit,
                effect=own.at(nth),
                versus_control=against.at(nth),
                p_adjusted=float(adjusted[nth]),
                control=control_name,
                split=split,
                n_examples=effects.shape[-1],
                margin=self.margin,
            )
            for nth, what in enumerate(whats)
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

    def _claim(self, statement: str, effect: Evidence, replication: Evidence | None) -> Claim:
        observed = f"the corruption costs {self.total} {self.unit}; the site was chosen on the selection split"
        return Claim(statement, observed, effect, replication, alpha=self.config.fdr)


_CONTROL = {
    Patch.DENOISE: "the value of another corrupted prompt of the template",
    Patch.NOISE: "the value of another clean prompt of the template",
}
_SAYS = {
    Patch.DENOISE: "The clean value at {site} brings the answer back in corrupted prompts ({model})",
    Patch.NOISE: "The corrupted value at {site} takes the answer away in clean prompts ({model})",
}


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

    Corrected over all sites of all maps (Benjamini and Hochberg).
    """
    effects, control = select.effect(Patch.DENOISE), select.effect(Patch.DENOISE_NULL)
    adjusted = paired_difference(effects, control, select.templates, level=config.level, seed=config.seed).p_adjusted()
    size = np.abs(effects.mean(-1)) * (adjusted < config.fdr)
    found: list[int] = []
    for labels in maps.values():
        own = size[labels.cells]
        largest = np.argsort(-own, kind="stable")[: config.n_top]
        found += [labels.first + int(nth) for nth in largest if own[nth] > 0]
    return np.array(found, dtype=np.int64)
