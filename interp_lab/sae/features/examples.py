"""Which examples of a latent are shown: the largest, and some of every quantile of its active values."""

from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from interp_lab.sae.features.kept import Kept


def example_rows(
    top: Kept,
    drawn: Kept,
    latents: range,
    *,
    bounds: Float64[np.ndarray, "latent bound"],
    per_bin: int,
    words: np.ndarray,
) -> dict[str, Any]:
    """Return rows of the table `examples` for some latents.

    Args:
        bounds: values between which the quantile bins lie, rising, for each of these latents.
        per_bin: examples of each bin, in the order in which they were drawn; those at the top already are left out.
        words: text of every token, behind the last one nothing.
    """
    parts: list[dict[str, np.ndarray]] = []
    for row, latent in enumerate(latents):
        held = np.flatnonzero(top.document[latent] >= 0)
        parts.append(_rows(top, latent, held, quantile=np.zeros(len(held), np.int64)))
        slots, bins = _binned(top, drawn, latent, bounds[row], per_bin=per_bin)
        parts.append(_rows(drawn, latent, slots, quantile=bins))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    ids, values = joined.pop("context"), joined.pop("around")
    spelt, n = words[ids], (ids >= 0).sum(1)
    return {
        **joined,
        "tokens": [line[:length].tolist() for line, length in zip(spelt, n, strict=True)],
        "values": [line[:length].tolist() for line, length in zip(values, n, strict=True)],
    }


def _binned(
    top: Kept, drawn: Kept, latent: int, bounds: Float64[np.ndarray, " bound"], *, per_bin: int
) -> tuple[Int64[np.ndarray, " chosen"], Int64[np.ndarray, " chosen"]]:
    """Return slots of drawn examples and their bins, from 1 (the largest values) down."""
    held = np.flatnonzero(drawn.document[latent] >= 0)
    shown = set(zip(top.document[latent].tolist(), top.position[latent].tolist(), strict=True))
    places = zip(drawn.document[latent, held].tolist(), drawn.position[latent, held].tolist(), strict=True)
    held = held[[place not in shown for place in places]] if len(held) else held
    bins = len(bounds) + 1 - np.searchsorted(bounds, drawn.value[latent, held], side="left")
    chosen = [held[bins == nth][:per_bin] for nth in range(1, len(bounds) + 2)]
    numbers = [np.full(len(slots), nth) for nth, slots in enumerate(chosen, start=1)]
    return np.concatenate(chosen), np.concatenate(numbers)


def _rows(
    kept: Kept, latent: int, slots: Int64[np.ndarray, " slot"], *, quantile: Int64[np.ndarray, " slot"]
) -> dict[str, np.ndarray]:
    value = kept.value[latent, slots]
    order = np.lexsort((np.arange(len(slots)), -value, quantile))
    slots, quantile = slots[order], quantile[order]
    rank = np.arange(len(slots)) - np.searchsorted(quantile, quantile)
    return {
        "latent": np.full(len(slots), latent),
        "rank": rank,
        "quantile": quantile,
        "document": kept.document[latent, slots],
        "position": kept.position[latent, slots],
        "value": value[order],
        "begin": kept.begin[latent, slots],
        "context": kept.tokens[latent, slots],
        "around": kept.values[latent, slots],
    }
