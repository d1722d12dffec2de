"""Where the tokens of items lie in packed activations, and how attention takes them apart again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp_lab.engine.items import Ints, Job

PADDING = 0.8
"""Items are attended together if the shortest has at least this share of the longest one's queries."""


@dataclass(frozen=True)
class Rows:
    """The tokens of a packed activation, item behind item, items in the order in which they enter.

    So whatever has entered up to some point of the computation is a prefix.
    """

    item: Ints
    """Of each token; rising."""
    example: Ints
    position: Ints
    code: Ints
    """`Entry.code` of each token's item; rising."""
    full: Ints
    """Index of each token among all tokens of the items, from which some may have been left out; rising."""
    device: torch.device

    def __len__(self) -> int:
        """Count the tokens."""
        return len(self.item)

    def entered(self, code: int) -> int:
        """Return how many tokens have entered at this point."""
        return int(np.searchsorted(self.code, code, side="right"))

    @cached_property
    def examples(self) -> Int[Tensor, " token"]:
        """The prompt of each token, on the device."""
        return torch.from_numpy(self.example).to(self.device)

    @cached_property
    def positions(self) -> Int[Tensor, " token"]:
        """The position of each token, on the device."""
        return torch.from_numpy(self.position).to(self.device)

    @cached_property
    def among_all(self) -> Int[Tensor, " token"]:
        """The index of each token among all, on the device."""
        return torch.from_numpy(self.full).to(self.device)

    def where(self, full: Ints) -> Ints:
        """Return the places of tokens given by their index among all, but for those that were left out."""
        at = np.searchsorted(self.full, full)
        return at[self.full[np.minimum(at, len(self.full) - 1)] == full]


@dataclass(frozen=True)
class Group:
    """Items of about the same length, whose attention is one batched product."""

    items: Ints
    examples: Int[Tensor, " row"]
    n_keys: int
    n_queries: int
    """Of the longest item; the others are padded."""
    key_rows: Int[Tensor, " key_token"]
    """Tokens that bring new keys and values, in packed order."""
    key_at: tuple[Int[Tensor, " key_token"], Int[Tensor, " key_token"]]
    """Their row in the group, and position."""
    query_rows: Int[Tensor, " query_token"]
    query_at: tuple[Int[Tensor, " query_token"], Int[Tensor, " query_token"]]
    """Row in the group, and number among the item's queries."""
    query_positions: Int[Tensor, "row query"]
    first_key_row: Ints
    """Number of key tokens of the first n items, for n from 0."""
    first_query_row: Ints

    def prefix(self, n_items: int) -> "Group | None":
        """Return the group of those items that are among the first `n_items` of the chunk; `None` if there are none."""
        n = int(np.searchsorted(self.items, n_items))
        if n == 0:
            return None
        if n == len(self.items):
            return self
        keys, queries = int(self.first_key_row[n]), int(self.first_query_row[n])
        return Group(
            items=self.items[:n],
            examples=self.examples[:n],
            n_keys=self.n_keys,
            n_queries=self.n_queries,
            key_rows=self.key_rows[:keys],
            key_at=(self.key_at[0][:keys], self.key_at[1][:keys]),
            query_rows=self.query_rows[:queries],
            query_at=(self.query_at[0][:queries], self.query_at[1][:queries]),
            query_positions=self.query_positions[:n],
            first_key_row=self.first_key_row,
            first_query_row=self.first_query_row,
        )


@dataclass(frozen=True)
class Layout:
    """The items of a chunk, and their tokens: all of them, and those that are left at the last layer."""

    jobs: tuple[Job, ...]
    """In the order in which they enter."""
    first_item: Ints
    """Number of items before each job."""
    examples: Ints
    """Of each item."""
    starts: Ints
    stops: Ints
    offsets: Ints
    """Index of each item's first token."""
    codes: Ints
    rows: Rows
    read_rows: Rows
    """Tokens that the metric reads."""

    @property
    def n_items(self) -> int:
        """Count the items."""
        return len(self.examples)

    def full_rows(self, job: int, positions: Ints) -> Ints:
        """Return the index of the token at a position of each item of a job."""
        items = self.first_item[job] + np.arange(len(self.jobs[job].examples))
        return self.offsets[items] + positions - self.starts[items]


def lay_out(jobs: Sequence[Job], *, reads: np.ndarray, device: torch.device) -> Layout:
    """Pack the tokens of jobs.

    Args:
        reads: whether the metric reads a position, `[example pos]`.
    """
    ordered = tuple(sorted(jobs, key=lambda job: (_code(job), job.index)))
    counts = np.array([len(job.examples) for job in ordered])
    examples = np.concatenate([job.examples for job in ordered])
    starts = np.concatenate([job.start for job in ordered])
    stops = np.concatenate([job.stop for job in ordered])
    codes = np.repeat([_code(job) for job in ordered], counts)
    lengths = stops - starts + 1
    offsets = np.concatenate([[0], lengths.cumsum()[:-1]])
    item = np.repeat(np.arange(len(examples)), lengths)
    full = np.arange(len(item))
    position = full - offsets[item] + starts[item]
    everything = (item, examples[item], position, codes[item], full)
    read = reads[everything[1], position]
    rows = Rows(*everything, device)
    return Layout(
        jobs=ordered,
        first_item=np.concatenate([[0], counts.cumsum()[:-1]]),
        examples=examples,
        starts=starts,
        stops=stops,
        offsets=offsets,
        codes=codes,
        rows=rows,
        read_rows=rows if read.all() else Rows(*(part[read] for part in everything), device),
    )


def _code(job: Job) -> int:
    assert job.entry is not None, "jobs without an entry are not packed"
    return job.entry.code


def groups(layout: Layout, queries: Rows) -> Iterator[Group]:
    """Return the items in groups of similar numbers of queries; `queries` are those that are still needed."""
    counts = np.bincount(queries.item, minlength=layout.n_items)
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    while len(order):
        alike = counts[order] >= PADDING * counts[order[0]]
        yield _group(layout, queries, np.sort(order[alike]))
        order = order[~alike]


def _group(layout: Layout, queries: Rows, items: Ints) -> Group:
    device = queries.device

    def on_device(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device)

    row_of = np.full(layout.n_items, -1)
    row_of[items] = np.arange(len(items))
    key_rows = (row_of[layout.rows.item] >= 0).nonzero()[0]
    query_rows = (row_of[queries.item] >= 0).nonzero()[0]
    n_of = np.bincount(queries.item, minlength=layout.n_items)[items]
    begins = np.concatenate([[0], n_of.cumsum()])
    query_item = row_of[queries.item[query_rows]]
    number = np.arange(len(query_rows)) - begins[query_item]
    positions = np.zeros((len(items), int(n_of.max())), dtype=np.int64)
    positions[query_item, number] = queries.position[query_rows]
    lengths = (layout.stops - layout.starts + 1)[items]
    return Group(
        items=items,
        examples=on_device(layout.examples[items]),
        n_keys=int(layout.stops[items].max()) + 1,
        n_queries=int(n_of.max()),
        key_rows=on_device(key_rows),
        key_at=(on_device(row_of[layout.rows.item[key_rows]]), on_device(layout.rows.position[key_rows])),
        query_rows=on_device(query_rows),
        query_at=(on_device(query_item), on_device(number)),
        query_positions=on_device(positions),
        first_key_row=np.concatenate([[0], lengths.cumsum()]),
        first_query_row=begins,
    )
