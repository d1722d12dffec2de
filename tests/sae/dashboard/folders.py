"""Folders of features made by hand: every latent fires on a token of its own, and what else there is, is known."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from interp_lab.sae.features import FeatureStore, write_folder

ABOUT = {
    "model": {"name": "made"},
    "hook": "blocks.2.hook_resid_post",
    "sae": "made-sae",
    "n_tokens": 10_000,
    "n_documents": 500,
    "n_sampled": 10_000,
    "text": {"source": "grammar", "part": "held_out"},
    "quantiles": [(0.5, 1.0), (0.0, 0.5)],
    "created": "2026-11-22T00:00:00+00:00",
}
FILLER = ("the", "bank", "said", "it", "was", "\n", "and", "a")


def made_folder(
    folder: Path,
    *,
    n_latents: int = 12,
    n_bins: int = 2,
    per_bin: int = 2,
    context: int = 3,
    names: Mapping[int, str] | None = None,
    dead: Sequence[int] = (),
    words: Sequence[str] = FILLER,
    about: Mapping[str, object] | None = None,
    bars: Sequence[tuple] | None = None,
) -> FeatureStore:
    """Write a folder and open it.

    Latent `n` fires on the token `names[n]` (`word{n}`) with 80% of its activation, has density `(n + 1) / 1000`, its
    largest value is `n + 1`, it writes towards `up{n}`, against `down{n}`, and its neighbours are `n + 1` and `n - 1`.
    """
    tokens = [(names or {}).get(latent, f"word{latent}") for latent in range(n_latents)]
    alive = [latent for latent in range(n_latents) if latent not in dead]
    examples = [
        _example(latent, quantile, rank, tokens[latent], context, words)
        for latent in alive
        for quantile in range(n_bins + 1)
        for rank in range(per_bin)
    ]
    tables = {
        "features": [_features(n_latents, tokens, dead)],
        "examples": [_columns(examples, "latent quantile rank document position value begin tokens values")],
        "logits": [
            _columns(
                [row for n in range(n_latents) for row in ((n, 1, 0, f"up{n}", 2.0), (n, -1, 0, f"down{n}", -1.5))],
                "latent sign rank token effect",
            )
        ],
        "tokens": [
            _columns(
                [
                    row
                    for n in alive
                    for row in ((n, 0, tokens[n], 8, n + 0.5, 0.8, 40.0), (n, 1, words[0], 2, 0.5, 0.2, 0.1))
                ],
                "latent rank token count mean_value share lift",
            )
        ],
        "neighbours": [
            _columns(
                [
                    row
                    for n in range(n_latents)
                    for row in (
                        (n, "decoder", 0, (n + 1) % n_latents, 0.75),
                        (n, "coactivation", 0, (n - 1) % n_latents, 0.25),
                    )
                ],
                "latent kind rank other value",
            )
        ],
        "histogram": [
            _columns(bars or [row for n in alive for row in ((n, 0, 0.0, 0.5, 30), (n, 1, 0.5, 1.0, 10))],
                     "latent bin low high count")
        ],
    }  # fmt: skip
    edges = np.linspace(1, 0, n_bins + 1)
    quantiles = [(float(low), float(high)) for high, low in pairwise(edges)]
    write_folder(folder, tables, about=ABOUT | {"n_latents": n_latents, "quantiles": quantiles} | (about or {}))
    return FeatureStore.open(folder)


def _example(latent: int, quantile: int, rank: int, token: str, context: int, words: Sequence[str]) -> tuple:
    offset = latent + quantile + rank
    around = [words[(offset + place) % len(words)] for place in range(2 * context)]
    value = (latent + 1) / (1 + quantile) - 0.01 * rank
    tokens = [*around[:context], token, *around[context:]]
    values = [0.0] * len(tokens)
    values[context] = value
    values[context + 1] = value / 4
    return latent, quantile, rank, 100 * latent + 10 * quantile + rank, context, value, context, tokens, values


def _features(n_latents: int, tokens: Sequence[str], dead: Sequence[int]) -> dict:
    latents = np.arange(n_latents)
    off = np.isin(latents, dead)
    numbers = {
        name: np.where(off, np.nan, scale * (latents + 1))
        for name, scale in {"mean_active": 0.5, "std_active": 0.1, "quantile_50": 0.4, "quantile_90": 0.8,
                            "quantile_99": 0.95}.items()
    }  # fmt: skip
    return {
        "latent": latents,
        "density": np.where(off, 0.0, np.minimum((latents + 1) / 1000, 1)),
        "n_active": np.where(off, 0, 10 * (latents + 1)),
        "max": np.where(off, np.nan, latents + 1.0),
        "max_token": ["" if gone else token for gone, token in zip(off, tokens, strict=True)],
        "top_token": ["" if gone else token for gone, token in zip(off, tokens, strict=True)],
        "top_token_share": np.where(off, np.nan, 0.8),
        "n_documents": np.where(off, 0, 5),
        "entropy_tokens": np.where(off, np.nan, 0.72),
        "decoder_norm": np.ones(n_latents),
        "bias": -0.1 * latents,
        **numbers,
    }


def _columns(rows: Sequence[tuple], names: str) -> dict:
    return {name: [row[nth] for row in rows] for nth, name in enumerate(names.split())}
