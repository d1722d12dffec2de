"""What is tested after the choice, beside which controls, and what is claimed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Claim, Evidence, Grade
from interp_lab.effects import Compared, with_replications
from interp_lab.effects.compared import Tested
from interp_lab.sae.causal.measurements import FeatureMeasurements
from interp_lab.sae.causal.splits import SHARES, WAYS, FeatureSplit, Share, Way

Drawn = tuple[Float[np.ndarray, " example"], Float[np.ndarray, "draw example"]]
"""What was measured of an effect, and of the draws of its control."""
TOGETHER = "together"
"""The name of what the chosen features carry together."""
RANDOM, BORROWED, MATCHED = "random directions", "directions of other latents", "other latents"
_OF = {
    RANDOM: "random directions as long at the same tokens",
    BORROWED: "directions of other latents, as long at the same tokens",
    MATCHED: "other latents that write most nearly as much on the same prompts",
}


@dataclass(frozen=True)
class FeatureClaims(FeatureMeasurements):
    """The measurements as evidence and claims: none, unless there is an answer to lose (`not_asked`).

    An effect counts where it is clear beside every kind of control, so that what stands in a claim is the evidence
    beside the one that it is least clear of. Beside directions, random ones and those of other latents, the corrected
    p-value is besides never less than the share of them that do as much.
    """

    @cached_property
    def evidence(self) -> Mapping[str, Tested]:
        """The evidence on each chosen latent (by number) and on all of them together, on both splits."""
        if self.not_asked is not None:
            return {}
        c, asked = self.config, self.not_replicable is None
        own = self._compared(self.report)
        held = self.held_out
        away = self._compared(held) if held is not None and asked else {}
        found = with_replications(
            list(own.values()), [away.get(family) for family in own], alpha=c.fdr, level=c.level, seed=c.seed
        )
        by_name: dict[str, list[Tested]] = {}
        for (family, compared), tested in zip(own.items(), found, strict=True):
            for nth, (name, pair) in enumerate(zip(self._subjects(family), tested, strict=True)):
                drawn = [
                    None if one is None else (one.changes[nth], one.controls[nth])
                    for one in (compared, away.get(family))
                ]
                assert drawn[0] is not None, "the report split is there"
                by_name.setdefault(name, []).append(self._ranked(pair, family, drawn[0], drawn[1]))
        return {name: self._weakest(pairs) for name, pairs in by_name.items()}

    def _subjects(self, family: str) -> tuple[str, ...]:
        return (TOGETHER,) if family.startswith(TOGETHER) else self.names

    def _ranked(self, pair: Tested, family: str, report: Drawn, held_out: Drawn | None) -> Tested:
        """Return evidence whose p-value is no less than the share of directions that do as much, if they are enough."""
        if not family.endswith((RANDOM, BORROWED)) or 1 / (1 + len(report[1])) >= self.config.fdr:
            return pair
        effect, again = pair
        effect = replace(effect, p_adjusted=max(effect.p_adjusted, exceeded_p(*report)))
        if again is not None and held_out is not None:
            again = replace(again, p_adjusted=max(again.p_adjusted, exceeded_p(*held_out)))
        return effect, again

    def _weakest(self, pairs: Sequence[Tested]) -> Tested:
        effect = weakest([own for own, _ in pairs], alpha=self.config.fdr)
        again = [one for _, one in pairs if one is not None]
        return effect, weakest(again, alpha=self.config.fdr) if len(again) == len(pairs) else None

    def _compared(self, held: FeatureSplit) -> dict[str, Compared]:
        """Return features beside each kind of control, and then all of them together."""
        own, n = self.lost(held.operations[0]), len(self.names)
        beside = {
            RANDOM: self.lost(held.random),
            BORROWED: self.lost(held.borrowed),
            MATCHED: self.lost(held.alone[held.matched]),
        }
        what = [f"{self.config.operations[0].phrase} feature {name}: {self.moves}" for name in self.names]
        found = {
            family: self._against(held, what, own, list(controls), family)
            for family, controls in beside.items()
            if controls.shape[1] > 1
        }
        if n > 1:
            way = WAYS.index(Way.DENOISE)
            gained = -self.lost(held.shares[way, SHARES.index(Share.CHOSEN)])[None]
            together = [f"denoising the {n} chosen features together: {self.metric.replace('_', ' ')} brought back"]
            for family, draws in ((RANDOM, held.set_random), (MATCHED, held.set_others)):
                if len(draws) > 1:
                    name = f"{TOGETHER} {family}"
                    found[name] = self._against(held, together, gained, [-self.lost(draws)], family)
        return found

    def _against(
        self,
        held: FeatureSplit,
        names: Sequence[str],
        changes: Float[np.ndarray, "_ example"],
        controls: Sequence[np.ndarray],
        family: str,
    ) -> Compared:
        sets = len(names) == 1 and family == MATCHED and len(self.names) > 1
        of = "random sets of as many other latents" if sets else _OF[family]
        return Compared(
            names=tuple(names), changes=changes, controls=tuple(controls), of=(of,) * len(names), unit=self.unit,
            margin=self.margin(held), clusters=tuple(map(str, held.labels)),
        )  # fmt: skip

    def grade(self, name: str) -> Grade | None:
        """Return the grade of what is claimed of a latent (by number) or of all together; `None` if not tested."""
        tested = self.evidence.get(name)
        return None if tested is None else self._claim(name, tested).grade

    def claims(self) -> list[Claim]:
        """Return a claim per chosen feature, and one on all of them together; nothing, if nothing was asked."""
        return [self._claim(name, tested) for name, tested in self.evidence.items()]

    def _claim(self, name: str, tested: Tested) -> Claim:
        effect, again = tested
        c = self.config
        if name == TOGETHER:
            statement = (
                f"The {len(self.names)} chosen features at {self.hook} in {c.model} carry part of what turns the "
                f"answer of {c.task}"
            )
            observed = f"the corruption costs {self.total} {self.unit}"
        else:
            nth = self.names.index(name)
            does = "needs" if effect.effect.estimate > 0 else "is held back by"
            statement = f"The answer of {c.task} in {c.model} {does} feature {name} at {self.hook}"
            observed = (
                f"changed on {self.active[nth]:.0%} of the prompts, most active on {self.fires_on[nth]}; its direction "
                f"raises {self.writes[nth] or 'no tokens that could be told'}"
            )
        return Claim(statement, observed, effect, again, alpha=c.fdr)


def exceeded_p(effect: Float[np.ndarray, " example"], draws: Float[np.ndarray, "draw example"]) -> float:
    """Return the share of draws, the effect itself among them, whose mean is as large in size.

    Source: Phipson and Smyth 2010, arXiv 1603.05766 (add one to both counts).
    """
    as_large = np.abs(draws.mean(-1)) >= abs(effect.mean())
    return float((1 + as_large.sum()) / (1 + len(draws)))


def weakest(found: Sequence[Evidence], *, alpha: float) -> Evidence:
    """Return the evidence that is not clear, or else the one with the smallest difference to its control.

    An effect that is to stand beside every control stands as far as beside the strongest of them.
    """
    return min(found, key=lambda one: (one.is_clear(alpha=alpha), abs(one.versus_control.estimate)))
