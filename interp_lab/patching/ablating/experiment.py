"""Ablation: which parts does an answer need, do they write it themselves, and what stands in for what?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interp_lab.bibliography import BENJAMINI_1995, ELHAGE_2021, HEIMERSHEIM_2024, WANG_2022
from interp_lab.claims import Split
from interp_lab.effects.metric_names import COSTS, MetricOf
from interp_lab.effects.parts import Part, parts_of
from interp_lab.experiment import Progress, silent
from interp_lab.hooks import require_hook
from interp_lab.identity import Direction
from interp_lab.models.experiment import ModelExperiment
from interp_lab.models.identity import identity_of
from interp_lab.patching.ablating.config import AblatingConfig
from interp_lab.patching.ablating.measured import Measuring, unwritten, written
from interp_lab.patching.ablating.parts import AblatedSites, ablated_sites
from interp_lab.patching.ablating.plan import Plan, candidates, choose, orders, stated, with_partners
from interp_lab.patching.ablating.result import AblationResult
from interp_lab.patching.ablating.screen import Screened, screened
from interp_lab.patching.ablating.splits import AblatedSplit
from interp_lab.types import HookedModel

NAME = "ablation"
"""In the registry, and at the head of every config file."""


class Ablating(ModelExperiment[AblatingConfig, AblationResult]):
    """Ablate every part: choose on half of the prompts, report on the rest, confirm on held-out templates."""

    name = NAME
    result = AblationResult
    sources = (WANG_2022, ELHAGE_2021, HEIMERSHEIM_2024, BENJAMINI_1995)

    def measure(
        self,
        model: HookedModel,
        *,
        metric: MetricOf | None = None,
        directions: Mapping[str, Direction] | None = None,
        progress: Progress = silent,
    ) -> AblationResult:
        """Measure on a model already in memory.

        Args:
            metric: makes a metric of your own from the model and the pairs, in place of the one that the config names.
                It must be higher where the model is nearer to the answer (negate a cost).
            directions: by name; each is projected out of its hook point at all positions.

        Raises: ValueError, if the task does not suit the model or has too few different pairs, the model has not the
            sites or no part of a name in `chosen`, a direction is another model's, or prompts are padded differently
            where values are taken from the same position of others; as `engine.sweep`.
        """
        c, directions = self.config, dict(directions or {})
        _require_own(model, directions)
        sites, drawn = ablated_sites(model, c.sites), parts_of(model, c, metric, partners="any")
        parts = drawn.by_split
        steps = _Steps(progress, len(parts) * (2 * len(c.ablations) + bool(directions)))
        measuring = Measuring(model, sites, c, drawn.metric in COSTS, steps)
        direct, refused = _written(model, parts, sites)
        select, plan = self._planned(measuring, parts[Split.SELECT], direct[Split.SELECT])
        measured = {Split.SELECT: select}
        wanted = [(int(kind), int(head)) for kind, head, _ in plan.backups]
        for split, part in parts.items():
            if split is not Split.SELECT:
                alone = measuring.with_pairs(measuring.alone(part, direct[split]), part, wanted)
                together = measuring.with_sets(alone, part, plan)
                measured[split] = measuring.with_directions(together, part, directions)
        screen = self._screened(model, parts[Split.REPORT], sites)
        progress(1, 1, "ablated")
        return AblationResult(
            config=c,
            provenance=self.provenance(model),
            metric=drawn.metric,
            unit=drawn.unit,
            sites=sites,
            plan=plan,
            direct_refused=refused,
            select=measured[Split.SELECT],
            report=measured[Split.REPORT],
            held_out=measured.get(Split.HELD_OUT),
            directions=tuple(directions),
            screen=screen,
        )

    def _planned(self, measuring: Measuring, part: Part, direct: np.ndarray) -> tuple[AblatedSplit, Plan]:
        """Measure the selection split, and say what is tested on the others; nothing, if that was stated in advance."""
        c, sites, cost = self.config, measuring.sites, measuring.cost
        if c.chosen is not None:
            return measuring.untouched(part, direct), stated(c.chosen, sites, c)
        select = measuring.alone(part, direct)
        wanted = candidates(select, sites, c, cost=cost)
        select = measuring.with_pairs(select, part, wanted)
        backups = with_partners(select, sites, wanted, cost=cost)
        return select, Plan(choose(select, sites, c), orders(select, sites, c, cost=cost), backups)

    def _screened(self, model: HookedModel, part: Part, sites: AblatedSites) -> Screened | None:
        c = self.config
        if c.prescreen is None:
            return None
        return screened(model, part, sites, method=c.prescreen, keep=c.n_prescreened, budget=c.memory_budget)


def _require_own(model: HookedModel, directions: Mapping[str, Direction]) -> None:
    """Refuse directions that were found on another model, or at a place that this one has not."""
    for name, direction in directions.items():
        identity_of(model).require_same(direction.model, what=f"direction {name!r}")
        require_hook(model, direction.hook)


def _written(
    model: HookedModel, parts: Mapping[Split, Part], sites: AblatedSites
) -> tuple[dict[Split, np.ndarray], str | None]:
    """Return what each part writes straight to the metric, or NaN and why that cannot be said."""
    try:
        return {split: written(model, part, sites) for split, part in parts.items()}, None
    except ValueError as refused:  # of the instrument: logits with a cap, or a metric that is no sum of logits
        return {split: unwritten(part, sites) for split, part in parts.items()}, str(refused)


@dataclass
class _Steps:
    """Turns the progress of several sweeps into that of the experiment; the last one may be less than all."""

    progress: Progress
    n_steps: int
    finished: int = 0
    last: int = 0

    def __call__(self, done: int, total: int, what: str) -> None:
        """Report; a sweep that is done counts as one step."""
        reached = int(1000 * (self.finished + done / max(total, 1)))
        self.last = max(self.last, min(reached, 1000 * self.n_steps))
        self.progress(self.last, 1000 * self.n_steps, what)
        self.finished += done == total
