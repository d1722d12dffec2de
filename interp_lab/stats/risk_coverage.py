"""What is gained by answering only where confidence is high: risk by coverage, and the area below it."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import rankdata


def risk_coverage(confidence: Float[np.ndarray, " example"], right: Float[np.ndarray, " outcome"]) -> pd.DataFrame:
    """Return the share of wrong answers among the most confident ones, by how many are given.

    Answers with the same confidence come in random order, and risks are the means over all such orders.

    Columns: `coverage` (share of answers given), `risk` (share of these that is wrong).
    Raises: ValueError, for lengths that differ, or no examples.
    Source: El-Yaniv and Wiener 2010.
    """
    _require(confidence, right)
    wrong = _mean_over_ties(confidence, 1 - right)[np.argsort(-confidence, kind="stable")]
    given = np.arange(1, len(wrong) + 1)
    return pd.DataFrame({"coverage": given / len(wrong), "risk": np.cumsum(wrong) / given})


def aurc_by_example(
    confidence: Float[np.ndarray, " example"], right: Float[np.ndarray, " outcome"]
) -> Float[np.ndarray, " example"]:
    """Return values whose mean is the area under the risk-coverage curve, and whose spread is that of its error.

    The area is the mean risk over all numbers of answers given: a wrong answer at rank r of n counts 1/r + ... + 1/n.
    An example moves the area by its own count, and by moving all those behind it down by one rank; both enter its
    value, so that intervals and tests of a mean over examples are those of the area, and of differences on the same
    examples.

    Raises: ValueError, as `risk_coverage`.
    Source: Geifman and El-Yaniv 2019, arXiv 1805.08206 (the area); the influence function of it, ours.
    """
    _require(confidence, right)
    n, wrong = len(right), 1.0 - right
    tail = np.cumsum(1 / np.arange(n, 0, -1))[::-1]  # 1/r + ... + 1/n, by rank
    order = np.argsort(-confidence, kind="stable")
    counts = np.empty(n)
    counts[order] = tail
    own = wrong * _mean_over_ties(confidence, counts)
    up_to = rankdata(-confidence, method="max")  # how many are at least as confident
    ascending = np.argsort(confidence, kind="stable")
    # What falls on an example from the wrong ones that are as confident or less, and which it moves down:
    falls = np.cumsum((wrong / up_to)[ascending])
    last = np.searchsorted(confidence[ascending], confidence, side="right") - 1
    return own + wrong.mean() - falls[last]


def aurc(confidence: Float[np.ndarray, " example"], right: Float[np.ndarray, " outcome"]) -> float:
    """Return the area under the risk-coverage curve, 0 to 1; of a constant it is the share wrong.

    Raises: ValueError, as `risk_coverage`.
    """
    return float(aurc_by_example(confidence, right).mean())


def excess_aurc_by_example(
    confidence: Float[np.ndarray, " example"], right: Float[np.ndarray, " outcome"]
) -> Float[np.ndarray, " example"]:
    """Return the same of the area beyond the least that so many wrong answers allow, which is with all of them last.

    Raises: ValueError, as `risk_coverage`.
    Source: Geifman et al. 2019, arXiv 1805.08206 (E-AURC).
    """
    return aurc_by_example(confidence, right) - aurc_by_example(right, right)


def _mean_over_ties(confidence: np.ndarray, values: np.ndarray) -> np.ndarray:
    _, which, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    return (np.bincount(which, weights=values) / counts)[which]


def _require(confidence: np.ndarray, right: np.ndarray) -> None:
    if len(confidence) != len(right) or not len(right):
        raise ValueError(f"{len(confidence)} confidences for {len(right)} outcomes; give one each, at least one")
