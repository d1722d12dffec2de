"""What probes found, as claims: what can be read is descriptive; only acting along a direction is more."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from interp_lab.claims import Claim, Split
from interp_lab.effects import Compared, Tested, with_replications
from interp_lab.experiment import Provenance
from interp_lab.identity import Direction
from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.judged import Judged, Verdict, margin_of
from interp_lab.probes.measured import Probed
from interp_lab.probes.saved import TrainedProbe, trained_probe

FAMILIES = {"random": "random directions as long", "shuffled": "directions of shuffled labels, as long"}


@dataclass(frozen=True)
class ProbesClaims:
    """Everything measured, and what follows from it."""

    config: ProbesConfig
    provenance: Provenance
    probed: tuple[Probed, ...]
    left_out: tuple[tuple[str, str], ...]
    """Labels that `*` stands for and that could not be probed, with the reason."""

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """One per label, in order."""
        tested = self._tested()
        return tuple(Judged(one, self.config, tested.get(nth, {})) for nth, one in enumerate(self.probed))

    def _tested(self) -> dict[int, Mapping[str, Mapping[str, Tested]]]:
        """Test every way of acting of every label against both families of controls, corrected over all of them."""
        c = self.config
        asked = [(nth, family) for nth, one in enumerate(self.probed) if one.use for family in FAMILIES]
        report = [self._compared(nth, family, Split.REPORT) for nth, family in asked]
        away = [self._compared(nth, family, Split.HELD_OUT) for nth, family in asked]
        found = with_replications(
            [one for one in report if one is not None], away, alpha=c.fdr, level=c.level, seed=c.seed
        )
        by_label: dict[int, dict[str, dict[str, Tested]]] = {}
        for (nth, family), pairs in zip(asked, found, strict=True):
            own = by_label.setdefault(nth, {})
            for way, pair in zip(self.probed[nth].ways, pairs, strict=True):
                own.setdefault(way, {})[family] = pair
        return dict(by_label)

    def _compared(self, nth: int, family: str, split: Split) -> Compared | None:
        one = self.probed[nth]
        use = one.use.get(split)
        if use is None:
            return None
        site = one.sites[one.chosen]
        return Compared(
            names=tuple(f"{way} ({one.label}, {site}): change of the logit difference" for way in one.ways),
            changes=use.changes,
            controls=tuple(getattr(use, family)),
            of=(FAMILIES[family],) * len(one.ways),
            unit="logits",
            margin=margin_of(one.use[Split.REPORT], self.config),
            clusters=tuple(map(str, use.templates)),
        )

    def claims(self) -> list[Claim]:
        """Return a claim per label; one that is used rests on what acting along its direction does."""
        return [self._claim(one) for one in self.judged]

    def _claim(self, judged: Judged) -> Claim:
        one, model = judged.probed, self.config.model
        site, verdict = one.sites[one.chosen], judged.verdict
        effect, again, statement = None, None, f"{one.label} can be read off {model} at {site}"
        if verdict is Verdict.NOT_DECODABLE:
            statement = f"{one.label} was not found in {model}"
        elif judged.used_by is not None:
            way, (effect, again) = judged.used_by
            statement = f"{model} uses {one.label} as it can be read at {site}: {way}, it prefers the answer less"
        elif verdict in (Verdict.NOT_USED, Verdict.UNCLEAR):
            way, (effect, again) = max(judged.tested.items(), key=lambda item: abs(item[1][0].effect.estimate))
            if effect.is_clear(alpha=self.config.fdr):
                statement += f"; {way}, the model prefers the answer more"
            elif verdict is Verdict.NOT_USED:
                statement += f", and acting along its direction {judged.where} changes the answer by less than counts"
        observed = self._observed(judged)
        if verdict is Verdict.NOT_USED:
            observed += f"; what counts is a change by {judged.margin:.2f} logits"
        if again is not None and not judged.is_decodable(Split.HELD_OUT):
            again, observed = None, f"{observed}; not decodable on held-out templates"
        return Claim(statement, observed, effect, again, alpha=self.config.fdr)

    def _observed(self, judged: Judged) -> str:
        one = judged.probed
        name = "R^2" if one.is_number else "accuracy"
        unfair = judged.unfair_controls()
        told = (
            f"{name} {judged.scores[Split.REPORT].at(one.chosen)}, beyond the commonest label by "
            f"{judged.beyond('majority', Split.REPORT)}, "
            + (f"no selectivity ({unfair})" if unfair else f"beyond control tasks by {judged.selectivity_at_chosen}")
        )
        if Split.HELD_OUT in one.scores:
            told += f"; on held-out templates {judged.scores[Split.HELD_OUT].at(one.chosen)}"
        return told

    def of(self, label: str) -> Judged:
        """Return what was found of a label.

        Raises: ValueError, for one that was not probed.
        """
        known = [one.probed.label for one in self.judged]
        if label not in known:
            raise ValueError(f"{label!r} was not probed; there are {', '.join(known)}")
        return self.judged[known.index(label)]

    def probe(self, label: str) -> TrainedProbe:
        """Return the probes of a label at every site, to save or to use.

        Raises: ValueError, for a label that was not probed.
        """
        return trained_probe(self.of(label).probed, self.provenance)

    def direction(self, label: str) -> Direction:
        """Return the direction of a label's probe at the chosen site, for steering; positive towards the second value.

        Raises: ValueError, for a label that was not probed, or of more than two classes.
        """
        one = self.of(label).probed
        return self.probe(label).direction(one.sites[one.chosen])

    def beyond_majority(self, judged: Judged) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return by how much each site's probe beats the commonest label: estimate, low, high (report split)."""
        part = judged.probed.scores[Split.REPORT]
        found = judged.interval(part.probe - part.majority, Split.REPORT)
        return found.estimate, found.low, found.high
