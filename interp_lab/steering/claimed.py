"""The evidence for what leads, beside random directions at its setting, and what is claimed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from interp_lab.claims import Claim, Grade, Split
from interp_lab.effects import Compared, Tested, with_replications
from interp_lab.steering.measurements import SteeringMeasurements, clusters_of
from interp_lab.steering.setting import How, Setting

SIDES: Mapping[int, str] = {1: "positive", -1: "negative"}
DOES: Mapping[How, str] = {
    How.ADD: "adding {coefficient:g} times the direction {direction} at {hooks}",
    How.CLAMP: "clamping {direction} to {coefficient:+g} of its gap at {hooks}",
    How.ABLATE: "ablating the direction {direction} at {hooks}",
}
TOKENS: Mapping[str, str] = {"all": "every token", "all+bos": "every token and BOS", "last": "the last token"}


def said(setting: Setting, place: str) -> str:
    """Return what is done in a setting, as a sentence begins."""
    hooks = place if len(setting.hooks) > 1 else setting.hooks[0].removeprefix("blocks.")
    told = DOES[setting.how].format(coefficient=setting.coefficient, direction=setting.direction, hooks=hooks)
    gate = "" if setting.gate is None else f" where the {setting.gate} gate opens"
    words = setting.where.removeprefix("tokens ")
    named = f"the tokens {words}" if words != setting.where else f"every token {setting.where}"
    return f"{told}, {TOKENS.get(setting.where, named)}{gate},"


@dataclass(frozen=True)
class SteeringClaims(SteeringMeasurements):
    """The measurements as evidence and claims."""

    @property
    def evidence(self) -> Mapping[int, Tested]:
        """By sign, what leads beside random directions at its setting; corrected over all that is tested."""
        return dict(zip(self.leading, self._tested[0], strict=True)) if self.leading else {}

    @cached_property
    def _tested(self) -> list[list[Tested]]:
        """What leads, and then (where it was asked for) what is written under it; corrected together."""
        report, c = [self._compared(Split.REPORT)], self.config
        held_out = [None if self.held_out is None else self._compared(Split.HELD_OUT)]
        if self.generated is not None:
            written = self.generated.compared(margin=2 * c.smallest_effect)
            report.append(replace(written, clusters=tuple(map(str, clusters_of(written.clusters)))))
            held_out.append(None)
        return with_replications(report, held_out, alpha=c.fdr, level=c.level, seed=c.seed)

    def _compared(self, split: Split) -> Compared:
        drawn = {
            sign: self.changed_by(one.random if split is Split.REPORT else one.held_out_random, split)
            for sign, one in self.controls.items()
        }
        names = [self.named(setting) for setting in self.leading.values()]
        return Compared(
            names=tuple(f"{name}: change of {self.target}" for name in names),
            changes=np.stack([self.changes(setting, split) for setting in self.leading.values()]),
            controls=tuple(drawn[sign] for sign in self.leading),
            of=("random directions of the same length",) * len(names),
            unit=self.unit,
            margin=self.margin(split),
            clusters=tuple(map(str, clusters_of(self.split(split).templates))),
        )

    def claims(self) -> list[Claim]:
        """Return a claim for each side that some setting moves the target to on the selection split.

        And one for what is written under each such setting, where that was asked for.
        """
        if not self.leading:
            return []
        written = [] if self.generated is None else self._tested[1]
        settings = dict.fromkeys(self.leading.values())
        return [
            *(self._claim(sign) for sign in self.leading),
            *(self._written_claim(setting, one) for setting, one in zip(settings, written, strict=False)),
        ]

    def _written_claim(self, setting: int, tested: Tested) -> Claim:
        effect, again = tested
        c, side = self.config, SIDES[1 if effect.effect.estimate > 0 else -1]
        told = self._said(setting)
        clear = effect.is_clear(alpha=c.fdr)
        does = "moves" if clear else "is not shown to move"
        to = f"the {side} side" if clear else "either side"
        assert self.generated is not None, "the caller asks"
        observed = f"{len(self.generated.openings)} openings continued, judged by {self.generated.target}"
        return Claim(f"{told} {does} what {c.model} writes to {to} of {c.trait}", observed, effect, again, alpha=c.fdr)

    def _said(self, setting: int) -> str:
        place, c = self.family(setting).place.name, self.config
        place = f"all layers ({c.hook})" if place == "all" else f"{place} ({c.hook})"
        told = said(self.settings[setting], place)
        return f"{told[0].upper()}{told[1:]}"

    def _claim(self, sign: int) -> Claim:
        setting = self.leading[sign]
        effect, again = self.evidence[sign]
        c, kl = self.config, self.kl(setting)
        claim = Claim("", "", effect, again, alpha=c.fdr)
        holds = claim.grade >= Grade.CAUSAL and sign * effect.effect.estimate > 0
        moves = "moves" if holds else "is not shown to move"
        price = "within the budget" if self.is_within(sign) else "at a price beyond the budget"
        if self.is_within(sign) and not self.stays_within(sign):
            price = "at a price within the budget where it was chosen and beyond it on other texts"
        statement = f"{self._said(setting)} {moves} {c.trait} of {c.model} to the {SIDES[sign]} side, {price}"
        observed = (
            f"KL on neutral text {kl} nats (budget {c.budget.kl:g}); "
            f"{self.wrong_way(sign, beyond=self.margin()).estimate:.0%} of prompts move the other way by more than the "
            f"margin; p = {self.random_p(sign):.3f} by rank among {len(self.controls[sign].random)} random directions"
        )
        return Claim(statement, observed, effect, again, alpha=c.fdr)

    def grade(self, sign: int) -> Grade:
        """Return the grade of what is claimed of a sign."""
        return self._claim(sign).grade
