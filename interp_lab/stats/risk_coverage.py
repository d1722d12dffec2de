"""What is gained by answering only where confidence is high: risk by coverage, and the area below it."""

import numpy as np
import pandas as pd
from jaxtyping import Float


def risk_coverage(confidence: Float[np.ndarray, " example"], right: Float[np.ndarray, " outcome"]) -> pd.DataFrame:
    """Return the share of wrong answers among the most confident ones, by how many are given.

    Answers with the same confidence come in random order, and risks are the means over all such orders.

    Columns: `coverage` (share of answers given), `risk` (share of these that is wrong).
    Raises: ValueError, for lengths that differ, or no examples.
    Source: El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017, arXiv 1705.08500 (with a network's own confidence).
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
    Source: Geifman et al. 2019, arXiv 1805.08206 (the area); the influence function of it, ours.
    """
    _require(confidence, right)
    n, wrong = len(right), 1.0 - right
    _, which, size = np.unique(-confidence, return_inverse=True, return_counts=True)  # the surest first
    last = np.cumsum(size)
    before = last - size
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])
    own = harmonic[n] + 1 - (last * harmonic[last] - before * harmonic[before]) / size  # mean of 1/r + ... + 1/n
    # What a wrong answer loses by another one before it, for certain (mean of 1/r), or as often as ties have it so:
    passed = (harmonic[last] - harmonic[before]) / size
    tied = (1 - before * passed) / size
    n_wrong = np.bincount(which, weights=wrong)
    behind = np.cumsum((n_wrong * passed)[::-1])[::-1] - n_wrong * passed
    return wrong * own[which] + wrong.mean() - (behind + n_wrong * tied)[which]


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
    Source: Geifman et al. 2019, arXiv 1805.08206 (E-AURC; there the least is taken from its limit for many answers).
    """
    return aurc_by_example(confidence, right) - aurc_by_example(right, right)


def _mean_over_ties(confidence: np.ndarray, values: np.ndarray) -> np.ndarray:
    _, which, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    return (np.bincount(which, weights=values) / counts)[which]


def _require(confidence: np.ndarray, right: np.ndarray) -> None:
    if len(confidence) != len(right) or not len(right):
        raise ValueError(f"{len(confidence)} confidences for {len(right)} outcomes; give one each, at least one")
