"""The sweep: every intervention on every prompt, each on its own, and what the metric makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.engine.bad_input import checked_mask, require_latents, require_no_padding
from interp_lab.engine.budget import Costs, costs, default_budget, half_rows, halving
from interp_lab.engine.items import Job, jobs_for
from interp_lab.engine.packed import Block
from interp_lab.engine.readout import first_real, positions_read
from interp_lab.engine.stacked import Stacked
from interp_lab.engine.support import Entry, packs
from interp_lab.engine.wave import needed
from interp_lab.experiment import Progress, silent
from interp_lab.hooks import ready_tokens
from interp_lab.interventions import Combined, Intervention, require_intervention
from interp_lab.metrics import Metric, require_finite
from interp_lab.types import HookedModel, Tokens


@dataclass(frozen=True)
class Effects:
    """What each intervention did to a metric, prompt by prompt."""

    names: tuple[str, ...]
    """Of the interventions."""
    metric: str
    unit: str
    baseline: Float[np.ndarray, " example"]
    """The metric of the untouched model."""
    changes: Float[np.ndarray, "site example"]
    """Metric under the intervention minus baseline."""

    @property
    def values(self) -> Float[np.ndarray, "site example"]:
        """The metric under each intervention."""
        return self.baseline + self.changes

    def rows(self, index: Sequence[int]) -> "Effects":
        """Return the effects of some of the interventions."""
        names = tuple(self.names[i] for i in index)
        return Effects(names, self.metric, self.unit, self.baseline, self.changes[list(index)])


def sweep(
    model: HookedModel,
    tokens: Tokens,
    interventions: Sequence[Intervention | Combined],
    metric: Metric,
    *,
    mask: Bool[Tensor, "_ _"] | None = None,
    memory_budget: int | None = None,
    progress: Progress = silent,
) -> Effects:
    """Measure a metric under each intervention, exactly.

    Args:
        tokens: the prompts that are intervened upon.
        metric: made for these prompts, one value each.
        mask: true at tokens, false at padding; `None` if there is none.
        memory_budget: bytes of activations in flight; by default some hundred megabytes, or a share of a GPU's free
            memory. Where it turns out too much, pieces are halved.

    Raises:
        ValueError, for no prompts, no interventions, or one that the model or the prompts cannot take (before anything
            is run), and for a metric that is NaN or inf, naming the prompts.
        NonFiniteActivationError, if the untouched model already yields NaN or inf, naming where it begins.
        HookNeverFiredError, if an intervention touched nothing.
    """
    tokens = ready_tokens(model, tokens)
    n, n_pos = tokens.shape
    mask = checked_mask(mask, tokens)
    if memory_budget is not None and memory_budget <= 0:
        raise ValueError(f"memory_budget={memory_budget} bytes; give a positive number, or None for the default")
    if not interventions:
        raise ValueError("no interventions to measure; give at least one")
    for intervention in interventions:
        for part in intervention.parts:
            require_intervention(model, part, n_examples=n, n_pos=n_pos)
            require_no_padding(part, mask)
    require_latents(model, [part for each in interventions for part in each.parts], n_pos=n_pos)
    metric.require_fit(n_examples=n, n_pos=n_pos, d_vocab=int(model.cfg.d_vocab))
    work = _Work(model, tokens, mask, metric.to(tokens.device), memory_budget or default_budget(tokens.device))
    with torch.inference_mode():
        baseline, values = work.run(interventions, progress)
    return Effects(tuple(one.name for one in interventions), metric.name, metric.unit, baseline, values - baseline)


@dataclass(frozen=True)
class _Work:
    """Prompts, metric and memory of one sweep."""

    model: HookedModel
    tokens: Tokens
    mask: Tensor | None
    metric: Metric
    """On the model's device."""
    budget: int

    def run(
        self, interventions: Sequence[Intervention | Combined], progress: Progress
    ) -> tuple[Float[np.ndarray, " example"], Float[np.ndarray, "site example"]]:
        n, n_pos = self.tokens.shape
        positions = positions_read(self.metric, n_examples=n, n_pos=n_pos)
        packed = packs(self.model)
        first, last = first_real(self.mask, positions), positions.max(1)
        jobs = jobs_for(self.model, interventions, first_real=first, last_read=last, n_pos=n_pos, packed=packed)
        counted = _Counted(progress, sum(len(job.examples) for job in jobs))
        n_columns = int(self.model.cfg.d_vocab) if self.metric.columns is None else self.metric.columns.shape[1]
        estimate = costs(self.model, n_pos=n_pos, n_read=positions.shape[1], n_columns=n_columns)
        found: list[tuple[Job, Tensor]] = []
        together = [job for job in jobs if job.entry is not None]
        everything = costs(self.model, n_pos=n_pos, n_read=n_pos, n_columns=int(self.model.cfg.d_vocab))
        stacked = Stacked(self.model, self.tokens, self.mask, self.metric)
        if packed:
            baseline = self._packed(together, positions, estimate, found=found, counted=counted)
        else:
            baseline = stacked.untouched(batch_size=max(1, self.budget // everything.whole_prompt))
        single = [job for job in jobs if job.entry is None]
        if single:
            stacked.run(single, everything, budget=self.budget, store=_appending(found), done=counted.add)
        return self._collected(baseline, found, len(interventions))

    def _packed(
        self,
        jobs: Sequence[Job],
        positions: np.ndarray,
        estimate: Costs,
        *,
        found: list[tuple[Job, Tensor]],
        counted: "_Counted",
    ) -> Float[Tensor, " example"]:
        """Run blocks of prompts, as many at once as memory for the untouched run allows."""
        baseline: list[Tensor] = []

        def run(prompts: range) -> None:
            rows = slice(prompts.start, prompts.stop)
            block = Block(
                self.model, self.tokens[rows], None if self.mask is None else self.mask[rows], self.metric.rows(rows),
                positions[rows],
            )  # fmt: skip
            own = [part for part in (_within(job, prompts) for job in jobs) if len(part.examples)]
            parts: list[tuple[Job, Tensor]] = []
            counted.done = sum(len(job.examples) for job, _ in found)  # less what ran out of memory halfway
            untouched = block.run(own, estimate, budget=self.budget, store=_appending(parts), done=counted.add)
            baseline.append(untouched)
            found.extend(parts)

        size, n = self._block_size([job.entry for job in jobs if job.entry is not None], estimate), len(self.tokens)
        for first in range(0, n, size):
            halving(run, range(first, min(first + size, n)), halves=half_rows)
        return torch.cat(baseline)

    def _block_size(self, entries: Sequence[Entry], estimate: Costs) -> int:
        """Return how many prompts' untouched activations fit into half of the budget."""
        n_pos, cfg = self.tokens.shape[1], self.model.cfg
        element = next(iter(self.model.parameters())).element_size()
        per_token = element * len(needed(self.model, entries)) * max(int(cfg.d_model), int(cfg.n_heads * cfg.d_head))
        return max(1, min(self.budget // (2 * n_pos * per_token or 1), self.budget // estimate.whole_prompt))

    def _collected(
        self, baseline: Tensor, found: Sequence[tuple[Job, Tensor]], n_interventions: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bring the numbers to the host, all at once."""
        parts = torch.cat([baseline, *(values for _, values in found)]).double().cpu().numpy()
        own, rest = parts[: len(baseline)], parts[len(baseline) :]
        values = np.tile(own, (n_interventions, 1))
        begin = 0
        for job, _ in found:
            values[job.index, job.prompts] = rest[begin : begin + len(job.examples)]
            begin += len(job.examples)
        require_finite(torch.from_numpy(np.vstack([own, values])), what=f"metric {self.metric.name!r}")
        return own, values


def _within(job: Job, prompts: range) -> Job:
    """Return the part of a job on the prompts of a block, numbered within it."""
    part = job.of(((job.examples >= prompts.start) & (job.examples < prompts.stop)).nonzero()[0])
    return replace(part, examples=part.examples - prompts.start, shift=prompts.start)


@dataclass
class _Counted:
    """Tells how many items are done."""

    progress: Progress
    total: int
    done: int = 0

    def add(self, n: int) -> None:
        self.done += n
        self.progress(self.done, self.total, "interventions on prompts")


def _appending(found: list[tuple[Job, Tensor]]) -> Callable[[Job, Tensor], None]:
    return lambda job, values: found.append((job, values))
