"""What a page shows of a folder of features: numbers of all of them, examples of a few."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from interp_lab.sae.features.store import FeatureStore

NUMBERS = (
    "density", "mean_active", "max", "top_token_share", "n_documents", "entropy_tokens", "decoder_norm",
)  # fmt: skip
WORDS = ("max_token", "top_token")
N_EXAMPLES, AROUND = 3, 6
"""Examples of a feature, and tokens on each side of one."""


@dataclass(frozen=True)
class Overview:
    """All features in numbers, and those of interest in words."""

    name: str
    hook: str
    n_tokens: int
    n_documents: int
    n_sampled: int
    n_active: Int[np.ndarray, " latent"]
    numbers: Mapping[str, Float[np.ndarray, " latent"]]
    words: Mapping[str, np.ndarray]
    shown: pd.DataFrame
    """Of a few features: why they are shown, tokens, examples, logits."""

    @classmethod
    def of(cls, store: FeatureStore, wanted: Mapping[int, str]) -> "Overview":
        """Read a folder.

        Args:
            wanted: features to show besides, and why.
        """
        features, about = store.features(), store.about
        every = {**wanted, **_of_interest(features, besides=wanted)}
        return cls(
            name=about.sae,
            hook=about.hook,
            n_tokens=about.n_tokens,
            n_documents=about.n_documents,
            n_sampled=about.n_sampled,
            n_active=features["n_active"].to_numpy(),
            numbers={name: features[name].to_numpy(float) for name in NUMBERS},
            words={name: features[name].to_numpy(str) for name in WORDS},
            shown=_shown(store, every),
        )

    @property
    def dead(self) -> np.ndarray:
        """Which features were never active on this text."""
        return self.n_active == 0

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything as named arrays."""
        return {
            "about": np.array([self.name, self.hook]),
            "counts": np.array([self.n_tokens, self.n_documents, self.n_sampled]),
            "n_active": self.n_active,
            **{f"feature_{name}": value for name, value in {**self.numbers, **self.words}.items()},
            **{f"shown_{name}": self.shown[name].to_numpy(None if name == "latent" else str) for name in self.shown},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Overview":
        """Rebuild from `arrays`."""
        names = ("latent", *SHOWN)
        return cls(
            *arrays["about"].tolist(),
            *arrays["counts"].tolist(),
            n_active=arrays["n_active"],
            numbers={name: arrays[f"feature_{name}"] for name in NUMBERS},
            words={name: arrays[f"feature_{name}"] for name in WORDS},
            shown=pd.DataFrame({name: arrays[f"shown_{name}"] for name in names}),
        )


SHOWN = ("shown_because", "active_at", "largest", "middle", "raises", "lowers")
"""Columns of `Overview.shown` besides the latent."""


def _of_interest(features: pd.DataFrame, *, besides: Mapping[int, str], n: int = 3) -> dict[int, str]:
    """Return features that are dense, those of one token, and those of many, which are neither rare nor dense."""
    alive = features[(features["n_documents"] >= 20) & ~features["latent"].isin(list(besides))]
    common = alive[alive["density"].between(0.002, 0.05)]
    parts = (
        ("most dense", alive.nlargest(n, "density")),
        ("active at one token", common.nlargest(n, "top_token_share")),
        ("active at many tokens", common.nlargest(n, "entropy_tokens")),
    )
    found: dict[int, str] = {}
    for why, rows in parts:
        for latent in rows["latent"].tolist():
            found.setdefault(latent, why)
    return found


def _shown(store: FeatureStore, wanted: Mapping[int, str]) -> pd.DataFrame:
    latents = list(wanted)
    examples, tokens, logits = store.examples(latents), store.tokens(latents), store.logits(latents)
    rows = []
    for latent in latents:
        own, at = examples[examples["latent"] == latent], tokens[tokens["latent"] == latent]
        effects = logits[logits["latent"] == latent]
        top, lower = own[own["quantile"] == 0], own[own["quantile"] == 2]
        raised, lowered = (effects[effects["sign"] == sign]["token"].head(5) for sign in (1, -1))
        rows.append({
            "latent": latent,
            "shown_because": wanted[latent],
            "active_at": ", ".join(f"{row.token} {row.share:.0%}" for row in at.head(4).itertuples()),
            "largest": " | ".join(map(_marked, _records(top, N_EXAMPLES))),
            "middle": " | ".join(map(_marked, _records(lower, 1))),
            "raises": ", ".join(raised),
            "lowers": ", ".join(lowered),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["latent", *SHOWN])


def _records(examples: pd.DataFrame, n: int) -> Sequence[dict]:
    return examples.head(n).to_dict("records")


def _marked(example: Mapping) -> str:
    """Return an example in its context, the token itself in brackets."""
    at, tokens = int(example["begin"]), list(example["tokens"])
    begin = max(0, at - AROUND)
    before, behind = tokens[begin:at], tokens[at + 1 : at + 1 + AROUND // 2]
    words = [*before, f"[{tokens[at].strip()}]", *behind]
    return " ".join(word.strip() for word in words)
