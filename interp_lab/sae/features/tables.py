"""From what a pass over text left to the tables of a folder, some latents at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.identity import ModelIdentity
from interp_lab.models.readings import reaches_stream, unembedding
from interp_lab.sae.activations.reading import widths
from interp_lab.sae.features.config import DescribeConfig
from interp_lab.sae.features.dictionary import Dictionary, directions, without_place
from interp_lab.sae.features.examples import example_rows
from interp_lab.sae.features.gathered import Gathered
from interp_lab.sae.features.geometry import logit_rows, similar_directions
from interp_lab.sae.features.sampled import TokenTable, blocks
from interp_lab.sae.features.writing import LATENTS_PER_GROUP, write_folder
from interp_lab.tasks.encoding import spellings
from interp_lab.types import HookedModel

SHARES = np.array([0.5, 0.9, 0.99])
"""Of the quantile columns."""


@dataclass(frozen=True)
class FeatureTables:
    """The tables of a folder, made a block of latents at a time."""

    model: HookedModel
    dictionary: Dictionary
    config: DescribeConfig
    found: Gathered
    held: TokenTable
    directions: Float[Tensor, "latent _"]
    """What each latent adds to the residual stream per unit of activation."""

    @classmethod
    def of(cls, model: HookedModel, dictionary: Dictionary, config: DescribeConfig, found: Gathered) -> "FeatureTables":
        """Return the tables of what was gathered."""
        d_in = widths(model, [dictionary.hook])[dictionary.hook]
        with torch.inference_mode():
            added = directions(dictionary, model, d_in=d_in)
        return cls(model, dictionary, config, found, found.sampled.table(), added)

    @cached_property
    def words(self) -> np.ndarray:
        """Text of every token, and nothing for the one behind the last."""
        n = int(self.model.cfg.d_vocab)
        spelt = spellings(self.model, range(n))
        return np.array([*(spelt[token] for token in range(n)), ""], dtype=object)

    @property
    def quantiles(self) -> list[tuple[float, float]]:
        """From and up to which share of active values the bins of examples reach; the largest values first."""
        n = self.config.n_quantiles
        return [((n - nth - 1) / n, (n - nth) / n) for nth in range(n)]

    def features(self) -> dict[str, Any]:
        """Return the table `features`, whole."""
        moments, n = self.found.moments, self.dictionary.n_latents
        largest = self.found.top.value[:, 0].astype(np.float64)
        at = moments.quantiles(SHARES, largest=largest, latents=range(n))
        top = self._top_tokens()
        bias = self.dictionary.bias
        return {
            "latent": np.arange(n),
            "density": moments.density,
            "n_active": moments.n_active,
            "mean_active": moments.mean,
            "std_active": moments.std,
            "max": largest,
            "max_token": self.words[_example_tokens(self.found)].tolist(),
            "n_documents": moments.in_documents,
            **top,
            "decoder_norm": self.directions.double().norm(dim=1).numpy(),
            "bias": np.full(n, np.nan) if bias is None else bias,
            **{f"quantile_{round(100 * share)}": at[:, nth] for nth, share in enumerate(SHARES)},
        }

    def _top_tokens(self) -> dict[str, Any]:
        token, share, entropy = [], [], []
        for latents in self._blocks():
            rows = self.held.tokens_of(latents, self.columns)
            first, _ = rows.top(1)
            own, much = np.full(len(latents), -1), np.full(len(latents), np.nan)
            own[first.latent - latents.start], much[first.latent - latents.start] = first.token, first.share
            token.append(own)
            share.append(much)
            entropy.append(rows.entropy(latents))
        return {
            "top_token": self.words[np.concatenate(token)].tolist(),
            "top_token_share": np.concatenate(share),
            "entropy_tokens": np.concatenate(entropy),
        }

    @cached_property
    def columns(self) -> Any:  # noqa: ANN401 - scipy's own type
        """The tokens that are held, by latent."""
        return self.held.active.tocsc()

    def examples(self) -> Iterator[dict[str, Any]]:
        """Yield the table `examples`."""
        c, moments = self.config, self.found.moments
        inner = np.array([low for low, _ in self.quantiles[:-1]][::-1])
        for latents in self._blocks():
            largest = self.found.top.value[latents.start : latents.stop, 0].astype(np.float64)
            bounds = moments.quantiles(inner, largest=largest, latents=latents)
            yield example_rows(
                self.found.top, self.found.drawn, latents, bounds=bounds, per_bin=c.per_quantile, words=self.words
            )

    def logits(self) -> Iterator[dict[str, Any]]:
        """Yield the table `logits`; nothing where directions do not reach the logits."""
        if not reaches_stream(self.dictionary.hook):
            return
        unembed = unembedding(self.model).cpu()
        for latents in self._blocks():
            tokens, effects = logit_rows(self.directions[latents.start : latents.stop], unembed, n=self.config.n_logits)
            n = tokens.shape[2]
            yield {
                "latent": np.repeat(np.asarray(latents), 2 * n),
                "sign": np.tile(np.repeat([1, -1], n), len(latents)),
                "rank": np.tile(np.arange(n), 2 * len(latents)),
                "token": self.words[tokens.ravel()].tolist(),
                "effect": effects.ravel(),
            }

    def tokens(self) -> Iterator[dict[str, Any]]:
        """Yield the table `tokens`."""
        for latents in self._blocks():
            rows, rank = self.held.tokens_of(latents, self.columns).top(self.config.n_token_rows)
            own = {name: getattr(rows, name) for name in ("latent", "count", "mean_value", "share", "lift")}
            yield {**own, "rank": rank, "token": self.words[rows.token].tolist()}

    def neighbours(self) -> Iterator[dict[str, Any]]:
        """Yield the table `neighbours`."""
        n = self.config.n_neighbours
        for latents in self._blocks():
            kinds = {
                "decoder": similar_directions(self.directions, latents, n=n),
                "coactivation": self.held.coactivation(latents, n=n),
            }
            parts = [_neighbour_rows(kind, latents, *found) for kind, found in kinds.items()]
            joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            order = np.argsort(joined["latent"], kind="stable")
            yield {name: column[order] for name, column in joined.items()}

    def histogram(self) -> Iterator[dict[str, Any]]:
        """Yield the table `histogram`."""
        for latents in self._blocks():
            yield self.found.moments.histogram(latents)

    def _blocks(self) -> Iterator[range]:
        return blocks(self.dictionary.n_latents, LATENTS_PER_GROUP)


def _example_tokens(found: Gathered) -> np.ndarray:
    """Return the token of each latent's largest value, -1 for those that were never active."""
    top = found.top
    own = top.tokens[np.arange(len(top.begin)), 0, top.begin[:, 0]]
    return np.where(top.document[:, 0] >= 0, own, -1)


def _neighbour_rows(kind: str, latents: range, other: np.ndarray, value: np.ndarray) -> dict[str, np.ndarray]:
    there = other >= 0
    rank = np.broadcast_to(np.arange(other.shape[1]), other.shape)
    latent = np.broadcast_to(np.asarray(latents)[:, None], other.shape)
    return {
        "latent": latent[there],
        "kind": np.full(int(there.sum()), kind, dtype=object),
        "rank": rank[there],
        "other": other[there],
        "value": value[there],
    }


def write_features(folder: str | Path, tables: FeatureTables, *, identity: ModelIdentity) -> None:
    """Write the tables and what they are of to a folder.

    Raises: OSError, if the disk is full; the folder is not complete then.
    """
    moments = tables.found.moments
    about = {
        "model": identity.as_dict(),
        "hook": tables.dictionary.hook,
        "sae": tables.dictionary.name,
        "kind": tables.dictionary.kind,
        "directions_add_to": "normalised activation" if tables.dictionary.rescaled else "activation",
        "n_latents": tables.dictionary.n_latents,
        "n_tokens": moments.n_tokens,
        "n_documents": moments.n_documents,
        "n_sampled": len(tables.held.token),
        "text": {**tables.config.text.as_dict(), "source": without_place(tables.config.text.source)},
        "quantiles": tables.quantiles,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    rows = {name: getattr(tables, name)() for name in ("examples", "logits", "tokens", "neighbours", "histogram")}
    write_folder(folder, {"features": [tables.features()], **rows}, about=about)
