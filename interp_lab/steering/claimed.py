"""The evidence for what leads, beside random directions at its setting, and what is claimed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.effects import Compared, Tested, with_replications
from interp_lab.stats import benjamini_hochberg
from interp_lab.steering.measurements import SteeringMeasurements
from interp_lab.steering.reliability import clusters_of
from interp_lab.steering.setting import How, Setting

SIDES: Mapping[int, str] = {1: "positive", -1: "negative"}
DOES: Mapping[How, str] = {
    How.ADD: "adding {coefficient:g} times the direction {direction} at {hooks}",
    How.CLAMP: "clamping {direction} to {coefficient:+g} of its length from between the two sides at {hooks}",
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


def beyond_random(tested: Sequence[Tested], ranks: Sequence[float], corrected: Sequence[float]) -> list[Tested]:
    """Return evidence that is no surer than by its rank among random directions.

    Directions without a meaning move the target either way, so that their mean is near zero whatever they do: to
    differ from it is not enough, where each of them does as much.

    Args:
        ranks: p of each by its rank.
        corrected: the same over all that are ranked.
    """
    return [
        (effect.no_surer_than(rank, adjusted), again)
        for (effect, again), rank, adjusted in zip(tested, ranks, corrected, strict=True)
    ]


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
        led, *other = with_replications(report, held_out, alpha=c.fdr, level=c.level, seed=c.seed)
        by_rank = [self.random_p(sign) for sign in self.leading]
        found = [beyond_random(led, by_rank, benjamini_hochberg(np.array(by_rank)).tolist())]
        if self.generated is not None:
            # Not corrected: twenty draws, which is what text allows, cannot rank better than one in twenty-one.
            ranks = [self.generated.random_p(nth) for nth in range(len(self.generated.names))]
            found.append(beyond_random(*other, ranks, ranks))
        return found

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
        clear = self._worded_as_found(effect)
        does = "moves" if clear else "is not shown to move"
        to = f"the {side} side" if clear else "either side"
        assert self.generated is not None, "the caller asks"
        observed = f"{len(self.generated.openings)} openings continued, judged by {self.generated.target}"
        return Claim(f"{told} {does} what {c.model} writes to {to} of {c.trait}", observed, effect, again, alpha=c.fdr)

    def _worded_as_found(self, effect: Evidence) -> bool:
        """Whether a sentence says what was found: also where that was stated in advance, and the grade tells."""
        return effect.is_clear(alpha=self.config.fdr) or self.config.chosen is not None

    def _said(self, setting: int) -> str:
        place, c = self.family(setting).place.name, self.config
        place = f"all layers ({c.hook})" if place == "all" else f"{place} ({c.hook})"
        told = said(self.settings[setting], place)
        return f"{told[0].upper()}{told[1:]}"

    def _claim(self, sign: int) -> Claim:
        setting = self.leading[sign]
        effect, again = self.evidence[sign]
        c, kl = self.config, self.kl(setting)
        clear = self._worded_as_found(effect)
        price = "within the budget" if self.is_within(sign) else "at a price beyond the budget"
        if self.is_within(sign) and not self.stays_within(sign):
            price = "at a price within the budget where it was chosen and beyond it on other texts"
        does = self._does(1 if effect.effect.estimate > 0 else -1) if clear else self._not_shown(sign)
        statement = f"{self._said(setting)} {does}"
        observed = (
            f"{price}: KL on neutral text {kl} nats (budget {c.budget.kl:g}); {self._fall(setting)}"
            f"{self.wrong_way(sign, beyond=self.margin()).estimate:.0%} of prompts move the other way by more than the "
            f"margin; p = {self.random_p(sign):.3f} by rank among {len(self.controls[sign].random)} random directions"
        )
        return Claim(statement, observed, effect, again, alpha=c.fdr)

    def _fall(self, setting: int) -> str:
        """Tell the largest fall in accuracy of all capabilities, on the report half."""
        names, costs, at = self.config.capabilities, self.report_costs, self.at(setting)
        if not names:
            return ""
        worst = int(costs.losses[:, at].argmax())
        fall = costs.fall(worst, at, level=self.config.level)
        return f"accuracy falls most on {names[worst]}, by {fall} (budget {self.config.budget.capability_loss:g}); "

    def _does(self, sign: int) -> str:
        c, side = self.config, SIDES[sign]
        if self.scale != "gap":
            return f"moves {c.trait} of {c.model} to the {side} side"
        how = "narrows" if sign * self.report.baseline.mean() < 0 else "widens"
        return f"{how} the gap by {c.trait} of {c.model}"

    def _not_shown(self, sign: int) -> str:
        said, verb, rest = self._does(sign).partition(" ")
        return f"is not shown to {said.removesuffix('s')}{verb}{rest}"

    def grade(self, sign: int) -> Grade:
        """Return the grade of what is claimed of a sign."""
        return self._claim(sign).grade
