"""How much is run at once: an estimate of bytes per item, and what to do when it was too low."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from interp_lab.engine.items import Job
from interp_lab.types import HookedModel

ON_CPU = 128 * 2**20
"""Bytes of activations in flight; more makes nothing faster on a CPU."""
SHARE_OF_FREE = 0.4
"""Of a GPU's free memory."""

Work = TypeVar("Work")


@dataclass(frozen=True)
class Costs:
    """Bytes that items take while they are run, and that the untouched run leaves behind."""

    per_token: int
    """Activations of one layer."""
    per_key: int
    """Keys and values that an item takes from the untouched run, in one layer."""
    per_score: int
    per_read: int
    """Logits of one position."""
    n_pos: int
    n_read: int

    @property
    def whole_prompt(self) -> int:
        """Bytes of one prompt with all its positions."""
        return self.n_pos * (self.per_token + self.per_key + self.n_pos * self.per_score) + self.n_read * self.per_read

    def of(self, job: Job) -> np.ndarray:
        """Return the bytes that each item of a job takes."""
        lengths = job.stop - job.start + 1
        keys = self.n_pos * (self.per_key + lengths * self.per_score)
        return lengths * self.per_token + keys + self.n_read * self.per_read


def costs(model: HookedModel, *, n_pos: int, n_read: int, n_columns: int) -> Costs:
    """Estimate from the model's shape."""
    cfg, size = model.cfg, next(iter(model.parameters())).element_size()
    d_attn = int(cfg.n_heads) * int(cfg.d_head)
    return Costs(
        per_token=size * (8 * int(cfg.d_model) + 5 * d_attn + 3 * int(cfg.d_mlp or 0)),
        per_key=size * 4 * d_attn,
        per_score=size * 4 * int(cfg.n_heads),
        per_read=2 * 4 * n_columns,
        n_pos=n_pos,
        n_read=n_read,
    )


def default_budget(device: torch.device) -> int:
    """Return the bytes that may be taken where nothing is said."""
    if device.type != "cuda":
        return ON_CPU
    free, _ = torch.cuda.mem_get_info(device)
    return int(SHARE_OF_FREE * free)


def chunks(jobs: Sequence[Job], costs: Costs, *, budget: int) -> Iterator[list[Job]]:
    """Cut jobs, in their order, into pieces that fit the budget, or are one item."""
    piece: list[Job] = []
    left = budget
    for job in jobs:
        taken, begin = costs.of(job), 0
        while begin < len(taken):
            fitting = int(np.searchsorted(taken[begin:].cumsum(), left, side="right"))
            if fitting == 0 and piece:
                yield piece
                piece, left = [], budget
                continue
            end = begin + max(1, fitting)
            piece.append(job.of(np.arange(begin, end)))
            left -= int(taken[begin:end].sum())
            begin = end
    if piece:
        yield piece


def halving(run: Callable[[Work], None], work: Work, *, halves: Callable[[Work], Sequence[Work]]) -> None:
    """Run work as it is, and where memory does not suffice in halves.

    Args:
        run: leaves nothing behind where it runs out of memory.
        halves: two parts, in their order; none if the work cannot be divided.

    Raises: the allocator's error, if the smallest part is too large.
    """
    try:
        run(work)
        return
    except RuntimeError as error:
        parts = halves(work) if is_out_of_memory(error) else ()
        if not parts:
            raise
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    for part in parts:
        halving(run, part, halves=halves)


def half_jobs(jobs: list[Job]) -> Sequence[list[Job]]:
    """Return the halves of a list of jobs, or of the items of one; nothing for one item."""
    if len(jobs) > 1:
        return jobs[: len(jobs) // 2], jobs[len(jobs) // 2 :]
    (job,) = jobs
    everyone = np.arange(len(job.examples))
    return [[job.of(everyone[part.start : part.stop])] for part in half_rows(range(len(everyone)))]


def half_rows(rows: range) -> Sequence[range]:
    """Return the halves of a range of prompts; nothing for one prompt."""
    middle = len(rows) // 2
    return (rows[:middle], rows[middle:]) if middle else ()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that memory did not suffice, on a GPU or (PyTorch has no class for these) in a library."""
    told = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in told)
