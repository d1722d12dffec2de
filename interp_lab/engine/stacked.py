"""The general way: interventions stacked on the batch axis of whole forward passes, for any model and hook point."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.engine.budget import Costs, chunks, half_jobs, half_rows, halving
from interp_lab.engine.items import Job
from interp_lab.engine.support import has_foreign_hooks
from interp_lab.hooks import Edit, edited, masked
from interp_lab.metrics import Metric
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Stacked:
    """Prompts, and what is read of them."""

    model: HookedModel
    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"] | None
    metric: Metric

    def untouched(self, *, batch_size: int) -> Float[Tensor, " batch"]:
        """Return the metric of the untouched model."""
        values, n = [], len(self.tokens)

        def run(part: range) -> None:
            rows = torch.arange(part.start, part.stop)
            values.append(self._metric(self._forward(rows), rows))

        if has_foreign_hooks(self.model):  # they may tell rows apart
            run(range(n))
        else:
            for first in range(0, n, batch_size):
                halving(run, range(first, min(first + batch_size, n)), halves=half_rows)
        return torch.cat(values)

    def run(
        self,
        jobs: Sequence[Job],
        costs: Costs,
        *,
        budget: int,
        store: Callable[[Job, Tensor], None],
        done: Callable[[int], None],
    ) -> None:
        """Run the items of jobs; arguments as in `packed.Block.run`.

        Raises: HookNeverFiredError, if the model does not pass a hook point that is to be edited.
        """

        def run(piece: list[Job]) -> None:
            for job, values in zip(piece, self._run_chunk(piece), strict=True):
                store(job, values)
            done(sum(len(job.examples) for job in piece))

        if has_foreign_hooks(self.model):
            for job in jobs:
                store(job, self._run_alone(job))
                done(len(job.examples))
            return
        for piece in chunks(jobs, costs, budget=budget):
            halving(run, piece, halves=half_jobs)

    def _run_alone(self, job: Job) -> Float[Tensor, " item"]:
        """Run one intervention on all prompts as they came: somebody's hooks may tell rows apart."""
        rows = torch.arange(len(self.tokens))
        with edited(self.model, job.intervention.edits()):
            logits = self._forward(rows)
        return self._metric(logits, rows)[torch.from_numpy(job.examples)]

    def _run_chunk(self, jobs: list[Job]) -> Sequence[Float[Tensor, " item"]]:
        rows = torch.from_numpy(np.concatenate([job.examples for job in jobs]))
        with edited(self.model, _edits(jobs)):
            logits = self._forward(rows)
        return self._metric(logits, rows).split([len(job.examples) for job in jobs])

    def _forward(self, rows: Int[Tensor, " row"]) -> Any:  # noqa: ANN401 - a model's output
        tokens = self.tokens[rows]
        mask = torch.ones_like(self.tokens, dtype=torch.bool) if self.mask is None else self.mask
        return self.model(tokens, **masked(tokens, mask[rows]))

    def _metric(self, logits: Tensor, rows: Int[Tensor, " row"]) -> Float[Tensor, " row"]:
        return self.metric.rows(rows)(logits, checked=False)


def _edits(jobs: Sequence[Job]) -> Mapping[str, Edit]:
    """Return edits of the whole batch, in which every job has its own rows."""
    by_hook: dict[str, list[tuple[slice, Edit]]] = {}
    first = 0
    for job in jobs:
        part = slice(first, first + len(job.examples))
        first = part.stop
        for hook, edit in job.intervention.rows(torch.from_numpy(job.examples)).edits().items():
            by_hook.setdefault(hook, []).append((part, edit))

    def all_of(parts: Sequence[tuple[slice, Edit]]) -> Edit:
        def edit(activation: Tensor) -> Tensor:
            for part, own in parts:
                activation[part] = own(activation[part])
            return activation

        return edit

    return {hook: all_of(parts) for hook, parts in by_hook.items()}
