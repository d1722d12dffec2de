"""Which latents are shown, read a few at a time, and their rows by latent."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from interp_lab.sae.features import FeatureStore


def chosen_latents(store: FeatureStore, latents: Sequence[int] | None) -> list[int]:
    """Return the latents asked for in rising order, or all there are.

    Raises: ValueError, for none, one named twice, or one that there is not.
    """
    if latents is None:
        return list(range(store.n_latents))
    if not latents:
        raise ValueError("no latents were asked for; name some, or pass None for all")
    wrong = [latent for latent in latents if not 0 <= latent < store.n_latents]
    if wrong:
        raise ValueError(f"there is no latent {wrong[0]}; {store.folder} has 0 to {store.n_latents - 1}")
    twice = [latent for latent in latents if latents.count(latent) > 1]
    if twice:
        raise ValueError(f"latent {twice[0]} is named twice; name each once")
    return sorted(latents)


def in_pieces(latents: Sequence[int], *, at_once: int = 256) -> list[list[int]]:
    """Return the latents a few at a time, so that their contexts fit into memory."""
    return [list(latents[start : start + at_once]) for start in range(0, len(latents), at_once)]


def by_latent(frame: pd.DataFrame) -> dict[int, list[dict[str, Any]]]:
    """Return the rows of each latent, in their order."""
    held: dict[int, list[dict[str, Any]]] = {}
    for row in frame.to_dict("records"):
        held.setdefault(int(row["latent"]), []).append({str(name): value for name, value in row.items()})
    return held
