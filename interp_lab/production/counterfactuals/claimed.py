"""The evidence for what was chosen, and what is claimed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.claims import Claim, Grade, Split
from interp_lab.effects import Compared, Tested, with_replications
from interp_lab.effects.confirming import ToTest, confirmation_of
from interp_lab.experiment import Provenance
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.production.counterfactuals.choice import AnyValue, Chosen, Directed
from interp_lab.production.counterfactuals.config import CounterfactualsConfig
from interp_lab.production.counterfactuals.measured import CounterfactualSplit
from interp_lab.stats import SHARE, known_interval
from interp_lab.types import Interval

UNIT = "share of texts"
_FEWEST = 8
"""Texts that something must be asked of, so that it is tested."""
UNCERTAIN: dict[type, str] = {
    Directed: "Other values, other texts, and whether the answer should depend on it: that is declared, not measured.",
    AnyValue: "Whether the model has a hidden group inside it, or goes by words alone; other protected attributes.",
}


@dataclass(frozen=True)
class CounterfactualClaims:
    """What was measured, and what follows."""

    config: CounterfactualsConfig
    provenance: Provenance
    legitimate: tuple[str, ...]
    """Attributes that are declared to decide."""
    protected: tuple[str, ...]
    """Attributes that are declared not to."""
    chosen: Chosen
    report: CounterfactualSplit
    held_out: CounterfactualSplit | None
    not_replicable: str | None
    """Why there are no held-out templates though they were asked for; `None` if there are, or were not."""

    @property
    def splits(self) -> dict[Split, CounterfactualSplit]:
        """Those that were measured."""
        found = {Split.REPORT: self.report}
        return found if self.held_out is None else found | {Split.HELD_OUT: self.held_out}

    @property
    def not_asked(self) -> str | None:
        """Why nothing is claimed; `None` if something was asked."""
        if self.chosen:
            return None
        return (
            f"on the selection split no attribute of {self.config.behaviour} alone flips the answer of "
            f"{self.config.smallest_effect:.0%} of the texts, and none is declared to be protected"
        )

    def interval(
        self,
        values: Float[np.ndarray, " example"],
        templates: Shaped[np.ndarray, " example"],
        *,
        within: tuple[float, float] | None = SHARE,
    ) -> Interval:
        """Return the interval of a mean over the texts for which there is a value, by template.

        Args:
            within: bounds of the values; `None` if they have none, such as nats.
        """
        own = templates[np.isfinite(values)]
        clusters = templates if len(set(own.tolist())) > 1 else None
        return known_interval(values, clusters, within=within, level=self.config.level, seed=self.config.seed)

    def share(self, chosen: Directed | AnyValue, split: Split = Split.REPORT) -> Interval:
        """Return the share of texts whose answer flips."""
        held = self.splits[split]
        return self.interval(held.tried.flipped[self.chosen.index(chosen)], held.texts.template)

    def control(self, chosen: Directed | AnyValue, split: Split = Split.REPORT) -> Interval:
        """Return the same for random edits of the same size."""
        held = self.splits[split]
        return self.interval(held.tried.controls[self.chosen.index(chosen)].mean(0), held.texts.template)

    @cached_property
    def _tested(self) -> dict[str, Tested]:
        """All evidence, corrected together."""
        report = dict(self._compared(self.report))
        if not report:
            return {}
        away = {} if self.held_out is None else dict(self._compared(self.held_out))
        c = self.config
        found = with_replications(
            list(report.values()), [away.get(name) for name in report], alpha=c.fdr, level=c.level, seed=c.seed
        )
        return {name: own[0] for name, own in zip(report, found, strict=True)}

    def _compared(self, split: CounterfactualSplit) -> Iterator[tuple[str, Compared]]:
        for row, one in enumerate(self.chosen):
            flipped, controls = split.tried.flipped[row], split.tried.controls[row]
            known = np.isfinite(flipped)
            clusters = tuple(map(str, split.texts.template[known].tolist()))
            if known.sum() < _FEWEST or len(set(clusters)) < 2:
                continue
            tries = "random edits, as many, of attributes neither declared to decide nor protected"
            yield (
                str(one),
                Compared(
                    names=(f"{one}: answer flips",),
                    changes=flipped[known][None],
                    controls=(controls[:, known],),
                    of=(tries if isinstance(one, AnyValue) else "random edits of another attribute",),
                    unit=UNIT,
                    margin=self.config.smallest_effect,
                    clusters=clusters,
                ),
            )

    @cached_property
    def graded(self) -> tuple[tuple[Directed | AnyValue, Claim], ...]:
        """Each claim, with what it is about."""
        found = []
        for one in self.chosen:
            if str(one) in self._tested:
                effect, again = self._tested[str(one)]
                claim = Claim(self.statement(one), self._observed(one), effect, again, alpha=self.config.fdr)
                found.append((one, claim))
        return tuple(found)

    def claims(self) -> list[Claim]:
        """Return a claim for each attribute that was chosen, and each that is protected."""
        return [claim for _, claim in self.graded]

    def statement(self, chosen: Directed | AnyValue) -> str:
        """Return what is claimed."""
        c = self.config
        if isinstance(chosen, AnyValue):
            return (
                f"In {c.model}, some other {chosen.attribute} alone, all else equal, flips the answer to {c.behaviour}"
            )
        sides = "; ".join(f"{values[0]} after {answer}" for answer, values in chosen.values)
        return f"In {c.model}, changing {chosen.attribute} ({sides}) flips the answer to {c.behaviour}"

    def _observed(self, chosen: Directed | AnyValue) -> str:
        return (
            f"changing {chosen.attribute} flips the answer in {self.share(chosen)} of the texts; random edits of the "
            f"same size do in {self.control(chosen)}"
        )

    def confirmation(self) -> Confirmation | None:
        """Return what states everything in advance; `None` if nothing is clear on this fold."""
        clear = [one for one, claim in self.graded if claim.grade >= Grade.CAUSAL]
        testable = [ToTest(claim, component_of(one), UNCERTAIN[type(one)]) for one, claim in self.graded]
        return confirmation_of({"chosen": [str(one) for one in clear]}, testable)

    def components(self) -> list[Component]:
        """Return every attribute that was tested."""
        return [
            Component(component_of(one), "counterfactuals", True, self.share(one), UNIT, claim.grade, True)
            for one, claim in self.graded
            if isinstance(one, Directed)
        ]

    def named(self, *, at_least: Grade = Grade.CAUSAL) -> tuple[str, ...]:
        """Return what claims of a grade, or a higher one, are about, as a config states it."""
        return tuple(str(one) for one, claim in self.graded if claim.grade >= at_least)


def component_of(chosen: Directed | AnyValue) -> str:
    """Return the name under which all methods list it."""
    return f"attribute {chosen.attribute}"
