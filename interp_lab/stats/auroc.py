"""How well a number tells two kinds of token apart, as a share per text whose mean is the area under the ROC curve."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata


def auroc(
    scores: Float[np.ndarray, "unit example"], positive: Bool[np.ndarray, " example"]
) -> Float[np.ndarray, " unit"]:
    """Share of pairs, one example of each kind, in which the positive one has the larger score; ties count half.

    Returns: 0 to 1; 0.5 for a score that says nothing, which is also that of always saying the commonest label.
    Raises: ValueError, unless there are examples of both kinds.
    """
    n_positive, n_negative = _counted(positive)
    ranks = rankdata(scores, axis=-1)[:, positive].sum(-1)
    return (ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def auroc_by_document(
    scores: Float[np.ndarray, "unit example"],
    positive: Bool[np.ndarray, " example"],
    documents: Int[np.ndarray, " example"],
) -> Float[np.ndarray, "unit document"]:
    """Share the area under the ROC curve out among texts: their mean is the area, their spread that of its error.

    An example has a placement: the share of the examples of the other kind that it is on the right side of. A text gets
    the area, plus what its placements add to it, so that intervals and tests of a mean over texts are those of the
    area (and of differences of areas, on the same texts) when whole texts are drawn, not tokens.

    Args:
        documents: text of each example, numbered from 0 on without gaps.

    Raises: ValueError, unless there are examples of both kinds.
    Source: DeLong et al. 1988 (placements); Obuchowski 1997 (texts of several examples).
    """
    n_positive, n_negative = _counted(positive)
    every = rankdata(scores, axis=-1)
    beyond = np.empty(scores.shape)
    beyond[:, positive] = (every[:, positive] - rankdata(scores[:, positive], axis=-1)) / n_negative
    beyond[:, ~positive] = 1 - (every[:, ~positive] - rankdata(scores[:, ~positive], axis=-1)) / n_positive
    area = beyond[:, positive].mean(-1, keepdims=True)
    weight = np.where(positive, 1 / n_positive, 1 / n_negative)
    n_documents = int(documents.max()) + 1
    owner = (documents[:, None] == np.arange(n_documents)).astype(np.float64)
    return area + n_documents * (((beyond - area) * weight) @ owner)


def _counted(positive: Bool[np.ndarray, " example"]) -> tuple[int, int]:
    n_positive = int(positive.sum())
    if not 0 < n_positive < len(positive):
        raise ValueError(
            f"{n_positive} of {len(positive)} examples are positive; an area under the ROC curve needs both kinds"
        )
    return n_positive, len(positive) - n_positive
