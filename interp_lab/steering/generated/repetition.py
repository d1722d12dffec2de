"""How much a continuation repeats itself."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def distinct(tokens: Sequence[int], n: int = 2) -> float:
    """Return the share of runs of `n` tokens that are different ones; 1 is no repetition, NaN for too short a text.

    Source: Li et al. 2016, arXiv 1510.03055 (distinct-n; here over the runs of one text).
    """
    runs = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return len(set(runs)) / len(runs) if runs else float("nan")


def repeated(tokens: Sequence[int], n: int = 4) -> float:
    """Return the share of runs of `n` tokens that stood in the text before; 0 is none, NaN for too short a text."""
    return 1 - distinct(tokens, n)


def repetition(rows: Sequence[Sequence[int]]) -> Float[np.ndarray, "measure row"]:
    """Return distinct runs of 2 and repeated runs of 4 tokens of each row."""
    return np.array([[distinct(row) for row in rows], [repeated(row) for row in rows]])
