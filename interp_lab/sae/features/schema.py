"""The tables of a folder of features: which columns they have, and what the folder says of itself.

All tables are sorted by latent and written in row groups of some latents each, so that a few latents are read without
the rest. Values of features are never negative: a latent is active where it is above zero.
"""

from typing import Any, Literal

import pyarrow as pa
from pydantic import NonNegativeInt, PositiveInt

from interp_lab.config import Config
from interp_lab.runs.files import Fingerprint

FORMAT = 1
"""Version of the layout; raised when an older interp_lab could not read a newer folder."""
ABOUT = "about.json"
"""Written last: a folder without it is not complete."""

_WORDS, _NUMBERS = pa.list_(pa.string()), pa.list_(pa.float32())

SCHEMAS: dict[str, pa.Schema] = {
    "features": pa.schema(
        {
            "latent": pa.int32(),
            "density": pa.float64(),
            "n_active": pa.int64(),
            "mean_active": pa.float64(),
            "std_active": pa.float64(),
            "max": pa.float64(),
            "max_token": pa.string(),
            "top_token": pa.string(),
            "top_token_share": pa.float64(),
            "n_documents": pa.int64(),
            "entropy_tokens": pa.float64(),
            "decoder_norm": pa.float64(),
            "bias": pa.float64(),
            "quantile_50": pa.float64(),
            "quantile_90": pa.float64(),
            "quantile_99": pa.float64(),
        }
    ),
    "examples": pa.schema(
        {
            "latent": pa.int32(),
            "rank": pa.int32(),
            "quantile": pa.int32(),
            "document": pa.int64(),
            "position": pa.int32(),
            "value": pa.float32(),
            "begin": pa.int32(),
            "tokens": _WORDS,
            "values": _NUMBERS,
        }
    ),
    "logits": pa.schema(
        {
            "latent": pa.int32(),
            "sign": pa.int32(),
            "rank": pa.int32(),
            "token": pa.string(),
            "effect": pa.float32(),
        }
    ),
    "tokens": pa.schema(
        {
            "latent": pa.int32(),
            "rank": pa.int32(),
            "token": pa.string(),
            "count": pa.int64(),
            "mean_value": pa.float64(),
            "share": pa.float64(),
            "lift": pa.float64(),
        }
    ),
    "neighbours": pa.schema(
        {
            "latent": pa.int32(),
            "kind": pa.string(),
            "rank": pa.int32(),
            "other": pa.int32(),
            "value": pa.float32(),
        }
    ),
    "histogram": pa.schema(
        {
            "latent": pa.int32(),
            "bin": pa.int32(),
            "low": pa.float64(),
            "high": pa.float64(),
            "count": pa.int64(),
        }
    ),
}
"""Tables by name; each is a file `NAME.parquet`.

`features`: a row for every latent, those that were never active among them (their means, quantiles and shares are NaN,
their tokens empty). `density` is a share of tokens; `mean_active` to `quantile_99` are of active values; `top_token` is
the token with the largest share of the latent's summed activation, `entropy_tokens` the entropy of these shares (bits).
`examples`: `quantile` 0 holds the largest values, 1 to n what is drawn from ever lower bins of active values, `rank`
counts within it from 0; `tokens` is the context, `values` the latent there, `begin` the place of the example in both;
`position` is that of the token in the window that the model read.
`logits`: tokens that the latent's direction raises most (`sign` 1) and lowers most (-1), rank 0 first.
`tokens`: `share` of the latent's summed activation, `lift` of being active at the token over being active at all.
`neighbours`: `kind` is `decoder` (`value`: cosine) or `coactivation` (`value`: correlation of being active, phi).
`histogram`: counts of active values; bins are the same for all latents, those outside the range of a latent left out.
"""


class About(Config):
    """What a folder of features says of itself: content of `about.json`."""

    format: PositiveInt = FORMAT
    model: dict[str, Any]
    """Identity of the model."""
    hook: str
    sae: str
    """Name of the dictionary."""
    kind: Literal["sae", "neurons"] = "sae"
    directions_add_to: Literal["activation", "normalised activation"] = "activation"
    """What `decoder_norm`, `logits` and neighbours by direction are per unit of: a dictionary that normalises every
    activation adds to the normalised one."""
    n_latents: PositiveInt
    n_tokens: NonNegativeInt
    n_documents: NonNegativeInt
    n_sampled: NonNegativeInt
    """Tokens that `tokens` and co-activation stand on: all, or a random sample where all were too many to hold."""
    text: dict[str, Any]
    """Which documents were read, and in which windows."""
    quantiles: list[tuple[float, float]]
    """Of bins 1 to n of the examples: from and up to which share of active values they reach."""
    latents_per_group: PositiveInt
    """Latents in a row group."""
    created: str
    """UTC, ISO 8601."""
    files: dict[str, Fingerprint]
    """Every table by its file name."""
