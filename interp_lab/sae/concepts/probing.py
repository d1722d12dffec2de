"""Probes that read few units of a dictionary, and one that reads all."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.linear import folds_of_groups, logistic, ridge_in_folds
from interp_lab.sae.concepts.sums import Encode, Sums, columns

N_FOLDS = 2
"""Inner folds for the penalty of the full probe; each costs an eigendecomposition as large as the dictionary."""


def sparse_probes(
    encode: Encode,
    rows: Int[Tensor, " example"],
    member: Bool[Tensor, "concept example"],
    sums: Sums,
    *,
    tested: Int[Tensor, " test"],
    k: Sequence[int],
    penalty: float,
) -> Float[np.ndarray, "concept k test"]:
    """Fit logistic regression on the `k` units whose means differ most between examples with a concept and without.

    Inputs are standardised by the examples that are trained on.

    Args:
        rows: examples to train on.
        tested: examples to score.
        k: units that a probe may read; more than there are stand for all.

    Returns: log-odds.
    Source: Gurnee et al. 2023, arXiv 2305.01610 (largest mean difference); they rank by the difference as it is.
    """
    difference = sums.difference().abs()
    most = min(max(k), difference.shape[-1])
    order = difference.topk(most, dim=-1).indices
    union = order.flatten().unique()
    mean, spread = _standard(sums, union)
    train, test = ((columns(encode, at, union) - mean) / spread for at in (rows, tested))
    found = np.empty((len(member), len(k), len(tested)))
    for concept, units in enumerate(order):
        at = torch.searchsorted(union, units)
        for nth, size in enumerate(k):
            readout = logistic(train[:, at[:size]], member[concept], penalty=penalty)
            found[concept, nth] = readout.score(test[:, at[:size]]).numpy()
    return found


def full_probe(
    encode: Encode,
    rows: Int[Tensor, " example"],
    member: Bool[Tensor, "concept example"],
    sums: Sums,
    *,
    tested: Int[Tensor, " test"],
    documents: Int[np.ndarray, " example"],
    most: int,
    penalties: Sequence[float],
    seed: int,
) -> Float[np.ndarray, "concept test"]:
    """Fit ridge regression on all units, its penalty chosen on inner folds of whole texts.

    Args:
        documents: text of each of `rows`.
        most: units that are read, those of largest mean difference in spreads for any concept.

    Returns: the regression's values for `tested`, about -1 to 1.
    """
    size = sums.in_spreads().abs().amax(0)
    units = torch.arange(len(size)) if len(size) <= most else size.topk(most).indices.sort().values
    mean, spread = _standard(sums, units)
    train, test = ((columns(encode, at, units) - mean) / spread for at in (rows, tested))
    folds = folds_of_groups(documents.tolist(), n_folds=N_FOLDS, seed=seed)
    fit = ridge_in_folds(train, member.long(), folds=folds, penalties=penalties, n_classes=2)
    return fit.readout.score(test).double().numpy()


def _standard(sums: Sums, units: Int[Tensor, " unit"]) -> tuple[Float[Tensor, " unit"], Float[Tensor, " unit"]]:
    """Return mean and standard deviation of units; 1 for those that never change."""
    mean = sums.total[units] / sums.n
    square = sums.squares[units] / sums.n
    spread = (square - mean.square()).clamp(min=0).sqrt()
    still = spread <= 1e-7 * square.sqrt()
    return mean.float(), torch.where(still, 1.0, spread).float()
