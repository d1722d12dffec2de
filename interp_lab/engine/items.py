"""Items: one intervention on one prompt, with the first position that it can change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from interp_lab.engine.support import Entry, entry_of
from interp_lab.interventions import Combined, Intervention
from interp_lab.models import is_causal
from interp_lab.types import HookedModel

Ints = np.ndarray
"""One-dimensional array of integers."""


@dataclass(frozen=True)
class Job:
    """Items of one intervention, on some of the prompts."""

    index: int
    """Of the intervention, in the order in which they were given."""
    intervention: Intervention | Combined
    entry: Entry | None
    """Where the items enter packed layers; `None` if they must run through whole forward passes."""
    examples: Ints
    """The prompts, in rising order."""
    start: Ints
    """First position of each prompt that can change."""
    stop: Ints
    """Last position of each prompt that matters to the metric."""
    shift: int = 0
    """Added to `examples`, gives the numbers that the prompts have in the intervention."""

    @property
    def prompts(self) -> Ints:
        """The prompts as the intervention numbers them."""
        return self.examples + self.shift

    @property
    def n_tokens(self) -> int:
        """Tokens to be run."""
        return int((self.stop - self.start + 1).sum())

    def of(self, chosen: np.ndarray) -> "Job":
        """Return the job on some of its prompts."""
        part = (self.examples[chosen], self.start[chosen], self.stop[chosen])
        return replace(self, examples=part[0], start=part[1], stop=part[2])


def jobs_for(
    model: HookedModel,
    interventions: Sequence[Intervention | Combined],
    *,
    first_real: Ints,
    last_read: Ints,
    n_pos: int,
    packed: bool,
) -> list[Job]:
    """Return the work that interventions make; prompts on which one cannot change the metric are left out.

    Args:
        first_real: of each prompt: what is before it (padding) is seen by no later position, nor read by the metric.
        last_read: last position of each prompt that the metric reads.
        packed: whether the model's layers can be run on packed tokens.
    """
    jobs, causal = [], is_causal(model)
    for index, intervention in enumerate(interventions):
        entries = [entry_of(model, site.hook) if packed else None for site in intervention.sites]
        entry = None if None in entries else min(entry for entry in entries if entry is not None)
        start = first_changed(intervention, n_examples=len(last_read), n_pos=n_pos)
        # A changed pattern may look ahead, so everything behind the change counts.
        by_query = any(site.by_query for site in intervention.sites)
        stop = np.full_like(last_read, n_pos - 1) if by_query or entry is None else last_read
        active = (start <= last_read) if causal else np.ones_like(last_read, dtype=bool)
        active &= start < n_pos
        begin = np.zeros_like(start) if entry is None else start if by_query else np.maximum(start, first_real)
        whole = Job(index, intervention, entry, np.arange(len(last_read)), begin, stop)
        jobs.append(whole.of(active.nonzero()[0]))
    return [job for job in jobs if len(job.examples)]


def first_changed(intervention: Intervention | Combined, *, n_examples: int, n_pos: int) -> Ints:
    """Return the first position of each prompt that is changed; `n_pos` where none is."""
    each = [_first_changed(part, n_examples=n_examples, n_pos=n_pos) for part in intervention.parts]
    return np.minimum.reduce(each)


def _first_changed(intervention: Intervention, *, n_examples: int, n_pos: int) -> Ints:
    since = np.zeros(n_examples, dtype=np.int64)
    if intervention.since is not None:
        since = intervention.since.cpu().numpy().astype(np.int64)
    every, first = np.arange(n_examples), since  # of the tokens to act on
    selected = None if intervention.tokens is None else intervention.tokens.cpu().numpy()
    if selected is not None:
        late = selected & (np.arange(n_pos) >= since[:, None])
        first = np.where(late.any(1), late.argmax(1), n_pos)
    earliest = np.full(n_examples, n_pos, dtype=np.int64)
    for site in intervention.sites:
        at = site.position if intervention.positions is None else intervention.positions.cpu().numpy()
        touched = first if at is None else np.broadcast_to(np.asarray(at) % n_pos, (n_examples,))
        acts = touched >= since
        if selected is not None and at is not None:
            acts = acts & selected[every, touched]
        earliest = np.minimum(earliest, np.where(acts, touched, n_pos))
    if intervention.gate is not None:
        earliest = np.where(intervention.gate.cpu().numpy(), earliest, n_pos)
    return earliest
