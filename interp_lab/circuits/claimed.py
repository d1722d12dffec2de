"""What is claimed of a circuit: that it suffices, and that it is needed; each beside random ones of as many edges."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from interp_lab.circuits.faithfulness import Faithfulness
from interp_lab.circuits.measurements import CircuitMeasurements
from interp_lab.circuits.splits import CircuitSplit
from interp_lab.claims import Claim, Grade
from interp_lab.effects import Compared, Tested, with_replications

SUFFICES, NEEDED = "suffices", "is needed"


@dataclass(frozen=True)
class CircuitClaims(CircuitMeasurements):
    """The measurements as evidence and claims: none, unless there is a behaviour to carry (`not_asked`)."""

    @cached_property
    def tested(self) -> Mapping[str, Tested]:
        """The evidence on what the circuit keeps on its own, and on what is lost without it; corrected over both."""
        if self.not_asked is not None:
            return {}
        held = self.held_out if self.not_replicable is None else None
        c = self.config
        (found,) = with_replications(
            [self._compared(self.report)], [None if held is None else self._compared(held)], alpha=c.fdr,
            level=c.level, seed=c.seed,
        )  # fmt: skip
        return dict(zip((SUFFICES, NEEDED), found, strict=True))

    def _compared(self, split: CircuitSplit) -> Compared:
        sign = -1.0 if self.is_cost else 1.0
        kept, lost = sign * (split.circuit - split.empty), sign * (split.clean - split.complement)
        what = self.metric.replace("_", " ")
        return Compared(
            names=(
                f"{self.config.ablation} ablation of all other edges: {what} above that of the empty circuit",
                f"{self.config.ablation} ablation of the circuit's edges: fall of {what}",
            ),
            changes=np.stack([kept, lost]),
            controls=(sign * (split.random - split.empty), sign * (split.clean - split.without_random)),
            of=("random circuits of as many edges, made of paths to the logits",) * 2,
            unit=self.unit,
            margin=self.margin_on(split),
            clusters=tuple(map(str, split.clusters.tolist())),
        )

    def claims(self) -> list[Claim]:
        """Return the claim that the circuit suffices, and that it is needed; nothing if nothing was asked.

        Neither says that the circuit is the only one, or that it is faithful: for that see the figures.
        """
        c, n = self.config, len(self.plan.edges)
        gain = abs(float((self.report.clean - self.report.empty).mean()))
        edges = f"{n} edge{'s' if n > 1 else ''}"
        made = []
        come_by = "given" if c.method == "given" else "chosen on other prompts"
        for name, (effect, again) in self.tested.items():
            told = f"f = {_share(self.faithfulness if name == SUFFICES else self.complement)}"
            of = "the circuit" if name == SUFFICES else "all other edges"
            statement = _SAYS[name, effect.effect.estimate >= 0].format(
                edges=edges, task=c.task, model=c.model, ablation=c.ablation
            )
            share = abs(effect.effect.estimate) / gain
            observed = f"{edges} of {len(self.all_edges)}, {come_by}; {share:.0%} of the behaviour; {of}: {told}"
            made.append(Claim(statement, observed, effect, again, alpha=c.fdr))
        return made

    def grade(self, name: str) -> Grade | None:
        """Return the grade of one of the claims; `None` if it is not made."""
        return dict(zip(self.tested, (claim.grade for claim in self.claims()), strict=True)).get(name)


def _share(found: Faithfulness) -> str:
    return next((f"{value} ({order})" for order, value in found.shares.items()), "refused")


_SAYS: Mapping[tuple[str, bool], str] = {
    (SUFFICES, True): "{edges} of {model} keep {task} up on their own ({ablation} ablation of all others)",
    (SUFFICES, False): "{edges} of {model} on their own work against {task} ({ablation} ablation of all others)",
    (NEEDED, True): "{model} needs {edges} for {task} ({ablation} ablation of them)",
    (NEEDED, False): "{edges} of {model} work against {task} ({ablation} ablation)",
}
"""By the sign of the effect on the report split."""
