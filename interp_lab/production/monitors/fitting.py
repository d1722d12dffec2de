"""Monitors fitted here, those of controls, and filters that see words only."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from interp_lab.hooks import capture, device_of
from interp_lab.identity import ModelIdentity
from interp_lab.linear import logistic_line
from interp_lab.production.monitors.cases import Cases
from interp_lab.production.monitors.config import Kind
from interp_lab.production.monitors.monitor import Monitor
from interp_lab.stats.operating import Threshold
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.types import HookedModel


def last_activations(
    model: HookedModel, cases: Cases, hooks: Sequence[str], *, batch_size: int
) -> Float[np.ndarray, "text hook d"]:
    """Return the activations of the last token that is read of each text."""
    found = []
    for start in range(0, len(cases), batch_size):
        rows = cases.ids[start : start + batch_size]
        tokens, mask = pad_rows(rows, pad=pad_token(model), padding="left")
        held = capture(model, tokens.to(device_of(model)), list(hooks), mask=mask)
        found.append(torch.stack([held[hook][:, -1] for hook in hooks], 1).float().cpu())
    return torch.cat(found).numpy()


def fitted(
    x: Float[np.ndarray, "text d"], labels: Bool[np.ndarray, " text"], kind: Kind
) -> tuple[Float[np.ndarray, " d"], float]:
    """Return the weights and the bias of a monitor that is above zero on the side of the texts to warn of.

    Raises: ValueError, unless there are texts of both kinds.
    """
    if labels.all() or not labels.any():
        raise ValueError(f"{int(labels.sum())} of {len(labels)} texts are to be warned of; fitting needs both kinds")
    if kind == "mean difference":
        high, low = x[labels].mean(0, dtype=np.float64), x[~labels].mean(0, dtype=np.float64)
        return high - low, float(-(high - low) @ (high + low) / 2)
    return logistic_line(x, labels)


def monitor(
    name: str,
    hook: str,
    line: tuple[Float[np.ndarray, " d"], float],
    *,
    over: str,
    model: ModelIdentity,
    threshold: Threshold | None = None,
) -> Monitor:
    """Return a monitor of the reply: the last token of the prompt and all that are generated."""
    weights = torch.from_numpy(np.asarray(line[0], dtype=np.float32))
    found = Monitor(name, hook, weights, bias=line[1], over=over, reads="reply", model=model)
    return found if threshold is None else replace(found, threshold=threshold.value, promised=threshold.false_positives)


def random_line(rng: np.random.Generator, like: Float[np.ndarray, " d"]) -> tuple[Float[np.ndarray, " d"], float]:
    """Return a random direction as long as another one."""
    drawn = rng.normal(size=like.shape)
    return drawn * np.linalg.norm(like) / np.linalg.norm(drawn), 0.0


def keyword_scores(texts: Sequence[str], keywords: Sequence[str]) -> Float[np.ndarray, " text"]:
    """Return 1 for texts in which one of the words stands."""
    return np.array([float(any(f" {word} " in f" {text} " for word in keywords)) for text in texts])


def word_scores(
    texts: Sequence[str], labels: Bool[np.ndarray, " text"], others: Sequence[Sequence[str]]
) -> list[Float[np.ndarray, " _"]]:
    """Return for other texts the score of a logistic regression on which words stand in a text, in any order."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    words = CountVectorizer(token_pattern=r"\S+", lowercase=False, binary=True)
    found = LogisticRegression(C=1.0, max_iter=2000).fit(words.fit_transform(texts), labels)
    return [found.decision_function(words.transform(one)) for one in others]
