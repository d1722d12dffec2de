"""The packed way: the untouched run, then chunks of items on top of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.engine.attention import Prompts
from interp_lab.engine.budget import Costs, chunks, half_jobs, halving
from interp_lab.engine.edits import compile_edits
from interp_lab.engine.items import Job
from interp_lab.engine.layout import lay_out
from interp_lab.engine.readout import Readout, columns_of, unembedded
from interp_lab.engine.support import Entry, Stage, shape_at
from interp_lab.engine.wave import Untouched, Wave, needed, rows_at
from interp_lab.hooks import NonFiniteActivationError, require_finite
from interp_lab.interventions import Intervention, Op
from interp_lab.metrics import Metric
from interp_lab.types import Site

_NOTHING = Intervention((Site("hook_embed"),), Op.ADD, (torch.zeros(()),), "nothing")
"""What is done in the untouched run: its items are whole prompts."""


@dataclass(frozen=True)
class Block:
    """Prompts that are run together, and what is read of them."""

    model: Any
    """A HookedTransformer."""
    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"] | None
    metric: Metric
    positions: Int[np.ndarray, "batch read"]

    @property
    def prompts(self) -> Prompts:
        """What attention must know of them."""
        n, n_pos = self.tokens.shape
        if self.mask is None:
            visible = torch.ones_like(self.tokens, dtype=torch.bool)
            return Prompts(visible, torch.arange(n_pos, device=visible.device).expand(n, n_pos))
        return Prompts(self.mask, (self.mask.long().cumsum(1) - 1).clamp(min=0))

    @property
    def reads(self) -> Bool[np.ndarray, "batch pos"]:
        """Whether the metric reads a position."""
        read = np.zeros(tuple(self.tokens.shape), dtype=bool)
        np.put_along_axis(read, self.positions, values=True, axis=1)
        return read

    def shape_at(self, hook: str) -> tuple[int, ...]:
        """Return the shape of activations, from the position axis on."""
        return shape_at(self.model, hook, n_pos=self.tokens.shape[1])

    def run(
        self,
        jobs: Sequence[Job],
        costs: Costs,
        *,
        budget: int,
        store: Callable[[Job, Tensor], None],
        done: Callable[[int], None],
    ) -> Float[Tensor, " batch"]:
        """Run the items of jobs, whose prompts are numbered as in the block; returns the untouched metric.

        Args:
            store: called with a job and the metric of each of its items.
            done: called with the number of items that were run.
        """
        untouched, readout = self._untouched(jobs)

        def run(piece: list[Job]) -> None:
            for job, values in self._run_chunk(piece, untouched, readout):
                store(job, values)
            done(sum(len(job.examples) for job in piece))

        ordered = sorted(jobs, key=lambda job: (job.entry or Entry(0, Stage.EMBED), job.index))
        for piece in chunks(ordered, costs, budget=budget):
            halving(run, piece, halves=half_jobs)
        everyone = slice(None)
        return self.metric.rows(everyone).of_gathered(readout.untouched, checked=False)

    def _run_chunk(self, jobs: list[Job], untouched: Untouched, readout: Readout) -> list[tuple[Job, Tensor]]:
        layout = lay_out(jobs, reads=self.reads, device=self.tokens.device)
        edits = compile_edits(layout, rows_at=lambda hook: rows_at(self.model, hook, layout), shape_at=self.shape_at)
        resid = Wave(self.model, layout, self.prompts, untouched, edits).run()
        values = readout.of_items(resid, layout.read_rows, layout.examples)
        counts = [len(job.examples) for job in layout.jobs]
        return list(zip(layout.jobs, values.split(counts), strict=True))

    def _untouched(self, jobs: Sequence[Job]) -> tuple[Untouched, Readout]:
        """Run the prompts as they are, and keep what items will need.

        Raises: NonFiniteActivationError, if activations are NaN or inf, naming where it begins.
        """
        n, n_pos = self.tokens.shape
        names = needed(self.model, [job.entry for job in jobs if job.entry is not None])
        untouched, finite = Untouched(n_pos, self._embedded()), []

        def keep(name: str, activation: Tensor) -> None:
            finite.append(torch.isfinite(activation).all())
            if name in names:
                untouched.kept[name] = activation

        whole = Job(0, _NOTHING, Entry(0, Stage.EMBED), np.arange(n), np.zeros(n, np.int64), np.full(n, n_pos - 1))
        layout = lay_out([whole], reads=np.ones((n, n_pos), dtype=bool), device=self.tokens.device)
        resid = Wave(self.model, layout, self.prompts, untouched, {}, keep=keep).run()
        if not torch.stack(finite).all():
            require_finite(self.model, self.tokens, mask=self.mask)
            raise NonFiniteActivationError("activations are NaN or inf, though the model's own forward pass has none")
        columns = columns_of(self.model, self.metric)
        read = resid.unflatten(0, (n, n_pos))[torch.arange(n)[:, None], torch.from_numpy(self.positions.copy())]
        example = torch.arange(n, device=resid.device).repeat_interleave(self.positions.shape[1])
        logits = unembedded(self.model, read.flatten(0, 1), example, columns=columns, of=self.metric)
        return untouched, Readout(self.model, self.metric, self.positions, columns, logits.unflatten(0, (n, -1)))

    def _embedded(self) -> dict[str, Tensor]:
        """Return token embeddings, and position embeddings where they are added to these, one row per token."""
        found = {"hook_embed": self.model.embed(self.tokens).flatten(0, 1)}
        if self.model.cfg.positional_embedding_type == "standard":
            mask = None if self.mask is None else self.mask.long()
            found["hook_pos_embed"] = self.model.pos_embed(self.tokens, 0, mask).flatten(0, 1)
        return found
