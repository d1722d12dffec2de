"""Tokens with all latents active at them, as many as memory allows: what token statistics and co-activation stand on.

Token statistics need a count for every latent and token, co-activation one for every two latents: neither is bounded
by anything that a laptop has. So whole tokens are held, all of them where the budget lasts, else each with the same
probability, decided by its place in the text alone. What is computed from them is exact in the first case and an
unbiased estimate in the second.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int64
from scipy import sparse

from interp_lab.sae.features.events import Events, mixed

PER_EVENT, PER_TOKEN = 8, 16
"""Bytes held for each active latent, and for each token."""
DENSE = 0.04
"""Share of latents that are active above which dense products are faster than sparse ones."""


@dataclass
class SampledTokens:
    """A random sample of tokens that fits a budget, the same however the text was cut into batches."""

    n_latents: int
    budget: int
    """Bytes."""
    seed: int = 0
    halvings: int = 0
    """A token is held with probability `2 ** -halvings`."""
    parts: list[dict[str, np.ndarray]] = field(default_factory=list)
    n_bytes: int = 0

    def take(self, events: Events) -> None:
        """Add the tokens of a batch that are to be held."""
        draw = mixed(self.seed, events.documents, events.places)
        draw = np.broadcast_to(draw, events.tokens.shape)
        n_active = np.bincount(events.row, minlength=len(events.tokens))
        part = {"draw": draw, "token": events.tokens.astype(np.int32), "n_active": n_active.astype(np.int32)}
        part |= {"latent": events.latent.astype(np.int32), "value": events.value}
        self._add([part])

    def join(self, later: "SampledTokens") -> None:
        """Add what is held of the text that comes behind; both must have been drawn with the same seed and budget."""
        both = [*self.parts, *later.parts]
        self.halvings, self.parts, self.n_bytes = max(self.halvings, later.halvings), [], 0
        self._add(both)

    def _add(self, new: list[dict[str, np.ndarray]]) -> None:
        """Hold more, and as much of all as the budget allows."""
        thinned = [self._thinned(one) for one in new]
        self.parts = [*self.parts, *thinned]
        self.n_bytes += sum(map(_n_bytes, thinned))
        while self.n_bytes > self.budget:
            self.halvings += 1
            self.parts = [self._thinned(one) for one in self.parts]
            self.n_bytes = sum(map(_n_bytes, self.parts))

    def _thinned(self, part: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self.halvings == 0:
            return part
        kept = part["draw"] >> np.uint64(64 - self.halvings) == 0
        events = np.repeat(kept, part["n_active"])
        return {name: column[events if name in ("latent", "value") else kept] for name, column in part.items()}

    def columns(self) -> dict[str, np.ndarray]:
        """Return what is held, as one part."""
        dtypes = {"draw": np.uint64, "token": np.int32, "n_active": np.int32, "latent": np.int32, "value": np.float32}
        return {name: np.concatenate([np.zeros(0, d), *(p[name] for p in self.parts)]) for name, d in dtypes.items()}

    def restore(self, columns: Mapping[str, np.ndarray]) -> None:
        """Hold what another with the same seed and budget held; `columns` besides have its `halvings`."""
        held = dict(columns)
        self.halvings, self.parts, self.n_bytes = int(held.pop("halvings")), [], 0
        self._add([held])

    def table(self) -> "TokenTable":
        """Return what is held, as a sparse matrix."""
        held = self.columns()
        token, n_active, latent, value = (held[name] for name in ("token", "n_active", "latent", "value"))
        ends = np.concatenate([[0], np.cumsum(n_active)])
        matrix = sparse.csr_matrix((value.astype(np.float32), latent, ends), shape=(len(token), self.n_latents))
        return TokenTable(token.astype(np.int64), matrix)


def _n_bytes(part: dict[str, np.ndarray]) -> int:
    return PER_EVENT * len(part["latent"]) + PER_TOKEN * len(part["token"])


@dataclass(frozen=True)
class TokenTable:
    """Tokens and the latents active at them."""

    token: Int64[np.ndarray, " row"]
    active: sparse.csr_matrix
    """A row for each token, a column for each latent."""

    def tokens_of(self, latents: range, columns: sparse.csc_matrix) -> "TokenRows":
        """Return at which tokens some latents are active.

        Args:
            columns: `active` by columns.
        """
        part = columns[:, latents.start : latents.stop].tocoo()
        n_vocab = int(self.token.max(initial=0)) + 1
        key = part.col.astype(np.int64) * n_vocab + self.token[part.row]
        pairs, own = np.unique(key, return_inverse=True)
        count = np.bincount(own, minlength=len(pairs))
        total = np.bincount(own, weights=part.data.astype(np.float64), minlength=len(pairs))
        latent, token = np.divmod(pairs, n_vocab)
        size = np.bincount(latent, weights=total, minlength=len(latents))
        often = np.bincount(latent, weights=count, minlength=len(latents))
        base = np.bincount(self.token, minlength=n_vocab)
        n = max(len(self.token), 1)
        return TokenRows(
            latent + latents.start, token, count, total / count, total / size[latent],
            (count / base[token]) / (often[latent] / n),
        )  # fmt: skip

    def coactivation(self, latents: range, *, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return for each of some latents the others that are active at the same tokens most: numbers and phi.

        Phi is the correlation of being active. Where fewer than `n` have a positive one, -1 and NaN stand.
        """
        here = self._together(latents)
        n_tokens, often = len(self.token), np.asarray(self.often, np.float64)
        own = often[latents.start : latents.stop, None]
        spread = own * (n_tokens - own) * (often * (n_tokens - often))[None]
        with np.errstate(divide="ignore", invalid="ignore"):
            phi = (n_tokens * here - own * often[None]) / np.sqrt(spread)
        phi[~np.isfinite(phi)] = 0.0
        phi[np.arange(len(latents)), np.asarray(latents)] = 0.0
        return largest(phi, n)

    @cached_property
    def often(self) -> Int64[np.ndarray, " latent"]:
        """At how many tokens each latent is active."""
        return np.bincount(self.active.indices, minlength=self.active.shape[1])

    @cached_property
    def _ones(self) -> tuple[sparse.csr_matrix, sparse.csc_matrix]:
        """1 where a latent is active, by rows and by columns."""
        own = self.active
        ones = sparse.csr_matrix((np.ones(own.nnz, np.float32), own.indices, own.indptr), own.shape)
        return ones, ones.tocsc()

    def _together(self, latents: range) -> np.ndarray:
        """Return at how many tokens each of some latents and each of all are active."""
        if self.active.nnz < DENSE * np.prod(self.active.shape, dtype=float):
            ones, by_column = self._ones
            return (by_column[:, latents.start : latents.stop].T @ ones).toarray().astype(np.float64)
        found = np.zeros((len(latents), self.active.shape[1]))
        for begin in range(0, len(self.token), 4096):
            block = torch.from_numpy(self.active[begin : begin + 4096].toarray() > 0).float()
            found += (block[:, latents.start : latents.stop].T @ block).double().numpy()
        return found


@dataclass(frozen=True)
class TokenRows:
    """Of some latents every token at which they are active; sorted by latent and token."""

    latent: Int64[np.ndarray, " row"]
    token: Int64[np.ndarray, " row"]
    count: Int64[np.ndarray, " row"]
    mean_value: np.ndarray
    share: np.ndarray
    lift: np.ndarray

    def top(self, n: int) -> tuple["TokenRows", Int64[np.ndarray, " row"]]:
        """Return the tokens with the largest shares of each latent, and their ranks; of equals the smaller id."""
        order = np.lexsort((self.token, -self.share, self.latent))
        latent = self.latent[order]
        starts = np.searchsorted(latent, latent)
        rank = np.arange(len(latent)) - starts
        order, rank = order[rank < n], rank[rank < n]
        return TokenRows(*(getattr(self, name)[order] for name in self.__dataclass_fields__)), rank

    def entropy(self, latents: range) -> np.ndarray:
        """Return the entropy of the shares of each latent (bits); NaN for those that are never active here."""
        bits = -self.share * np.log2(self.share)
        found = np.bincount(self.latent - latents.start, weights=bits, minlength=len(latents)).astype(np.float64)
        found[np.bincount(self.latent - latents.start, minlength=len(latents)) == 0] = np.nan
        return found


def largest(values: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return places and values of the `n` largest positive numbers of each row; -1 and NaN where there are fewer."""
    n = min(n, values.shape[1])
    at = np.argpartition(-values, n - 1, axis=1)[:, :n]
    found = np.take_along_axis(values, at, 1)
    order = np.lexsort((at, -found), axis=1)
    at, found = np.take_along_axis(at, order, 1), np.take_along_axis(found, order, 1)
    return np.where(found > 0, at, -1), np.where(found > 0, found, np.nan)


def blocks(n_latents: int, size: int) -> Iterator[range]:
    """Yield ranges of latents that follow each other."""
    for begin in range(0, n_latents, size):
        yield range(begin, min(begin + size, n_latents))
