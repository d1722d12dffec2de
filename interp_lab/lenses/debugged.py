"""Wrong completions of a task: found, sorted by the triage, and followed up by patching from runs that answer right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from interp_lab.experiment import Progress, silent
from interp_lab.lenses.asked import Asked, model_errors
from interp_lab.lenses.config import LensesConfig
from interp_lab.lenses.follow_up import FollowUp, causal_follow_up
from interp_lab.lenses.good_runs import GoodRuns, NoGoodRunsError, good_runs_among
from interp_lab.lenses.logit_lens import Lens
from interp_lab.lenses.wrong_completion import FEWEST, Triage, triage
from interp_lab.runs.fields import as_arrays, from_arrays
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Debugged:
    """What became of the prompts that a model gets wrong."""

    n_wrong: int
    n_asked: int
    found: Triage | None
    """`None` if too few went wrong."""
    follow_up: FollowUp | None
    why_not: str
    """Why there is no triage or no follow-up; empty if there are both."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, and names."""
        found = {
            "n_wrong": np.array(self.n_wrong),
            "n_asked": np.array(self.n_asked),
            "why_not": np.array(self.why_not),
            **as_arrays(self.found, "triage"),
        }
        return found if self.follow_up is None else found | self.follow_up.arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Debugged":
        """Rebuild from what `arrays` returned."""
        return cls(
            n_wrong=int(arrays["n_wrong"]),
            n_asked=int(arrays["n_asked"]),
            found=from_arrays(Triage, "triage", arrays),
            follow_up=FollowUp.from_arrays(arrays) if "follow_parts" in arrays else None,
            why_not=str(arrays["why_not"]),
        )


def debugged(
    model: HookedModel,
    prompts: Asked,
    held_out: Asked | None,
    *,
    config: LensesConfig,
    lens: Lens,
    points: Sequence[str],
    donor: HookedModel | None = None,
    progress: Progress = silent,
) -> Debugged:
    """Find wrong completions, say what went wrong, and test it.

    Args:
        held_out: prompts of held-out templates, to confirm the follow-up on.
        donor: a model of the same shape that answers these prompts right; unless it is given, good runs are those of
            other prompts with the same answer.

    Raises: ValueError, as `triage`.
    """
    wrong = model_errors(model, prompts)
    n_wrong, n = 0 if wrong is None else len(wrong.tokens), len(prompts.tokens)
    if wrong is None or n_wrong < FEWEST:
        return Debugged(n_wrong, n, None, None, f"A triage takes {FEWEST} at least.")
    c = config
    found = triage(model, wrong, lens=lens, points=points, at_least=c.at_least, level=c.level, seed=c.seed)
    try:
        runs = good_runs_among(model, wrong, prompts, donor=donor)
        follow_up = causal_follow_up(
            model, wrong, found, runs=runs, again=_again(model, held_out, donor), smallest_effect=c.smallest_effect,
            level=c.level, seed=c.seed, memory_budget=c.memory_budget, progress=progress,
        )  # fmt: skip
    except NoGoodRunsError as refused:
        return Debugged(n_wrong, n, found, None, str(refused))
    return Debugged(n_wrong, n, found, follow_up, "")


def _again(model: HookedModel, held_out: Asked | None, donor: HookedModel | None) -> tuple[Asked, GoodRuns] | None:
    """Return wrong completions of held-out templates with their good runs, if there are enough of both."""
    wrong = None if held_out is None else model_errors(model, held_out)
    if held_out is None or wrong is None or len(wrong.tokens) < FEWEST // 2:
        return None
    try:
        return wrong, good_runs_among(model, wrong, held_out, donor=donor)
    except NoGoodRunsError:
        return None
