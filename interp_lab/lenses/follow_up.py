"""The causal follow-up of a triage: does the suspected part repair the answer when it gets its value from a good run?

Every attention and MLP output, at every place, is set to its value in a run that answers right (of the same model on
another prompt with the same answer, or of another model of the same shape on the same prompt). The part is chosen among
those that the triage suspects, on one half of the prompts, and reported on the other.

The control is the same part from a good run with another answer: the value must bring *this* answer. Where the wrong
token is too loud, only late parts at the end are suspected, which do much whatever is put there; so there is a second
control, the parts that are not suspected, each from the good run, whose spread counts. Both must be beaten: a part that
any good run would quiet, whatever it answers, repairs as much by the control as by its own value, and what is said of
it stays descriptive.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.claims import Claim, Evidence, Split, as_unsure
from interp_lab.effects import Compared, evidence_against, evidence_of
from interp_lab.engine import Effects
from interp_lab.experiment import Progress, silent
from interp_lab.lenses.asked import END, Asked
from interp_lab.lenses.good_runs import GoodRuns, ModelPart, NoGoodRunsError, Repairing, Repairs, parts_at
from interp_lab.lenses.wrong_completion import Triage, Verdict
from interp_lab.models.identity import identity_of
from interp_lab.runs.fields import as_arrays, from_arrays
from interp_lab.stats import Intervals, bootstrap_interval
from interp_lab.types import HookedModel

METRIC = "logit of the right token minus that of the wrong one"


@dataclass(frozen=True)
class FollowUp:
    """What the suspected part does with its value from a good run, beside all others."""

    model: str
    verdict: Verdict
    parts: tuple[ModelPart, ...]
    suspected: Bool[np.ndarray, " part"]
    """By the verdict of the triage."""
    chosen: int
    """The suspected part that repairs most on the half that chooses."""
    repairs: Repairs
    """On the other half."""
    again: Repairs | None
    """On held-out templates."""
    smallest_effect: float
    """Of interest (share of the gap between the good run and the wrong one)."""
    level: float
    seed: int

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, and names."""
        return {
            "follow_model": np.array(self.model),
            "follow_verdict": np.array(str(self.verdict)),
            "follow_parts": np.array([str(part) for part in self.parts]),
            "follow_suspected": self.suspected,
            "follow_chosen": np.array(self.chosen),
            "follow_options": np.array([self.smallest_effect, self.level, self.seed]),
            **as_arrays(self.repairs, "follow_report"),
            **as_arrays(self.again, "follow_again"),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "FollowUp":
        """Rebuild from what `arrays` returned."""
        smallest_effect, level, seed = arrays["follow_options"].tolist()
        repairs = from_arrays(Repairs, "follow_report", arrays)
        assert repairs is not None, "written with it"
        return cls(
            model=str(arrays["follow_model"]),
            verdict=Verdict(str(arrays["follow_verdict"])),
            parts=tuple(ModelPart.named(str(name)) for name in arrays["follow_parts"]),
            suspected=arrays["follow_suspected"],
            chosen=int(arrays["follow_chosen"]),
            repairs=repairs,
            again=from_arrays(Repairs, "follow_again", arrays),
            smallest_effect=smallest_effect,
            level=level,
            seed=int(seed),
        )

    @property
    def part(self) -> ModelPart:
        """The part that was chosen."""
        return self.parts[self.chosen]

    @property
    def repaired(self) -> Float[np.ndarray, " part"]:
        """Share of the way from the wrong run to the good one, part by part; 1 is all of it."""
        return self.repairs.changes.mean(1) / self.repairs.gap

    def intervals(self) -> tuple[Intervals, Intervals]:
        """Return the mean changes by good values, and by those of good runs with another answer."""
        changes, controls = (
            bootstrap_interval(one, self.repairs.units, level=self.level, seed=self.seed)
            for one in (self.repairs.changes, self.repairs.controls)
        )
        return changes, controls

    @cached_property
    def effects(self) -> tuple[Evidence, ...]:
        """On the half that did not choose, beside each control; see the module."""
        return self._evidence(self.repairs, Split.REPORT)

    @cached_property
    def replications(self) -> tuple[Evidence | None, ...]:
        """On held-out templates, beside the same controls."""
        return (None,) * len(self.effects) if self.again is None else self._evidence(self.again, Split.HELD_OUT)

    def _evidence(self, repairs: Repairs, split: Split) -> tuple[Evidence, ...]:
        name, margin = f"patch of {self.part}", self.smallest_effect * repairs.gap
        change = repairs.changes[self.chosen][None]
        effects = Effects((name,), METRIC, "logits", repairs.margin, change)
        (own,) = evidence_against(
            effects, repairs.controls[self.chosen][None],
            control_name="the same part from a good run with another answer", split=split, clusters=repairs.units,
            margin=margin, level=self.level, seed=self.seed,
        )  # fmt: skip
        if self.verdict is not Verdict.SHORTCUT or (~self.suspected).sum() < 2:
            return (own,)
        compared = Compared(
            names=(f"{name}: change of {METRIC}",),
            changes=change,
            controls=(repairs.changes[~self.suspected],),
            of=("parts that are not suspected, from the same good run",),
            unit="logits",
            margin=margin,
            clusters=tuple(repairs.units or map(str, range(change.shape[1]))),
        )
        return own, evidence_of([compared], split=split, level=self.level, seed=self.seed)[0][0]

    def claim(self, *, alpha: float = 0.05) -> Claim:
        """Return what the follow-up supports by the control that it beats least; descriptive unless it beats all."""
        helps = self.effects[0].effect.estimate > 0
        more = "brings the right answer back" if helps else "makes the right answer weaker"
        beyond = ", ".join(f"{one.versus_control} logits beyond {one.control}" for one in self.effects)
        share = self.repaired[self.chosen]
        observed = f"triage: {self.verdict}; {share:.0%} of the way to the run that answers right; {beyond}"
        statement = f"In {self.model}, {self.part} set to its value in a run that answers right {more}"
        away = [one for one in self.replications if one is not None]
        again_of = as_unsure(away) if len(away) == len(self.effects) else [None] * len(self.effects)
        pairs = zip(as_unsure(self.effects), again_of, strict=True)
        made = [Claim(statement, observed, effect, again, alpha=alpha) for effect, again in pairs]
        return min(made, key=lambda claim: claim.grade)


def causal_follow_up(
    model: HookedModel,
    prompts: Asked,
    found: Triage,
    *,
    runs: GoodRuns | None = None,
    again: tuple[Asked, GoodRuns] | None = None,
    smallest_effect: float = 0.1,
    level: float = 0.95,
    seed: int = 0,
    memory_budget: int | None = None,
    progress: Progress = silent,
) -> FollowUp:
    """Patch every part from a run that answers right, and test the one that is suspected.

    Args:
        prompts: that the triage was of. Those for which there is no control run are left out.
        runs: the good runs; of the model itself on the same prompts there are none, so that something must be given.
        again: wrong completions of held-out templates, with their good runs; `None` leaves replication out.
        smallest_effect: of interest (share of the gap between the good run and the wrong one).

    Raises: ValueError, if the good run is not good, models differ in shape, prompts and donors in length, or too few
        prompts have a control run; as `engine.sweep`.
    """
    repairing = Repairing(model, memory_budget, seed, progress)
    parts = parts_at(model, tuple(prompts.places))
    measured = repairing.measured(prompts, runs or GoodRuns(model), parts)
    select, report = (np.flatnonzero(np.isin(measured.rows, half)) for half in (found.select, found.report))
    if min(len(select), len(report)) < 2:
        raise NoGoodRunsError(
            f"{len(select)} prompts to choose on and {len(report)} to report have a control run; give more prompts"
        )
    suspected = np.array([suspects(part, found) for part in parts])
    chosen = int(np.where(suspected, measured.changes[:, select].mean(1), -np.inf).argmax())
    return FollowUp(
        model=identity_of(model).name,
        verdict=found.verdict,
        parts=parts,
        suspected=suspected,
        chosen=chosen,
        repairs=measured.on(report),
        again=None if again is None else repairing.measured(again[0], again[1], parts),
        smallest_effect=smallest_effect,
        level=level,
        seed=seed,
    )


def suspects(part: ModelPart, found: Triage) -> bool:
    """Whether a triage points at a part.

    Shortcut: what is written at the end, from the block in which the wrong token overtakes on. Broken routing: what is
    written at the end, from the block on in which the answer is readable best. Missing knowledge, or
    unclear: every part.
    """
    if found.verdict is Verdict.SHORTCUT:
        return part.place == END and part.layer >= _block(found.overtaking_point)
    if found.verdict is Verdict.BROKEN_ROUTING:
        return part.place == END and part.layer >= _block(found.best.point)
    return True


def _block(point: str) -> int:
    """Return the block that a point is in or behind; -1 for what the first one receives."""
    return -1 if point == "embedded" else int(point.split()[-1])
