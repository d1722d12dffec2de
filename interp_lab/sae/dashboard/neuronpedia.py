"""Features in the JSON shape that Neuronpedia imports: files of some features each, as SAEDashboard writes them.

The shape was read from SAEDashboard (github.com/jbloomAus/SAEDashboard, MIT): `neuronpedia_dashboard.py` and
`neuronpedia_converter.py` (fields of a batch, a feature and an activation; three decimals; the top examples have
`bin_min` -1 and `bin_contains` -1) and `neuronpedia_export.py` (files `batch-N.json`, which fields it requires).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt

from interp_lab.config import Config
from interp_lab.runs import write_atomic
from interp_lab.sae.dashboard.latents import by_latent, chosen_latents, in_pieces
from interp_lab.sae.features import FeatureStore

N_BINS = 50
"""Of the exported histogram."""


class NeuronpediaActivation(Config):
    """One example."""

    bin_min: float
    """Lower edge of its bin of active values; -1 marks the top examples."""
    bin_max: float
    """Upper edge; of the top examples, the feature's largest value."""
    bin_contains: float
    """Share of all tokens with a value in the bin; -1 for the top examples."""
    tokens: tuple[str, ...]
    values: tuple[float, ...]
    qualifying_token_index: NonNegativeInt
    """Place, in `tokens`, of the one the example was chosen for."""


class NeuronpediaFeature(Config):
    """One feature; lists are empty where a folder of features has nothing of the kind."""

    feature_index: NonNegativeInt
    neuron_alignment_indices: tuple[int, ...] = ()
    neuron_alignment_values: tuple[float, ...] = ()
    neuron_alignment_l1: tuple[float, ...] = ()
    correlated_neurons_indices: tuple[int, ...] = ()
    correlated_neurons_l1: tuple[float, ...] = ()
    correlated_neurons_pearson: tuple[float, ...] = ()
    correlated_features_indices: tuple[int, ...] = ()
    """Latents that are active at the same tokens."""
    correlated_features_l1: tuple[float, ...] = ()
    """Not L1: SAEDashboard writes cosine similarity here. Ours is of being active, SAEDashboard's of the values."""
    correlated_features_pearson: tuple[float, ...] = ()
    """Pearson's correlation of being active (phi); SAEDashboard's is of the values."""
    neg_str: tuple[str, ...] = ()
    neg_values: tuple[float, ...] = ()
    pos_str: tuple[str, ...] = ()
    pos_values: tuple[float, ...] = ()
    frac_nonzero: float
    """Share of tokens, 0 to 1."""
    freq_hist_data_bar_values: tuple[float, ...] = ()
    """Middles of bins of active values, all equally wide."""
    freq_hist_data_bar_heights: tuple[float, ...] = ()
    """Tokens in each, by `equal_bins`: not whole numbers."""
    logits_hist_data_bar_heights: tuple[float, ...] = ()
    logits_hist_data_bar_values: tuple[float, ...] = ()
    n_prompts_total: NonNegativeInt
    n_tokens_in_prompt: NonNegativeInt
    dataset: str
    decoder_weights_dist: tuple[float, ...] = ()
    activations: tuple[NeuronpediaActivation, ...] = ()


class NeuronpediaBatch(Config):
    """One file."""

    model_id: str
    layer: NonNegativeInt
    sae_set: str
    features: tuple[NeuronpediaFeature, ...]


def export_neuronpedia(
    store: FeatureStore,
    folder: Path,
    *,
    model_id: str,
    layer: int,
    sae_set: str,
    latents: Sequence[int] | None = None,
    n_tokens_in_prompt: PositiveInt | None = None,
    per_file: PositiveInt = 128,
) -> list[Path]:
    """Write `batch-0.json`, `batch-1.json`, ... and return their paths.

    Left empty, because the folder does not hold them: alignment with neurons, correlated neurons, the histogram of
    logits, and the allocation of decoder weights to heads.

    Args:
        model_id: as Neuronpedia calls the model, such as `gpt2-small`.
        sae_set: name of the set of autoencoders on Neuronpedia.
        n_tokens_in_prompt: of a window; `None` takes what the folder says of its text, or tokens over documents.

    Raises: ValueError, for latents that there are not, or a folder that has other batches.
    """
    chosen = chosen_latents(store, latents)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("batch-*.json")):
        raise ValueError(f"{folder} has batches already, which an import would mix with these; name an empty folder")
    length = n_tokens_in_prompt or store.about.text.get("length") or round(
        store.about.n_tokens / max(store.about.n_documents, 1)
    )  # fmt: skip
    densities = store.features()["density"].to_numpy()
    shared = {
        "n_prompts_total": store.about.n_documents,
        "n_tokens_in_prompt": int(length),
        "dataset": str(store.about.text.get("source", "")),
    }
    written = []
    for number, piece in enumerate(in_pieces(chosen, at_once=per_file)):
        features = tuple(neuronpedia_features(store, piece, densities=densities, shared=shared))
        batch = NeuronpediaBatch(model_id=model_id, layer=layer, sae_set=sae_set, features=features)
        path = folder / f"batch-{number}.json"
        write_atomic(path, json.dumps(batch.as_dict(), allow_nan=False).encode("utf-8"))
        written.append(path)
    return written


def neuronpedia_features(
    store: FeatureStore,
    latents: Sequence[int],
    *,
    densities: Float[np.ndarray, " latent"],
    shared: Mapping[str, Any],
) -> list[NeuronpediaFeature]:
    """Return some features; `shared` is what all of a folder have in common, and densities are of all latents."""
    rows = by_latent(store.features(latents))
    examples, logits = by_latent(store.examples(latents)), by_latent(store.logits(latents))
    near, histogram = by_latent(store.neighbours(latents)), by_latent(store.histogram(latents))
    found = []
    for latent in latents:
        density = float(rows[latent][0]["density"])
        effects = {sign: [row for row in logits.get(latent, []) if row["sign"] == sign] for sign in (1, -1)}
        together = [row for row in near.get(latent, []) if row["kind"] == "coactivation"]
        bars = histogram.get(latent, [])
        middles, heights = equal_bins(bars)
        found.append(
            NeuronpediaFeature(
                feature_index=latent,
                frac_nonzero=density,
                pos_str=tuple(row["token"] for row in effects[1]),
                pos_values=tuple(_rounded(row["effect"]) for row in effects[1]),
                neg_str=tuple(row["token"] for row in effects[-1]),
                neg_values=tuple(_rounded(row["effect"]) for row in effects[-1]),
                correlated_features_indices=tuple(int(row["other"]) for row in together),
                correlated_features_l1=tuple(
                    _rounded(_cosine(row["value"], density, float(densities[int(row["other"])]))) for row in together
                ),
                correlated_features_pearson=tuple(_rounded(row["value"]) for row in together),
                freq_hist_data_bar_values=tuple(_rounded(value) for value in middles),
                freq_hist_data_bar_heights=tuple(_rounded(value) for value in heights),
                activations=tuple(_activations(examples.get(latent, []), bars, store.about.quantiles, rows[latent][0])),
                **shared,
            )
        )
    return found


def equal_bins(
    bars: Sequence[Mapping[str, Any]], *, n: int = N_BINS
) -> tuple[Float[np.ndarray, " bin"], Float[np.ndarray, " bin"]]:
    """Return middles of `n` equally wide bins from the lowest edge to the highest, and the tokens in each.

    A folder's bins grow with the value, and a bar chart that takes them for equal would be wrong. Values are taken to
    be spread evenly within a bin of the folder; no token is lost.
    """
    if not bars:
        return np.empty(0), np.empty(0)
    values, below = _cumulative(bars)
    edges = np.linspace(values[0], values[-1], n + 1)
    return (edges[:-1] + edges[1:]) / 2, np.diff(np.interp(edges, values, below))


def _cumulative(bars: Sequence[Mapping[str, Any]]) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, " edge"]]:
    """Return the edges of bins, lower and upper in turn, and how many tokens are below each."""
    ordered = sorted(bars, key=lambda row: row["low"])
    values = np.array([edge for row in ordered for edge in (row["low"], row["high"])], dtype=np.float64)
    upto = np.cumsum([row["count"] for row in ordered], dtype=np.float64)
    return values, np.stack([np.concatenate([[0.0], upto[:-1]]), upto], axis=1).reshape(-1)


def _cosine(phi: float, ours: float, theirs: float) -> float:
    """Return the cosine of being active, from its correlation and both densities; 0 where one is never active."""
    if min(ours, theirs) <= 0:
        return 0.0
    together = phi * np.sqrt(ours * (1 - ours) * theirs * (1 - theirs)) + ours * theirs
    return float(np.clip(together / np.sqrt(ours * theirs), 0, 1))


def _activations(
    rows: Sequence[Mapping[str, Any]],
    bars: Sequence[Mapping[str, Any]],
    quantiles: Sequence[tuple[float, float]],
    feature: Mapping[str, Any],
) -> list[NeuronpediaActivation]:
    """Return the examples, the top ones first and then bin by bin, with the edges of their bins.

    Edges are quantiles of the active values, to within a bin of the histogram; they are moved to hold the examples.
    """
    found = []
    for row in sorted(rows, key=lambda row: (row["quantile"], row["rank"])):
        own = int(row["quantile"])
        if own == 0:
            found.append(_activation(row, -1.0, _rounded(feature["max"]), -1.0))
            continue
        low, high = quantiles[own - 1]
        values, below = _cumulative(bars)
        edges = np.minimum(np.interp(np.array([low, high]) * below[-1], below, values), float(feature["max"]))
        members = [float(one["value"]) for one in rows if one["quantile"] == own]
        lower, upper = _rounded(min(edges[0], *members)), _rounded(max(edges[1], *members))
        found.append(_activation(row, lower, upper, (high - low) * float(feature["density"])))
    return found


def _activation(row: Mapping[str, Any], low: float, high: float, contains: float) -> NeuronpediaActivation:
    return NeuronpediaActivation(
        bin_min=low,
        bin_max=high,
        bin_contains=contains,
        tokens=tuple(str(token) for token in row["tokens"]),
        values=tuple(_rounded(value) for value in row["values"]),
        qualifying_token_index=int(row["begin"]),
    )


def _rounded(value: float | int | np.floating) -> float:
    return round(float(value), 3)
