"""Examples that are kept of every latent while text goes by: the best of some, one of a document."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64, Int64

from interp_lab.sae.features.events import Events

FIELDS = ("document", "position", "value", "begin", "tokens", "values")


@dataclass
class Kept:
    """For every latent the examples with the least keys, each of another document, with their contexts.

    What is kept does not depend on how the text was cut into batches; of equal keys the first in the text is kept.
    """

    n_latents: int
    n_kept: int
    before: int
    after: int
    key: Float64[np.ndarray, "latent slot"] = field(init=False)
    """Rising along the slots; infinite where a slot is empty."""
    document: Int64[np.ndarray, "latent slot"] = field(init=False)
    """-1 where a slot is empty."""
    position: np.ndarray = field(init=False)
    value: Float32[np.ndarray, "latent slot"] = field(init=False)
    begin: np.ndarray = field(init=False)
    """Place of the example in its context."""
    tokens: np.ndarray = field(init=False)
    """Of the context; -1 where it is shorter."""
    values: np.ndarray = field(init=False)
    """The latent over the context."""

    def __post_init__(self) -> None:
        shape, width = (self.n_latents, self.n_kept), self.before + 1 + self.after
        self.key, self.document = np.full(shape, np.inf), np.full(shape, -1, np.int64)
        self.position, self.begin = np.zeros(shape, np.int32), np.zeros(shape, np.int16)
        self.value = np.zeros(shape, np.float32)
        self.tokens, self.values = np.full((*shape, width), -1, np.int32), np.zeros((*shape, width), np.float32)

    @property
    def n_bytes(self) -> int:
        """Memory of what is kept, the same however much is read."""
        return self.key.nbytes + sum(getattr(self, name).nbytes for name in FIELDS)

    def columns(self) -> dict[str, np.ndarray]:
        """Return keys and fields."""
        return {name: getattr(self, name) for name in ("key", *FIELDS)}

    def take(self, events: Events, key: Float64[np.ndarray, " event"]) -> None:
        """Add a batch, which comes behind those before it in the text.

        Args:
            key: the examples with the least are kept; of a document the one with the least.
        """
        at = np.flatnonzero(key < self.key[events.latent, -1])
        if not len(at):
            return
        touched, own = np.unique(events.latent[at], return_inverse=True)
        n_old = len(touched) * self.n_kept
        place = np.concatenate([np.repeat(np.arange(len(touched)), self.n_kept), own])
        document = np.concatenate([self.document[touched].ravel(), events.document[at]])
        keys = np.concatenate([self.key[touched].ravel(), key[at]])
        source = np.arange(n_old + len(at))
        held = np.flatnonzero(document >= 0)
        held = held[np.lexsort((source[held], keys[held], document[held], place[held]))]
        held = held[_changes(place[held], document[held])]
        held = held[np.lexsort((source[held], keys[held], place[held]))]
        rank = _ranks(place[held])
        held, rank = held[rank < self.n_kept], rank[rank < self.n_kept]
        self._write(touched[place[held]], rank, keys[held], (held, n_old, touched), events, at)

    def join(self, later: "Kept") -> None:
        """Add what was kept of the text that comes behind."""
        own, other = self.columns(), later.columns()
        both = {name: np.concatenate([own[name], other[name]], 1) for name in own}
        place = np.repeat(np.arange(self.n_latents), 2 * self.n_kept)
        document, key = both["document"].ravel(), both["key"].ravel()
        order = np.lexsort((key, document, place))  # stable: of equal keys the earlier one leads
        again = np.zeros(len(order), dtype=bool)
        again[order] = ~_changes(place[order], document[order])
        again = again.reshape(self.n_latents, -1)
        empty = Kept(self.n_latents, 2 * self.n_kept, before=self.before, after=self.after)
        kept = np.argsort(np.where(again, np.inf, both["key"]), axis=1, kind="stable")[:, : self.n_kept]
        for name, column in both.items():
            column[again] = getattr(empty, name)[again]
            along = kept.reshape(*kept.shape, *(1,) * (column.ndim - 2))
            setattr(self, name, np.take_along_axis(column, along, 1))

    def _write(
        self,
        latent: Int64[np.ndarray, " kept"],
        rank: Int64[np.ndarray, " kept"],
        keys: Float64[np.ndarray, " kept"],
        source: tuple[Int64[np.ndarray, " kept"], int, Int64[np.ndarray, " touched"]],
        events: Events,
        at: Int64[np.ndarray, " candidate"],
    ) -> None:
        """Put what stays and what is new into its slots; slots that do not change are left alone."""
        held, n_old, touched = source
        old = held < n_old
        came = touched[held[old] // self.n_kept], held[old] % self.n_kept
        moved = came[1] != rank[old]
        target = latent[old][moved], rank[old][moved]
        came = came[0][moved], came[1][moved]
        new = _described(events, at[held[~old] - n_old], before=self.before, after=self.after)
        self.key[latent, rank] = keys
        for name in FIELDS:
            column = getattr(self, name)
            column[target] = column[came]
            column[latent[~old], rank[~old]] = new[name]


def _described(events: Events, at: Int64[np.ndarray, " example"], *, before: int, after: int) -> dict[str, np.ndarray]:
    """Return examples with their contexts, which end where the document or the window does."""
    row, latent = events.row[at], events.latent[at]
    reach = row[:, None] + np.arange(-before, after + 1)
    inside = (reach >= 0) & (reach < len(events.tokens))
    reach = reach.clip(0, len(events.tokens) - 1)
    inside &= events.span[reach] == events.span[row][:, None]
    begin = inside[:, :before].sum(1)
    reach = np.where(inside, reach, -1)
    shift = before - begin  # contexts begin at the left, what is missing stands behind
    place = (np.arange(reach.shape[1]) + shift[:, None]).clip(max=reach.shape[1] - 1)
    ahead = np.arange(reach.shape[1]) + shift[:, None] < reach.shape[1]
    reach = np.where(ahead, np.take_along_axis(reach, place, 1), -1)
    there = reach >= 0
    return {
        "document": events.documents[row],
        "position": events.positions[row],
        "value": events.value[at],
        "begin": begin,
        "tokens": np.where(there, events.tokens[reach], -1),
        "values": np.where(there, events.latents[reach, latent[:, None]], 0.0),
    }


def _changes(*columns: np.ndarray) -> np.ndarray:
    """Return where, down sorted columns, a new combination begins."""
    first = np.ones(len(columns[0]), dtype=bool)
    first[1:] = np.any([np.diff(column) != 0 for column in columns], axis=0)
    return first


def _ranks(sorted_groups: Int64[np.ndarray, " row"]) -> Int64[np.ndarray, " row"]:
    """Return the place of each row in its group."""
    starts = np.flatnonzero(_changes(sorted_groups)) if len(sorted_groups) else np.zeros(0, np.int64)
    sizes = np.diff([*starts, len(sorted_groups)])
    return np.arange(len(sorted_groups)) - np.repeat(starts, sizes)
