"""What is claimed of chosen sites, and the evidence for it."""

from collections.abc import Mapping

import numpy as np

from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.effects.confirming import how_chosen
from interp_lab.patching.changes import Patch, SplitMeasurements
from interp_lab.patching.measurements import PatchingMeasurements
from interp_lab.patching.sites import Run
from interp_lab.stats import paired_difference


class PatchingClaims(PatchingMeasurements):
    """The measurements as evidence and claims: none, unless there is a behaviour to carry (`not_asked`)."""

    def _split(self, split: Split) -> SplitMeasurements | None:
        """Return what evidence is taken from, if anything is asked of it."""
        if self.not_asked is not None:
            return None
        if split is Split.REPORT:
            return self.report
        return self.held_out if self.not_replicable is None else None

    def evidence(self, patch: Patch, split: Split) -> list[Evidence]:
        """Return the evidence on each chosen site: its effect, and that minus the control's."""
        return [found for key, found in self._tested(split).items() if key[0] == patch]

    def set_evidence(self, split: Split) -> dict[str, Evidence]:
        """Return, by map, the evidence on its chosen sites denoised together, against random sets of as many sites."""
        return {what: found for (kind, what), found in self._tested(split).items() if kind == _SETS}

    def _tested(self, split: Split) -> dict[tuple[str, str], Evidence]:
        """Return the evidence on all that is tested, by what was done and where; corrected over all of it."""
        held = self._split(split)
        if held is None or not len(self.chosen):
            return {}
        tested: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
        for patch, null in _NULL_OF.items():
            effects, control = (held.effect(one)[self.chosen] for one in (patch, null))
            names = [(str(patch), self.names[site]) for site in self.chosen]
            tested |= dict(zip(names, zip(effects, control, strict=True), strict=True))
        for name, sets in zip(self.maps, held.sets, strict=True):
            if np.isfinite(sets).all():
                tested[_SETS, name] = (sets[0], sets[1:].mean(0))
        return dict(zip(tested, self._compared(held, tested, split=split), strict=True))

    def _compared(
        self, held: SplitMeasurements, tested: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]], *, split: Split
    ) -> list[Evidence]:
        c = self.config
        effects, control = (np.stack(side) for side in zip(*tested.values(), strict=True))
        own, against = self._interval(held, effects), self._interval(held, effects - control)
        test = paired_difference(effects, control, held.clusters, level=c.level, seed=c.seed)
        adjusted = test.p_adjusted()
        return [
            Evidence(
                what=f"{kind} {what}",
                unit=self.effect_unit,
                effect=own.at(nth),
                versus_control=against.at(nth),
                p_adjusted=float(adjusted[nth]),
                control=self._control(kind),
                split=split,
                n_examples=effects.shape[-1],
                margin=self.margin,
                p=float(test.p[nth]),
            )
            for nth, (kind, what) in enumerate(tested)
        ]

    def _control(self, kind: str) -> str:
        if kind == _SETS:
            return f"mean of {self.config.n_random_sets} random sets of as many sites"
        of = "corrupted" if kind == Patch.DENOISE else "clean"
        return f"the value of {self.another(of)}, of the same template"

    def another(self, kind: Run) -> str:
        """Return what partners are, for legends: `another clean prompt with the same answer`, or with any."""
        return f"another {kind} prompt{' with the same answer' if self.same_answers else ''}"

    def claims(self) -> list[Claim]:
        """Return what is claimed of each chosen site, one claim per direction, and of the chosen sites together.

        Nothing, if nothing was asked; see `not_asked`.
        """
        made = []
        if self.not_asked is not None:
            return made
        for patch, says in _SAYS.items():
            found, again = (self.evidence(patch, split) for split in (Split.REPORT, Split.HELD_OUT))
            for nth, (site, effect) in enumerate(zip(self.chosen, found, strict=True)):
                statement = says[_sign(effect)].format(site=self.names[site], model=self.config.model)
                made.append(self._claim(statement, effect, again[nth] if again else None))
        together, again_together = self.set_evidence(Split.REPORT), self.set_evidence(Split.HELD_OUT)
        for name, effect in together.items():
            statement = _SETS_SAY[_sign(effect)].format(sites=name, model=self.config.model)
            made.append(self._claim(statement, effect, again_together.get(name)))
        return made

    def grades(self) -> dict[str, tuple[Grade, Grade]]:
        """Return, by chosen site, the grades of what is claimed of denoising and of noising it; none if not asked."""
        graded, n = [claim.grade for claim in self.claims()], len(self.chosen)
        return {self.names[site]: (graded[nth], graded[n + nth]) for nth, site in enumerate(self.chosen) if graded}

    def _claim(self, statement: str, effect: Evidence, replication: Evidence | None) -> Claim:
        observed = f"the corruption costs {self.total} {self.unit}; the site was {how_chosen(self.config.chosen)}"
        return Claim(statement, observed, effect, replication, alpha=self.config.fdr)


def _sign(evidence: Evidence) -> int:
    return 1 if evidence.effect.estimate > 0 else -1


_SETS = "denoise together the chosen sites of"
_NULL_OF = {Patch.DENOISE: Patch.DENOISE_NULL, Patch.NOISE: Patch.NOISE_NULL}
_SAYS: Mapping[Patch, Mapping[int, str]] = {
    Patch.DENOISE: {
        1: "The clean value at {site} brings the answer back in corrupted prompts ({model})",
        -1: "{site} works against the answer: its clean value takes more of it away in corrupted prompts ({model})",
    },
    Patch.NOISE: {
        1: "The corrupted value at {site} takes the answer away in clean prompts ({model})",
        -1: "{site} works against the answer: its corrupted value brings more of it to clean prompts ({model})",
    },
}
_SETS_SAY: Mapping[int, str] = {
    1: "The chosen sites of {sites} together carry what the corruption changes in {model}",
    -1: "The chosen sites of {sites} together work against the answer in {model}",
}
"""By the sign of the effect on the report split."""
