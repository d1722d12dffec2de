"""What is tested after the choice, beside which controls, and what is claimed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from interp_lab.claims import Claim, Evidence, Grade, as_unsure
from interp_lab.effects import Compared, with_replications
from interp_lab.effects.compared import Tested
from interp_lab.sae.causal.config import Operation
from interp_lab.sae.causal.measurements import FeatureMeasurements
from interp_lab.sae.causal.splits import SHARES, WAYS, FeatureSplit, Share, Way
from interp_lab.stats import benjamini_hochberg

TOGETHER = "together"
"""The name of what the chosen features carry together."""
RANDOM, BORROWED, MATCHED = "random directions", "directions of other latents", "other latents"
_OF = {
    RANDOM: "random directions as long at the same tokens",
    BORROWED: "directions of other latents, as long at the same tokens",
    MATCHED: "other latents, changed where they are themselves active and as long on the same prompts",
}


@dataclass(frozen=True)
class FeatureClaims(FeatureMeasurements):
    """The measurements as evidence and claims: none, unless there is an answer to lose (`not_asked`).

    An effect counts where it is clear beside every kind of control, so that what stands in a claim is the evidence
    beside the one that it is least clear of. Each comparison is with the mean of the control's draws, whose spread
    enters intervals and p-values (`stats.difference_from_several`), and all of them are corrected together. An effect
    that one more random direction or set might have had as well is no more than one of these, though their mean be
    zero: it must besides lie beyond their spread (`p_as_one_more`, corrected likewise; the larger p-value counts).
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
        replicated = {
            family: [again is not None for _, again in pairs] for family, pairs in zip(own, found, strict=True)
        }
        as_one_more = self._as_one_more_draw(own, {family: [True] * len(each) for family, each in replicated.items()})
        again = self._as_one_more_draw(away, replicated)
        by_name: dict[str, list[Tested]] = {}
        for family, tested in zip(own, found, strict=True):
            for nth, (name, (effect, once_more)) in enumerate(zip(self._subjects(family), tested, strict=True)):
                effect = _at_least(effect, as_one_more.get((family, nth)))
                once_more = None if once_more is None else _at_least(once_more, again.get((family, nth)))
                by_name.setdefault(name, []).append((effect, once_more))
        return {name: self._weakest(pairs) for name, pairs in by_name.items()}

    def _subjects(self, family: str) -> tuple[str, ...]:
        return (TOGETHER,) if family.startswith(TOGETHER) else self.names

    def _as_one_more_draw(
        self, compared: Mapping[str, Compared], asked: Mapping[str, Sequence[bool]]
    ) -> dict[tuple[str, int], tuple[float, float]]:
        """Return p of each effect that is asked about as one more draw of its control: alone, and corrected together.

        Of directions and random sets: matched latents are no draws, but the nearest there are.
        """
        p = {
            (family, nth): p_as_one_more(one.changes[nth].mean(), one.controls[nth].mean(-1))
            for family, one in compared.items()
            if family.endswith((RANDOM, BORROWED)) or family.startswith(TOGETHER)
            for nth, wanted in enumerate(asked[family])
            if wanted
        }
        adjusted = benjamini_hochberg(np.array(list(p.values()))).tolist() if p else []
        return {key: (alone, together) for (key, alone), together in zip(p.items(), adjusted, strict=True)}

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
            MATCHED: self.lost(held.beside),
        }
        what = [f"{self.config.operations[0].phrase} feature {name}: {self.moves}" for name in self.names]
        found = {family: self._against(held, what, own, list(controls), family) for family, controls in beside.items()}
        if n > 1:
            way = WAYS.index(Way.DENOISE)
            gained = -self.lost(held.shares[way, SHARES.index(Share.CHOSEN)])[None]
            together = [f"denoising the {n} chosen features together: {self.metric.replace('_', ' ')} brought back"]
            for family, draws in ((RANDOM, held.set_random), (MATCHED, held.set_others)):
                if len(draws):  # else there were too few others, which the page says
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
        of = "random sets of as many latents of those not chosen, as long on the same prompts" if sets else _OF[family]
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
            statement = self._statement(name, worse=effect.effect.estimate > 0)
            observed = (
                f"changed on {self.active[nth]:.0%} of the prompts, most active on {self.fires_on[nth]}; its direction "
                f"raises {self.writes[nth] or 'no tokens that could be told'}"
            )
        return Claim(statement, observed, effect, again, alpha=c.fdr)

    def _statement(self, name: str, *, worse: bool) -> str:
        """Return what the first operation on a latent does to the answer: that it is needed, only if it was removed."""
        c, operation = self.config, self.config.operations[0]
        feature, answer = f"feature {name} at {self.hook}", f"the answer of {c.task} in {c.model}"
        if operation.removes:
            return f"T{answer[1:]} {'needs' if worse else 'is held back by'} {feature}"
        if operation is Operation.CORRUPTED:
            return f"Corrupting {feature} {'costs part of' if worse else 'strengthens'} {answer}"
        if operation is Operation.CLAMP:
            return f"Clamping {feature} at {c.clamp:g} of its largest value moves {answer}"
        return f"Scaling {feature} by {c.scale:g} {'weakens' if worse else 'strengthens'} {answer}"


def p_as_one_more(effect: float, draws: Float[np.ndarray, " draw"]) -> float:
    """Return the p-value (two-sided) of an effect as one more draw of its control, by Student's t.

    It takes draws to be about normal, as what directions drawn at random do to first order is in many dimensions; so
    that few of them can tell, where a rank would need as many draws as corrected tests have to reject against.

    Source: the prediction interval for one further observation.
    """
    spread = float(np.std(draws, ddof=1)) * (1 + 1 / len(draws)) ** 0.5
    apart = abs(effect - float(draws.mean()))
    if spread == 0:
        return float(apart == 0)
    return float(2 * student.sf(apart / spread, len(draws) - 1))


def _at_least(evidence: Evidence, p: tuple[float, float] | None) -> Evidence:
    return evidence if p is None else evidence.no_surer_than(*p)


def weakest(found: Sequence[Evidence], *, alpha: float) -> Evidence:
    """Return the evidence that is not clear, or else the one with the smallest difference to its control.

    An effect that is to stand beside every control stands as far as beside the strongest of them, and is no surer than
    beside any: the largest p-values count.
    """
    least = min(range(len(found)), key=lambda nth: (found[nth].is_clear(alpha=alpha), _beyond_control(found[nth])))
    return as_unsure(found)[least]


def _beyond_control(evidence: Evidence) -> float:
    return abs(evidence.versus_control.estimate)
