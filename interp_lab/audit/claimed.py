"""The evidence for what was chosen, and what is claimed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.audit.measurements import FEWEST_ON_A_SIDE, AuditMeasurements, AuditSplit, sides_asked
from interp_lab.audit.named import TURN, Proxy, TwoGroups, ValuePair
from interp_lab.audit.proxies import removed_by
from interp_lab.audit.single import differences, rewordings
from interp_lab.audit.statements import UNCERTAIN, Subject, component_of, refuted, said
from interp_lab.audit.turned import SIDES, sides_of, turned_by
from interp_lab.claims import Claim, Evidence, Grade, as_unsure
from interp_lab.effects import Compared, Tested, with_replications
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.types import Interval

UNIT = "probability"
_Key = tuple[str, int]  # what is tested, and for a pair of values on which side; 0 for all texts


@dataclass(frozen=True)
class AuditClaims(AuditMeasurements):
    """The measurements as evidence and claims."""

    @cached_property
    def _tested(self) -> dict[_Key, Tested]:
        """All evidence, corrected together: of each chosen attribute, each pair on either side, each proxy."""
        keys, report = [], []
        for key, one in self._compared(self.report):
            keys.append(key)
            report.append(one)
        if not report:
            return {}
        away = {} if self.held_out is None else dict(self._compared(self.held_out))
        c = self.config
        found = with_replications(report, [away.get(key) for key in keys], alpha=c.fdr, level=c.level, seed=c.seed)
        return {key: own[0] for key, own in zip(keys, found, strict=True)}

    def _compared(self, split: AuditSplit) -> Iterator[tuple[_Key, Compared]]:
        for groups in self.chosen.attributes:
            if str(groups) in split.singles.names:
                row = split.singles.row(str(groups))
                held = split.singles.plain[row]
                own, other = differences(held), rewordings(held)
                sign = 1.0 if own.mean() >= 0 else -1.0
                what = f"{groups}: change of P({self.answers[0].strip()})"
                yield (
                    (str(groups), 0),
                    self._one(
                        what,
                        own,
                        sign * other,
                        split.singles.clusters(row),
                        of="changes of probability where other words are replaced",
                    ),
                )
        for pair in self.chosen.pairs:
            row = split.pairs.row(str(pair))
            sides, every = sides_of(split.pairs.plain[row]), turned_by(split.pairs.plain[row])
            for side in sides_asked(split.pairs, row, self.config.pairs_that):
                rows = np.flatnonzero(sides == side)
                clusters = split.pairs.clusters(row)[rows]
                if len(rows) >= FEWEST_ON_A_SIDE and len(set(clusters.tolist())) > 1:
                    answer = self.answers[0 if side == 1 else 1].strip()
                    what = f"{pair}: how far {answer} is turned around"
                    of = "pairs of values of other attributes"
                    yield (
                        (str(pair), side),
                        self._one(what, every[0, rows], every[1:, rows], clusters, of=of),
                    )
        for proxy in self.chosen.proxies:
            row = split.proxies.row(str(proxy))
            own, *other = removed_by(split.proxies.plain[row])
            what = f"{proxy.attribute} drawn anew: what goes of the gap by {proxy.hidden}"
            yield (
                (str(proxy), 0),
                self._one(
                    what,
                    own,
                    np.stack(other),
                    split.proxies.clusters(row),
                    of="gaps removed by another attribute drawn anew",
                ),
            )

    def _one(
        self,
        what: str,
        change: Float[np.ndarray, " example"],
        controls: Float[np.ndarray, "control example"],
        clusters: Shaped[np.ndarray, " example"],
        *,
        of: str,
    ) -> Compared:
        return Compared(
            names=(what,), changes=change[None], controls=(controls,), of=(of,), unit=UNIT,
            margin=self.config.smallest_effect, clusters=tuple(map(str, clusters)),
        )  # fmt: skip

    def tested(self, subject: Subject) -> Tested | None:
        """Return the evidence on something that was measured; `None` if there is none.

        A pair of values must turn answers around on both sides, unless it is to bring one answer: its evidence is that
        of the side that turns less surely, which is a test of both at the level of one.
        """
        found = [self._tested[key] for key in ((str(subject), side) for side in (0, *SIDES)) if key in self._tested]
        if isinstance(subject, ValuePair):
            if len(found) < (len(SIDES) if self.config.pairs_that == TURN else 1):
                return None
            own, away = [one for one, _ in found], [again for _, again in found if again is not None]
            return self._least_sure(own), self._least_sure(away) if len(away) == len(own) else None
        return found[0] if found else None

    def _least_sure(self, found: Sequence[Evidence]) -> Evidence:
        """Return the evidence that says least, no surer than any: what is not clear first, then by lower limits."""
        limits = [min(one.effect.low, one.versus_control.low) for one in found]
        least = min(range(len(found)), key=lambda nth: (found[nth].is_clear(alpha=self.config.fdr), limits[nth]))
        return as_unsure(found)[least]

    def effect_at_choice(self, groups: TwoGroups) -> float:
        """Return the effect on the selection split, for orders of rows; 0 where all was stated."""
        return 0.0 if self.scan is None else self.scan.effect(groups)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """All that was chosen."""
        return (*self.chosen.attributes, *self.chosen.pairs, *self.chosen.proxies)

    def claims(self) -> list[Claim]:
        """Return a claim for each attribute, pair and proxy that was chosen."""
        return [claim for _, claim in self.graded]

    @cached_property
    def graded(self) -> tuple[tuple[Subject, Claim], ...]:
        """Each claim, with what it is about."""
        found = []
        for subject in self.subjects:
            tested = self.tested(subject)
            if tested is None or (isinstance(subject, Proxy) and not self._has_gap(subject)):
                continue
            effect, again = tested
            sign = 1 if effect.effect.estimate >= 0 else -1
            claim = Claim(self._said(subject, sign), self._observed(subject), effect, again, alpha=self.config.fdr)
            found.append((subject, claim))
        return tuple(found)

    def _has_gap(self, proxy: Proxy) -> bool:
        """Whether the gap itself is one of interest: of which side a smaller one speaks, chance may say."""
        gap, least = self.remaining(str(proxy))[0], self.config.smallest_effect
        return gap.low > least or gap.high < -least

    def _said(self, subject: Subject, sign: int) -> str:
        model, answers = self.config.model, (self.answers[0].strip(), self.answers[1].strip())
        if isinstance(subject, Proxy):
            more = sign * self.remaining(str(subject))[0].estimate > 0
            return said(subject, model=model, answers=answers, positive=more)
        legitimate = isinstance(subject, TwoGroups) and subject.attribute in self.legitimate
        brings = self._brought(subject) if isinstance(subject, ValuePair) else None
        pushes = self._pushed(subject) if isinstance(subject, ValuePair) else None
        return said(
            subject, model=model, answers=answers, positive=sign > 0, legitimate=legitimate, brings=brings,
            pushes=pushes,
        )  # fmt: skip

    def _pushed(self, pair: ValuePair) -> int | None:
        """Return which answer, by number, a pair pushes to from either side; `None` if it does the same to both."""
        signs = {side: self._tested[(str(pair), side)][0].effect.estimate > 0 for side in SIDES
                 if (str(pair), side) in self._tested}  # fmt: skip
        return None if len(set(signs.values())) < 2 else int(signs[1])

    def _brought(self, pair: ValuePair) -> int | None:
        """Return which answer, by number, a pair is asked to bring; `None` if it is to turn either."""
        if self.config.pairs_that == TURN:
            return None
        pairs = self.report.pairs
        return 1 if sides_asked(pairs, pairs.row(str(pair)), self.config.pairs_that) == (1,) else 0

    def _observed(self, subject: Subject) -> str:
        if isinstance(subject, TwoGroups):
            return (
                f"P({self.answers[0].strip()}) changes by {self.effect_of(subject)}; where another word is replaced, "
                f"by {self.rewording(subject)} either way"
            )
        if isinstance(subject, ValuePair):
            row = self.report.pairs.row(str(subject))
            held = self.report.pairs.plain[row]
            sides, asked = sides_of(held), sides_asked(self.report.pairs, row, self.config.pairs_that)
            means = ", ".join(
                f"{self.answers[0 if side == 1 else 1].strip()} by {turned_by(held)[0, sides == side].mean():.2f}"
                for side in asked
            )
            of = "; the evidence is that of the side which turns less surely" if len(asked) > 1 else ""
            return f"turned around: {means}{of}"
        gap, left, share = self.remaining(str(subject))
        return f"gap by {subject.hidden} {gap}, with {subject.attribute} drawn anew {left}: share removed {share}"

    def confirmation(self) -> Confirmation | None:
        """Return what states everything in advance; `None` if nothing is clear on this fold."""
        clear = [(subject, claim) for subject, claim in self.graded if claim.grade >= Grade.CAUSAL]
        if not clear:
            return None
        clear.sort(key=lambda one: -abs(_estimate(one[1])))
        return Confirmation(
            config={"chosen": [str(subject) for subject, _ in clear]},
            statements=tuple(claim.statement for _, claim in clear),
            components={claim.statement: component_of(subject) for subject, claim in clear},
            refuted_if={claim.statement: refuted(subject) for subject, claim in clear},
            uncertain={claim.statement: UNCERTAIN[type(subject)] for subject, claim in clear},
        )

    def components(self) -> list[Component]:
        """Return every attribute and pair that was measured."""
        grades = {str(subject): claim.grade for subject, claim in self.graded}
        effects: list[tuple[Subject, Interval]] = [(one, self.effect_of(one)) for one in self.groups]
        effects += [(one, tested[0].effect) for one in self.chosen.pairs if (tested := self.tested(one)) is not None]
        return [
            Component(component_of(one), "audit", True, effect, UNIT, grades.get(str(one)), str(one) in grades)
            for one, effect in effects
        ]

    def named(self, *, at_least: Grade = Grade.CAUSAL) -> tuple[str, ...]:
        """Return the components of claims of a grade, or a higher one."""
        return tuple(component_of(subject) for subject, claim in self.graded if claim.grade >= at_least)


def _estimate(claim: Claim) -> float:
    assert claim.effect is not None, "claims of an audit have evidence"
    return claim.effect.effect.estimate
