"""What a model can do besides: tasks whose accuracy steering should leave alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.decoding.where import Prompted
from interp_lab.effects.capabilities import Half, capability_pairs, correctness
from interp_lab.engine import sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Combined, Intervention
from interp_lab.steering.setting import is_inert
from interp_lab.tasks.pairs import Pairs
from interp_lab.types import HookedModel

MakeInterventions = Callable[[Prompted], Sequence[Intervention | Combined]]
"""Makes one intervention per setting for a batch."""


@dataclass(frozen=True)
class Capability:
    """Whether each example is answered right, under each setting and unsteered."""

    names: tuple[str, ...]
    """Of the tasks."""
    right: Float[np.ndarray, "capability setting example"]
    """1 where the likeliest of all answers that the task's examples have is a right one here, else 0."""
    top: Float[np.ndarray, "capability setting example"]
    """1 where the likeliest token of the whole vocabulary is a right answer, else 0; never above `right`."""
    clean_right: Float[np.ndarray, "capability example"]
    """`right` without steering."""
    clean_top: Float[np.ndarray, "capability example"]
    templates: tuple[tuple[str, ...], ...]
    """By capability, of each example."""

    @property
    def loss(self) -> Float[np.ndarray, "capability setting example"]:
        """Right without steering minus right with it, example by example: -1, 0 or 1, among the answers."""
        return self.clean_right[:, None] - self.right

    @property
    def top_loss(self) -> Float[np.ndarray, "capability setting example"]:
        """The same for the whole vocabulary."""
        return self.clean_top[:, None] - self.top


def capability_of(
    model: HookedModel,
    names: Sequence[str],
    interventions_fn: MakeInterventions,
    n: int,
    *,
    seed: int,
    part: Half,
    memory_budget: int | None = None,
    progress: Progress = silent,
) -> Capability:
    """Measure what settings do to accuracy on tasks, on the same examples with and without.

    Args:
        names: behaviours of the grammar, tasks of the registry, or `.jsonl` files of pairs.
        interventions_fn: given a batch, one intervention per setting; those that change nothing are not run.
        n: examples per task.
        part: of two disjoint halves of all examples.

    Raises: ValueError, for an unknown task, answers of several tokens, or fewer examples than are asked for.
    """
    found = []
    for nth, name in enumerate(names):
        pairs = capability_pairs(model, name, n, seed=seed, part=part)
        batch = Prompted(pairs.clean, pairs.mask, pairs.answer_position)
        found.append((pairs, _scored(model, pairs, interventions_fn(batch), memory_budget=memory_budget)))
        progress(nth + 1, len(names), "capabilities")
    values = np.stack([scores for _, scores in found])
    right, top = (values >= 1).astype(float), (values >= 2).astype(float)
    return Capability(
        tuple(names), right[:, 1:], top[:, 1:], right[:, 0], top[:, 0], tuple(pairs.templates for pairs, _ in found)
    )


def _scored(
    model: HookedModel, pairs: Pairs, interventions: Sequence[Intervention | Combined], *, memory_budget: int | None
) -> Float[np.ndarray, "setting example"]:
    """Return `correctness`, first without steering and then by setting."""
    metric = correctness(pairs)
    acting = [nth for nth, one in enumerate(interventions) if not all(map(is_inert, one.parts))]
    if not acting:
        from interp_lab.effects import metric_values

        clean = metric_values(model, pairs.clean, metric, mask=pairs.mask)
        return np.tile(clean, (len(interventions) + 1, 1))
    chosen = [interventions[nth] for nth in acting]
    found = sweep(model, pairs.clean, chosen, metric, mask=pairs.mask, memory_budget=memory_budget)
    values = np.tile(found.baseline, (len(interventions) + 1, 1))
    values[[nth + 1 for nth in acting]] = found.values
    return values
