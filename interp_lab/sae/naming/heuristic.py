"""Labels put together from counts: what a latent fires on and writes, by rules that anyone can check.

They are heuristics, named so wherever they are shown: nobody tested whether they say what the latent means.
"""

from collections.abc import Sequence

import pandas as pd

from interp_lab.plots.text import token_label
from interp_lab.sae.features import FeatureStore

ONE_TOKEN = 0.5
"""Share of the activation from which a single token names the latent."""
FEW_TOKENS = 0.6
"""Share that at most `MOST_NAMED` tokens must reach together to name it."""
MOST_NAMED = 4
"""Tokens in a label."""
_LONGEST = 24


def heuristic_label(tokens: pd.DataFrame, logits: pd.DataFrame) -> str:
    """Return a label for one latent, such as `fires on 'approved' (82% of activation)`.

    One token with half of the activation names it; else the fewest tokens, at most four, that have 60% together; else
    its largest token with the tokens that its direction writes towards most. A latent that was never active says so.

    Args:
        tokens: the latent's rows of `FeatureStore.tokens`: `rank`, `token`, `share`.
        logits: the latent's rows of `FeatureStore.logits`: `sign`, `rank`, `token`; may be empty.
    """
    shares = tokens.sort_values("rank", kind="stable")
    raised = logits[logits["sign"] == 1].sort_values("rank", kind="stable")
    return _label(list(zip(shares["token"], shares["share"], strict=True)), raised["token"].tolist())


def _label(shares: Sequence[tuple[str, float]], promoted: Sequence[str]) -> str:
    if not shares:
        return "never active on this text"
    if shares[0][1] >= ONE_TOKEN:
        return f"fires on {_quoted([shares[0][0]])} ({_per_cent(shares[0][1])} of activation)"
    for n in range(2, min(MOST_NAMED, len(shares)) + 1):
        together = sum(share for _, share in shares[:n])
        if together >= FEW_TOKENS:
            return f"fires on {_quoted([token for token, _ in shares[:n]])} ({_per_cent(together)} of activation)"
    diffuse = f"many tokens, most {_quoted([shares[0][0]])} ({_per_cent(shares[0][1])} of activation)"
    return f"{diffuse}; writes towards {_quoted(promoted[:2])}" if promoted else diffuse


def heuristic_labels(store: FeatureStore, latents: Sequence[int]) -> dict[int, str]:
    """Return `heuristic_label` of each of these latents.

    Raises: ValueError, for a latent that there is not.
    """
    tokens, logits = (
        frame.sort_values("rank", kind="stable") for frame in (store.tokens(latents), store.logits(latents))
    )
    shares: dict[int, list[tuple[str, float]]] = {latent: [] for latent in latents}
    promoted: dict[int, list[str]] = {latent: [] for latent in latents}
    for latent, token, share in zip(tokens["latent"], tokens["token"], tokens["share"], strict=True):
        shares[latent].append((token, share))
    raised = logits[logits["sign"] == 1]
    for latent, token in zip(raised["latent"], raised["token"], strict=True):
        promoted[latent].append(token)
    return {latent: _label(shares[latent], promoted[latent]) for latent in latents}


def _quoted(tokens: Sequence[str]) -> str:
    return ", ".join(f"'{token_label(token, longest=_LONGEST)}'" for token in tokens)


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f}%"
