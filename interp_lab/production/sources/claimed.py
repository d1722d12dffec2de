"""What scores and their tests amount to: intervals, the method that was chosen, evidence and claims."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.effects import Compared, Tested, with_replications
from interp_lab.effects.behaviour import too_few_templates, why_not_replicable
from interp_lab.effects.untouched import Untouched
from interp_lab.experiment import Provenance
from interp_lab.production.sources.ablations import Way, other_way
from interp_lab.production.sources.answers import LEAST, UNIT
from interp_lab.production.sources.config import SourcesConfig
from interp_lab.production.sources.measured import SourcesOfSplit
from interp_lab.stats import SHARE, known_interval, mean_interval
from interp_lab.types import Interval

WITHOUT: dict[Way, str] = {"text": "taken out of the text", "mask": "hidden from all that follows"}
"""What becomes of sources, by way."""


@dataclass(frozen=True)
class SourcesClaims:
    """Numbers of all splits, and what they support."""

    config: SourcesConfig
    provenance: Provenance
    select: SourcesOfSplit
    report: SourcesOfSplit
    held_out: SourcesOfSplit | None

    @property
    def names(self) -> tuple[str, ...]:
        """Of all methods; the last one is the test of the others."""
        return self.config.methods

    @property
    def tested_by(self) -> Way:
        """The way of leaving sources out that no method but the last one has used."""
        return other_way(self.config.scoring.way)

    @property
    def splits(self) -> Mapping[Split, SourcesOfSplit]:
        """Those that are reported."""
        found = {Split.REPORT: self.report}
        return found if self.held_out is None else found | {Split.HELD_OUT: self.held_out}

    @cached_property
    def chosen(self) -> str:
        """The method whose first source is needed most on the selection half, tested the other way."""
        return self.names[int(self.select.needed[1, :-1].mean(-1).argmax())]

    def over(
        self,
        values: Float[np.ndarray, " example"],
        split: SourcesOfSplit | None = None,
        *,
        within: tuple[float, float] | None = None,
    ) -> Interval:
        """Return the interval of a mean over the prompts that have a value, of the report half unless told otherwise.

        `UNMEASURED`, if these are of fewer than two templates (or prompts, where there is one template).

        Args:
            within: bounds of the values, where they have some; see `stats.bounded_interval`.
        """
        clusters = (self.report if split is None else split).clusters
        return known_interval(values, clusters, within=within, level=self.config.level, seed=self.config.seed)

    def share(self, values: Float[np.ndarray, " example"], split: SourcesOfSplit | None = None) -> Interval:
        """Return the interval of a mean of values from 0 to 1; see `over`."""
        return self.over(values, split, within=SHARE)

    @cached_property
    def not_asked(self) -> str | None:
        """Why nothing is claimed: the answer does not hang on sources, or templates are too few; `None` if it is."""
        return self._no_answer(self.report)

    @cached_property
    def not_replicable(self) -> str | None:
        """Why nothing can be replicated on held-out templates; `None` if it can."""
        return why_not_replicable(self.held_out, self._no_answer)

    def _no_answer(self, split: Untouched) -> str | None:
        c = self.config
        total = mean_interval(split.total, split.clusters, level=c.level, seed=c.seed)
        if total.low <= 0 or total.estimate < LEAST:
            few = "" if total.low <= 0 else f", which is too little ({LEAST:g})"
            return f"without any source the answer loses {total} {UNIT}{few}, so that there is no source to find"
        return too_few_templates(split, n_tests=len(self.names) - 1, fdr=c.fdr)

    @cached_property
    def evidence(self) -> dict[str, Tested]:
        """By method, what leaving out its first sources does, beside as many at random; without the last method."""
        if self.not_asked is not None:
            return {}
        c = self.config
        away = None if self.not_replicable is not None or self.held_out is None else self._compared(self.held_out)
        (found,) = with_replications([self._compared(self.report)], [away], alpha=c.fdr, level=c.level, seed=c.seed)
        return dict(zip(self.names[:-1], found, strict=True))

    def _compared(self, split: SourcesOfSplit) -> Compared:
        n, k, gone = len(self.names) - 1, self.config.k, WITHOUT[self.tested_by]
        first, some = ("first source", "sources") if k == 1 else (f"first {k} sources", f"sets of {k} sources")
        return Compared(
            names=tuple(f"{first} of {name} {gone}: fall of the answer's log odds" for name in self.names[:-1]),
            changes=split.needed[1, :-1],
            controls=(split.by_lot[1],) * n,
            of=(f"{some} of the prompt drawn at random",) * n,
            unit=UNIT,
            margin=self.margin(split),
            clusters=tuple(map(str, split.clusters)),
        )

    def margin(self, split: SourcesOfSplit) -> float:
        """Return the smallest effect of interest (log odds): a share of what all sources together do."""
        return self.config.smallest_effect * abs(float(split.total.mean()))

    def claims(self) -> list[Claim]:
        """Return a claim per method; nothing, if nothing was asked (see `not_asked`)."""
        return [self._claim(name, *tested) for name, tested in self.evidence.items()]

    def _claim(self, name: str, effect: Evidence, again: Evidence | None) -> Claim:
        c = self.config
        what, one = ("source", "one") if c.k == 1 else (f"{c.k} sources", "as many")
        statement = (
            f"In {c.model}, the answer needs the {what} that {name} ranks first in prompts of {c.task}: more is lost "
            f"when {'it is' if c.k == 1 else 'they are'} {WITHOUT[self.tested_by]} than when {one} drawn at random "
            f"{'is' if c.k == 1 else 'are'} (which may be the same)"
        )
        return Claim(statement, self._hit(name), effect, again, alpha=c.fdr)

    def _hit(self, name: str) -> str:
        right = self.share(self.report.hits[self.names.index(name)])
        if np.isnan(right.estimate):
            return "where the answer comes from is not known"
        lot = self.share(self.report.shuffled_hits.mean(0))
        return f"names the source that the answer comes from in {right} of prompts; dealt out at random {lot}"

    def grade(self, name: str) -> Grade | None:
        """Return the grade of the claim on a method; `None` if nothing was asked."""
        tested = self.evidence.get(name)
        return None if tested is None else self._claim(name, *tested).grade
