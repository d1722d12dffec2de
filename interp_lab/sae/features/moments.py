"""Counts, means and histograms of every latent, added up batch by batch."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64

from interp_lab.sae.features.events import Events

PER_OCTAVE = 8
"""Bins of the histogram for each doubling of the value: a bin is 9% wide."""
EDGES: Float64[np.ndarray, " edge"] = 2.0 ** (np.arange(-24 * PER_OCTAVE, 24 * PER_OCTAVE + 1) / PER_OCTAVE)
"""Of the bins; smaller and larger values are counted in the first and in the last."""


@dataclass
class Moments:
    """What is known of every latent so far. Memory: 1.6 kB for each, whatever is read."""

    n_latents: int
    n_tokens: int = 0
    n_documents: int = 0
    first: int = -1
    last: int = -1
    """Documents of the first and of the last token so far; -1 before there is one."""
    n_active: Int64[np.ndarray, " latent"] = field(init=False)
    total: Float64[np.ndarray, " latent"] = field(init=False)
    squares: Float64[np.ndarray, " latent"] = field(init=False)
    in_documents: Int64[np.ndarray, " latent"] = field(init=False)
    first_active: Int64[np.ndarray, " latent"] = field(init=False)
    last_active: Int64[np.ndarray, " latent"] = field(init=False)
    """Documents in which each was active first and last; -1 if it never was."""
    counts: np.ndarray = field(init=False)
    """Of the histogram: a row for each latent."""

    def __post_init__(self) -> None:
        n = self.n_latents
        self.n_active, self.in_documents = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.total, self.squares = np.zeros(n), np.zeros(n)
        self.first_active, self.last_active = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
        self.counts = np.zeros((n, len(EDGES) - 1), np.uint32)

    def take(self, events: Events) -> None:
        """Add a batch; batches come in the order of the text."""
        value = events.value.astype(np.float64)
        self.n_tokens += len(events.tokens)
        self.n_active += np.bincount(events.latent, minlength=self.n_latents)
        self.total += np.bincount(events.latent, weights=value, minlength=self.n_latents)
        self.squares += np.bincount(events.latent, weights=value**2, minlength=self.n_latents)
        bins = (np.searchsorted(EDGES, value, side="right") - 1).clip(0, len(EDGES) - 2)
        places, counts = np.unique(events.latent * (len(EDGES) - 1) + bins, return_counts=True)
        self.counts.reshape(-1)[places] += counts.astype(np.uint32)
        self._count_documents(events)

    def _count_documents(self, events: Events) -> None:
        read = events.documents
        if not len(read):
            return
        self.n_documents += int((np.diff(read) != 0).sum()) + int(read[0] != self.last)
        self.first, self.last = int(read[0]) if self.first < 0 else self.first, int(read[-1])
        document = events.document
        order = np.argsort(events.latent, kind="stable")
        latent, document = events.latent[order], document[order]
        new = _first(latent)
        self.first_active[latent[new]] = np.where(
            self.first_active[latent[new]] < 0, document[new], self.first_active[latent[new]]
        )
        before = np.where(new, self.last_active[latent], np.roll(document, 1))
        self.in_documents += np.bincount(latent[document != before], minlength=self.n_latents)
        self.last_active[latent] = document  # of equal latents the last one stays

    def join(self, later: "Moments") -> None:
        """Add what was made of the text that comes behind; a document may go on from one to the other."""
        goes_on = (self.last_active == later.first_active) & (later.first_active >= 0)
        self.in_documents += later.in_documents - goes_on
        self.n_documents += later.n_documents - int(self.last == later.first >= 0)
        self.first = later.first if self.first < 0 else self.first
        self.last = later.last if later.last >= 0 else self.last
        self.first_active = np.where(self.first_active < 0, later.first_active, self.first_active)
        self.last_active = np.where(later.last_active < 0, self.last_active, later.last_active)
        self.n_tokens += later.n_tokens
        for name in ("n_active", "total", "squares", "counts"):
            getattr(self, name)[...] += getattr(later, name)

    @property
    def density(self) -> Float64[np.ndarray, " latent"]:
        """Share of tokens at which each latent is active."""
        return self.n_active / max(self.n_tokens, 1)

    @property
    def mean(self) -> Float64[np.ndarray, " latent"]:
        """Mean of active values; NaN where there are none."""
        with np.errstate(invalid="ignore"):
            return self.total / self.n_active

    @property
    def std(self) -> Float64[np.ndarray, " latent"]:
        """Standard deviation of active values; NaN where there are none."""
        with np.errstate(invalid="ignore"):
            return np.sqrt((self.squares / self.n_active - self.mean**2).clip(0))

    def quantiles(
        self, shares: Float64[np.ndarray, " share"], *, largest: Float64[np.ndarray, " _"], latents: range
    ) -> Float64[np.ndarray, "_ share"]:
        """Return quantiles of the active values of some latents, to within a bin (9%); NaN where there are none.

        Within a bin values are taken to be spread evenly in the logarithm.

        Args:
            largest: maximum of each of them, which no quantile exceeds.
        """
        found = np.full((len(latents), len(shares)), np.nan)
        for row, latent in enumerate(latents):
            if self.n_active[latent]:
                wanted = shares * self.n_active[latent]
                reached = np.cumsum(self.counts[latent], dtype=np.int64)
                at = np.searchsorted(reached, np.maximum(wanted, 1e-9))
                inside = 1 - (reached[at] - wanted) / self.counts[latent, at]
                found[row] = EDGES[at] * 2 ** (inside / PER_OCTAVE)
        return np.minimum(found, largest[:, None])

    def histogram(self, latents: range) -> dict[str, np.ndarray]:
        """Return the rows of the table `histogram` for some latents."""
        parts = []
        for latent in latents:
            held = np.flatnonzero(self.counts[latent])
            if len(held):
                bins = np.arange(held[0], held[-1] + 1)
                parts.append(np.stack([np.full_like(bins, latent), bins, self.counts[latent, bins].astype(np.int64)]))
        latent, at, count = np.concatenate(parts, 1) if parts else np.zeros((3, 0), np.int64)
        return {"latent": latent, "bin": at, "low": EDGES[at], "high": EDGES[at + 1], "count": count}


def _first(sorted_values: Int64[np.ndarray, " event"]) -> np.ndarray:
    """Return where a new value begins."""
    first = np.ones(len(sorted_values), dtype=bool)
    first[1:] = np.diff(sorted_values) != 0
    return first
