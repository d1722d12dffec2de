"""What lenses found: where the answer is readable, chosen on one split and reported on others; and what is claimed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Claim, Split
from interp_lab.experiment import Provenance
from interp_lab.lenses.asked import END
from interp_lab.lenses.config import LensesConfig
from interp_lab.lenses.debugged import Debugged
from interp_lab.lenses.divergence import LensDivergence
from interp_lab.lenses.logit_lens import LogitLens
from interp_lab.lenses.measured import LensSplit, ScopeSplit, ShownPrompt
from interp_lab.lenses.readable import CHANCE
from interp_lab.stats import Intervals, PairedDifference, bootstrap_interval, bounded_intervals
from interp_lab.types import Interval


@dataclass(frozen=True)
class Appearance:
    """The first point at which the right answer is readable at a place, chosen on the selection split.

    Chosen where its interval on that split lies wholly above the share that counts as readable.
    """

    place: str
    point: int | None
    """By number; `None` if it is readable nowhere at this place."""
    report: Interval | None
    """Share of shuffled answers that it outranks there, on other prompts."""
    before: Interval | None
    """The same one point earlier; `None` at the first."""
    held_out: Interval | None
    """The same as `report` on held-out templates."""
    untrained: Interval | None
    """The same in untrained models."""
    at_least: float

    @property
    def holds(self) -> bool:
        """Whether it is readable on prompts that did not choose the point."""
        return _readable(self.report, self.at_least)

    @property
    def holds_again(self) -> bool:
        """Whether it is readable on held-out templates."""
        return _readable(self.held_out, self.at_least)


def _readable(share: Interval | None, at_least: float) -> bool:
    return share is not None and share.estimate >= at_least and share.low > CHANCE


@dataclass(frozen=True)
class LensFindings:
    """Numbers of all splits, and what they amount to."""

    config: LensesConfig
    provenance: Provenance
    lens: str
    points: tuple[str, ...]
    places: tuple[str, ...]
    """In the order of the prompts, `end` last."""
    splits: Mapping[Split, LensSplit]
    untrained: Float[np.ndarray, "point example place"]
    """Share of shuffled answers that the right one outranks in untrained models, read by the logit lens; of the report
    split."""
    shown: tuple[ShownPrompt, ...]
    divergence: LensDivergence | None
    """Of a tuned lens."""
    losses: Float[np.ndarray, "_ _"]
    """KL (nats) while a tuned lens was trained."""
    scope: ScopeSplit | None
    wrong: Debugged

    @property
    def end(self) -> int:
        """Number of the place that predicts the answer."""
        return self.places.index(END)

    @property
    def report(self) -> LensSplit:
        """The split that numbers are reported of."""
        return self.splits[Split.REPORT]

    def interval(self, values: Float[np.ndarray, "*site example"], split: Split = Split.REPORT) -> Intervals:
        """Return means over the prompts of a split, with intervals."""
        c = self.config
        return bootstrap_interval(values, self.splits[split].units, level=c.level, seed=c.seed)

    def shares(self, values: Float[np.ndarray, "*site example"], split: Split = Split.REPORT) -> Intervals:
        """Return the same of values from 0 to 1: shares and probabilities."""
        return bounded_intervals(values, self.splits[split].units, level=self.config.level)

    @cached_property
    def appearances(self) -> tuple[Appearance, ...]:
        """Where the answer appears, for every place at which it does not stand in the prompt itself."""
        apart = ~np.any([split.gives_away.astype(bool) for split in self.splits.values()], axis=0)
        return tuple(self._appearance(nth) for nth in range(len(self.places)) if apart[nth] or nth == self.end)

    def _appearance(self, place: int) -> Appearance:
        c = self.config
        selecting = self.interval(self.splits[Split.SELECT].outranked[:, :, place], Split.SELECT)
        points = np.flatnonzero(selecting.low >= c.at_least)  # a mean just above would as often fall below elsewhere
        if len(points) == 0:
            return Appearance(self.places[place], None, None, None, None, None, c.at_least)
        point = int(points[0])

        def share(split: Split, at: int) -> Interval | None:
            if split not in self.splits or at < 0:
                return None
            return self.shares(self.splits[split].outranked[at, :, place], split).at()

        return Appearance(
            place=self.places[place],
            point=point,
            report=share(Split.REPORT, point),
            before=share(Split.REPORT, point - 1),
            held_out=share(Split.HELD_OUT, point),
            untrained=self.shares(self.untrained[point, :, place]).at(),
            at_least=c.at_least,
        )

    @cached_property
    def nearer(self) -> PairedDifference | None:
        """KL of the tuned lens minus that of the logit lens, on held-out documents, point by point."""
        c = self.config
        return None if self.divergence is None else self.divergence.difference(level=c.level, seed=c.seed)

    def claims(self) -> list[Claim]:
        """Return where the answer is readable and how near a tuned lens is (descriptive), and the causal follow-up."""
        made = [self._appears(one) for one in self.appearances if one.holds]
        if self.nearer is not None and self.divergence is not None and self.divergence.unseen:
            made += self._nearer(self.nearer)
        if self.wrong.follow_up is not None:
            made.append(self.wrong.follow_up.claim(alpha=self.config.fdr))
        return made

    def _appears(self, one: Appearance) -> Claim:
        assert one.point is not None, "only what is readable is claimed"
        task, model = self.config.task, self.config.model
        held_out = "no held-out templates" if one.held_out is None else f"{one.held_out} on held-out templates"
        return Claim(
            f"The answer of {task} is readable at {one.place} in {model}, {self.points[one.point]}, by the {self.lens}",
            f"outranks {one.report} of shuffled answers ({CHANCE} by chance; {one.untrained} {self.untrained_read}; "
            f"{held_out})",
        )

    @property
    def untrained_read(self) -> str:
        """What the control is, in words: a tuned lens belongs to the model that it was trained on."""
        by = "" if self.lens == LogitLens().name else ", which the logit lens reads"
        return f"in untrained models{by}"

    def _nearer(self, found: PairedDifference) -> list[Claim]:
        """Return the claim that the tuned lens is nearer; nothing where it is nearer nowhere."""
        lower = found.intervals.high < 0
        if not lower[:-1].any():
            return []
        first = "every point but the last" if lower[:-1].all() else "some points"
        n = f"at {lower[:-1].sum()} of {len(lower) - 1} points"
        nats = ", ".join(f"{name} {found.intervals.at(nth)}" for nth, name in enumerate(self.points[:-1]))
        statement = (
            f"On held-out text the tuned lens is nearer to the predictions of {self.config.model} than the logit lens "
            f"at {first}"
        )
        return [Claim(statement, f"{n}; difference in KL, nats: {nats}")]
