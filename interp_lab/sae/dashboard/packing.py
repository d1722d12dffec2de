"""A folder of features as data for a page: every text once, numbers short, contexts cut, zeros left out."""

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from interp_lab.config import Config
from interp_lab.plots.text import visible
from interp_lab.sae.dashboard.latents import by_latent, in_pieces
from interp_lab.sae.features import FeatureStore

MEASURES: Mapping[str, str] = {
    "latent": "number",
    "density": "density",
    "max": "largest value",
    "mean_active": "mean when active",
    "std_active": "spread when active",
    "quantile_50": "median when active",
    "quantile_90": "90th percentile",
    "quantile_99": "99th percentile",
    "n_active": "active tokens",
    "n_documents": "documents",
    "top_token_share": "share of top token",
    "entropy_tokens": "token entropy (bits)",
    "decoder_norm": "decoder norm",
    "bias": "bias",
}
"""Columns of `features` that can be sorted by, and what the page calls them."""
DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
"""Of numbers in base 64, 0 first."""


class Shown(Config):
    """How much of each feature a page holds."""

    per_bin: int = 8
    """Examples of each bin (the top examples are one)."""
    context: int = 12
    """Tokens on either side of the one an example is about."""
    n_logits: int = 10
    """Promoted tokens, and as many suppressed ones."""
    n_tokens: int = 10
    n_neighbours: int = 8
    """Of each kind."""


@dataclass
class TokenTable:
    """Texts by number, numbered as they come, so that common ones have short numbers."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """Return the number of a text, a new one if it has none."""
        return self.numbers.setdefault(text, len(self.numbers))

    def texts(self) -> list[str]:
        """Return the texts in order, with what would steer the display written out; newlines and tabs stay."""
        return [visible(text) for text in self.numbers]

    @property
    def digits(self) -> int:
        """Digits that every number fits into, base 64."""
        return max(1, math.ceil(math.log(max(len(self.numbers), 2), len(DIGITS))))


def codes(n: int, *, digits: int) -> list[str]:
    """Return 0 to n-1 in base 64: a third of the bytes of a list of numbers on the page, and read faster."""
    places = [len(DIGITS) ** place for place in reversed(range(digits))]
    return ["".join(DIGITS[number // place % len(DIGITS)] for place in places) for number in range(n)]


def packed(store: FeatureStore, latents: Sequence[int], *, labels: Mapping[int, str], shown: Shown) -> dict[str, Any]:
    """Return what the page's script reads, all of it JSON.

    Columns of numbers by name, a list of texts that everything else refers to by number, and per feature its examples
    `[bin, document, position, place, value, coded texts, [place, value, ...]]`, tokens, logits, neighbours, histogram.
    """
    table = TokenTable()
    frame = store.features(latents).set_index("latent", drop=False)
    details = [one for piece in in_pieces(latents) for one in _details(store, piece, table, shown)]
    columns = {name: [short(value) for value in frame[name].tolist()] for name in MEASURES}
    columns["top_token"] = [table.number(text) if text else -1 for text in frame["top_token"].tolist()]
    texts = table.texts()
    code = codes(len(texts), digits=table.digits)
    for feature in details:
        for example in feature["e"]:
            example[_TEXTS] = "".join([code[number] for number in example[_TEXTS]])
    return {
        "columns": columns,
        "labels": [visible(labels[latent]) for latent in latents],
        "texts": texts,
        "digits": DIGITS,
        "per_text": table.digits,
        "spaced": any(text.startswith(" ") for text in texts),
        "bins": [list(edges) for edges in store.about.quantiles],
        "features": details,
    }


def _details(store: FeatureStore, latents: list[int], table: TokenTable, shown: Shown) -> list[dict[str, Any]]:
    examples, tokens = by_latent(_kept(store.examples(latents), shown.per_bin)), by_latent(store.tokens(latents))
    logits, neighbours = by_latent(store.logits(latents)), by_latent(store.neighbours(latents))
    histogram = by_latent(store.histogram(latents))
    found = []
    for latent in latents:
        effects, near = logits.get(latent, []), neighbours.get(latent, [])
        found.append(
            {
                "e": [_example(row, table, shown.context) for row in examples.get(latent, [])],
                "t": [_token(row, table) for row in tokens.get(latent, [])[: shown.n_tokens]],
                "p": _effects([row for row in effects if row["sign"] > 0][: shown.n_logits], table),
                "n": _effects([row for row in effects if row["sign"] < 0][: shown.n_logits], table),
                "d": _near([row for row in near if row["kind"] == "decoder"][: shown.n_neighbours]),
                "c": _near([row for row in near if row["kind"] == "coactivation"][: shown.n_neighbours]),
                "h": [[short(row["low"]), short(row["high"]), int(row["count"])] for row in histogram.get(latent, [])],
            }
        )
    return found


def _kept(examples: pd.DataFrame, per_bin: int) -> pd.DataFrame:
    """Return the first examples of every bin, bins in order."""
    ordered = examples.sort_values(["latent", "quantile", "rank"], kind="stable")
    return ordered[ordered.groupby(["latent", "quantile"]).cumcount() < per_bin]


def _example(row: Mapping[str, Any], table: TokenTable, context: int) -> list[Any]:
    begin = int(row["begin"])
    first = max(0, begin - context)
    cut = slice(first, begin + context + 1)
    texts = [table.number(text) for text in row["tokens"][cut]]
    active = [(place, short(float(value))) for place, value in enumerate(row["values"][cut]) if value != 0]
    where: list[Any] = [
        int(row["quantile"]),
        int(row["document"]),
        int(row["position"]),
        begin - first,
        short(row["value"]),
    ]
    return [*where, texts, [number for pair in active for number in pair]]


_TEXTS = 5
"""Where the texts stand in an example."""


def _token(row: Mapping[str, Any], table: TokenTable) -> list[Any]:
    return [table.number(row["token"]), int(row["count"]), *(short(row[name]) for name in _OF_TOKENS)]


_OF_TOKENS = ("mean_value", "share", "lift")


def _effects(rows: Sequence[Mapping[str, Any]], table: TokenTable) -> list[list[Any]]:
    return [[table.number(row["token"]), short(row["effect"])] for row in rows]


def _near(rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    return [[int(row["other"]), short(row["value"])] for row in rows]


def short(value: float | int) -> float | int | None:
    """Return a number with four digits that count, `None` where there is none (NaN, infinite)."""
    value = float(value)
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.4g}") if abs(value) < 1e4 else round(value)
    return int(rounded) if rounded == int(rounded) else rounded
