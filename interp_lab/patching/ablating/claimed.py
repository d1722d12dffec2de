"""What is tested after the choice, the evidence for it, and what is claimed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.effects import Compared, evidence_of
from interp_lab.patching.ablating.measurements import AblationMeasurements
from interp_lab.patching.ablating.plan import control_pool, excess_of_pairs, margin_of
from interp_lab.patching.ablating.splits import AblatedSplit


class Subject(StrEnum):
    """What was ablated."""

    SITE = "site"
    SET = "set"
    BACKUP = "backup"
    DIRECTION = "direction"


class Verdict(StrEnum):
    """What a part writes to the logits, beside what is lost without it."""

    BOTH = "writes and is needed"
    WRITES = "writes only"
    """It clearly writes to the metric, one way or the other, and what is lost without it is clearly too small."""
    UNCLEAR = "writes, need unclear"
    """It clearly writes to the metric, and whether more than the smallest effect of interest is lost is open."""
    NEEDED = "needed only"
    """It is needed without clearly writing for the answer: it acts through later parts."""
    AGAINST = "works against"
    """Without it the answer comes out clearer."""
    NEITHER = ""


@dataclass(frozen=True)
class _Row:
    """Something to test: what is lost, and what is lost by its controls, prompt by prompt."""

    kind: Subject
    name: str
    what: str
    effect: Float[np.ndarray, " example"]
    controls: Float[np.ndarray, "control example"]
    of: str
    """What the controls are."""


@dataclass(frozen=True)
class AblationClaims(AblationMeasurements):
    """The measurements as evidence, verdicts and claims: none, unless there is an answer to lose (`not_asked`)."""

    @cached_property
    def evidence(self) -> Mapping[Split, Mapping[tuple[Subject, str], Evidence]]:
        """The evidence on all that is tested under the first ablation, by split; corrected over all of a split."""
        asked = {Split.REPORT: self.report} if self.not_asked is None else {}
        if asked and self.held_out is not None and self.not_replicable is None:
            asked[Split.HELD_OUT] = self.held_out
        return {split: self._tested(held, split) for split, held in asked.items()}

    def _tested(self, held: AblatedSplit, split: Split) -> dict[tuple[Subject, str], Evidence]:
        rows = [row for row in self._rows(held) if len(row.controls) > 1]
        if not rows:
            return {}
        c = self.config
        compared = Compared(
            names=tuple(f"{row.what}: {self.moves}" for row in rows),
            changes=np.stack([row.effect for row in rows]),
            controls=tuple(row.controls for row in rows),
            of=tuple(row.of for row in rows),
            unit=self.unit,
            margin=margin_of(held, c),
            clusters=tuple(map(str, range(len(held.clean)) if held.labels is None else held.labels)),
        )
        (found,) = evidence_of([compared], split=split, level=c.level, seed=c.seed)
        return {(row.kind, row.name): one for row, one in zip(rows, found, strict=True)}

    def _rows(self, held: AblatedSplit) -> Iterator[_Row]:
        kind, changes = self.config.ablations[0], self.lost(held.changes[0])
        for nth, name in enumerate(self.names):
            pool = control_pool(self.plan.chosen, self.sites, of=self.sites.maps[nth])
            own, of = changes[pool[pool != nth]], f"parts{self._whose(self.sites.maps[nth])} that were not chosen"
            yield _Row(Subject.SITE, name, f"{kind} ablation of {name}", changes[nth], own, of)
        for name, sets in zip(self.config.sites, self.lost(held.sets), strict=True):
            drawn = sets[np.isfinite(sets).all(-1)]
            if len(drawn):
                what = f"{kind} ablation of the chosen sites of {name} together"
                of = f"random sets of as many{self._whose(name)}"
                yield _Row(Subject.SET, name, what, drawn[0], drawn[1:], of)
        yield from self._backup_rows(held)
        for name, drawn in zip(self.directions, self.lost(held.directions), strict=True):
            what = f"directional ablation of {name}"
            yield _Row(Subject.DIRECTION, name, what, drawn[0], drawn[1:], "random directions at the same place")

    def _whose(self, name: str) -> str:
        """Return whether controls are of all maps, because those of one are too few."""
        pool = control_pool(self.plan.chosen, self.sites, of=name)
        return "" if all(self.sites.maps[nth] == name for nth in pool) else " of all maps"

    def _backup_rows(self, held: AblatedSplit) -> Iterator[_Row]:
        wanted = [(int(kind), int(head)) for kind, head, _ in self.plan.backups]
        excess = self.lost(excess_of_pairs(held, self.sites, wanted))
        for (kind, head, partner), own in zip(self.plan.backups.tolist(), excess, strict=True):
            if kind == 0:
                place = self.sites.heads.tolist().index(partner)
                others = np.delete(own, place, axis=0)
                others = others[np.isfinite(others).all(-1)]
                name = f"{self.names[head]}+{self.names[partner]}"
                what = f"{self.config.ablations[0]} ablation of {name}, beyond the sum of both alone"
                yield _Row(
                    Subject.BACKUP, name, what, own[place], others, f"other heads in the place of {self.names[partner]}"
                )

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of each site: what it clearly writes, beside what is clearly lost without it under the first ablation.

        Writing is clear if its interval lies beyond the smallest effect of interest; loss, as in `Evidence.is_clear`.
        """
        return tuple(self._verdict(nth, name) for nth, name in enumerate(self.names))

    def _verdict(self, nth: int, name: str) -> Verdict:
        effect = self.evidence.get(Split.REPORT, {}).get((Subject.SITE, name))
        if effect is None:
            return Verdict.NEITHER
        clear, written = effect.is_clear(alpha=self.config.fdr), None if self.direct is None else self.direct.at(nth)
        writes_for = written is not None and written.low > self.margin
        writes_against = written is not None and written.high < -self.margin
        if clear and effect.effect.estimate < 0:
            return Verdict.AGAINST
        if clear:
            return Verdict.BOTH if writes_for else Verdict.NEEDED
        if not (writes_for or writes_against):
            return Verdict.NEITHER
        small = effect.effect.low >= -self.margin and effect.effect.high <= self.margin
        return Verdict.WRITES if small else Verdict.UNCLEAR

    def claims(self) -> list[Claim]:
        """Return a claim per chosen site, per map of what its chosen sites do together, per stand-in and direction.

        Of stand-ins, those whose effect on the selection split is one of interest, or that were stated in advance.

        Nothing, if nothing was asked; see `not_asked`.
        """
        return list(self.claims_by_subject().values())

    def claims_by_subject(self) -> dict[tuple[Subject, str], Claim]:
        """Return the claims, by what was ablated and its name."""
        asked = {(Subject.SITE, self.names[nth]) for nth in self.plan.chosen}
        always = {Subject.SET, Subject.DIRECTION}
        if self.config.chosen is None:
            far = margin_of(self.select, self.config)
            asked |= {(row.kind, row.name) for row in self._backup_rows(self.select) if row.effect.mean() > far}
        else:
            always |= {Subject.BACKUP}
        return {
            (kind, name): self._claim(kind, name, effect)
            for (kind, name), effect in self.evidence.get(Split.REPORT, {}).items()
            if kind in always or (kind, name) in asked
        }

    def _claim(self, kind: Subject, name: str, effect: Evidence) -> Claim:
        again = self.evidence.get(Split.HELD_OUT, {}).get((kind, name))
        sign = 1 if effect.effect.estimate > 0 else -1
        statement = _SAYS[kind][sign].format(name=name.replace("+", " and "), model=self.config.model)
        observed = f"the corruption costs {self.total} {self.unit}"
        if kind is Subject.SITE and self.direct is not None:
            observed = f"it writes {self.direct.at(self.names.index(name))} {self.unit} straight to the metric"
        return Claim(statement, observed, effect, again, alpha=self.config.fdr)

    def grade(self, kind: Subject, name: str) -> Grade | None:
        """Return the grade of what is claimed, or would be, of something that was tested; `None` if it was not."""
        effect = self.evidence.get(Split.REPORT, {}).get((kind, name))
        return None if effect is None else self._claim(kind, name, effect).grade

    def with_verdict(self, *verdicts: Verdict) -> Sequence[str]:
        """Return the names of the sites with one of some verdicts."""
        return [name for name, own in zip(self.names, self.verdicts, strict=True) if own in verdicts]


_SAYS: Mapping[Subject, Mapping[int, str]] = {
    Subject.SITE: {
        1: "The answer needs {name} in {model}",
        -1: "{name} works against the answer in {model}",
    },
    Subject.SET: {
        1: "The answer needs the chosen sites of {name} together in {model}",
        -1: "The chosen sites of {name} together work against the answer in {model}",
    },
    Subject.BACKUP: {
        1: "{name} stand in for each other in {model}: more is lost without both than without each",
        -1: "{name} share what they do in {model}: less is lost without both than without each",
    },
    Subject.DIRECTION: {
        1: "The answer needs the direction {name} in {model}",
        -1: "The direction {name} works against the answer in {model}",
    },
}
"""By the sign of what is lost on the report split."""
