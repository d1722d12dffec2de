"""Logistic regression on few features, one added at a time; all candidates of a step are fitted at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

STEPS = 12
"""Of Newton's method."""
AT_ONCE = 2**23
"""Numbers of the designs that are held together."""


@dataclass(frozen=True)
class FewFeatures:
    """Classifiers on 1, 2, ... features, each with the features of the one before."""

    chosen: Int[np.ndarray, " step"]
    """Which feature each step added."""
    weights: Float[np.ndarray, "step step"]
    """Row `k` is of the classifier on `k + 1` features, zero behind."""
    bias: Float[np.ndarray, " step"]

    def score(self, x: Float[np.ndarray, "document latent"]) -> Float[np.ndarray, "step document"]:
        """Return log-odds of the second class from every classifier."""
        return self.weights @ np.asarray(x[:, self.chosen], dtype=np.float64).T + self.bias[:, None]


def add_features(
    x: Float[np.ndarray, "document latent"], y: Int[np.ndarray, " label"], *, most: int, penalty: float = 1.0
) -> FewFeatures:
    """Add the feature that lowers the penalised loss most, fit again, and so on.

    Every candidate of every step is fitted to the end, so that a feature that helps only beside those that are there
    is found. Features are scaled to a standard deviation of 1 for the penalty.

    Args:
        penalty: on half the squared weights, against the summed loss in nats.

    Raises: ValueError, for one class only, or no feature that varies.
    """
    if len(np.unique(y)) != 2:
        raise ValueError(f"a classifier tells two classes apart, and there are {len(np.unique(y))}; give both")
    values = torch.from_numpy(np.asarray(x, dtype=np.float64))
    scale = values.std(0)
    usable = (scale > 1e-9).nonzero().flatten()
    if not len(usable):
        raise ValueError("no feature varies over the documents; give other documents, or another dictionary")
    standard = (values[:, usable] - values[:, usable].mean(0)) / scale[usable]
    target = torch.from_numpy(np.asarray(y == y.max(), dtype=np.float64))
    most = min(most, len(usable))
    picked: list[int] = []
    weights, bias = torch.zeros(most, most, dtype=torch.float64), torch.zeros(most, dtype=torch.float64)
    for step in range(most):
        loss, beta = _with_each(standard, target, picked, penalty=penalty)
        loss[picked] = torch.inf
        best = int(loss.argmin())
        picked.append(best)
        at = usable[torch.tensor(picked)]
        weights[step, : step + 1] = beta[best, 1:] / scale[at]
        bias[step] = beta[best, 0] - (weights[step, : step + 1] * values[:, at].mean(0)).sum()
    return FewFeatures(usable[torch.tensor(picked)].numpy(), weights.numpy(), bias.numpy())


def _with_each(
    x: Float[Tensor, "document latent"], y: Float[Tensor, " document"], picked: Sequence[int], *, penalty: float
) -> tuple[Float[Tensor, " latent"], Float[Tensor, "latent column"]]:
    """Fit the features picked so far with every other; return losses and coefficients (bias first)."""
    n, width = len(x), len(picked) + 2
    shared = torch.cat([torch.ones(n, 1, dtype=x.dtype), x[:, list(picked)]], 1)
    found = [
        _newton(torch.cat([shared.expand(len(own), -1, -1), own[..., None]], -1), y, penalty=penalty)
        for own in x.T.split(max(1, AT_ONCE // (n * width)))
    ]
    return torch.cat([loss for loss, _ in found]), torch.cat([beta for _, beta in found])


def _newton(
    design: Float[Tensor, "latent document column"], y: Float[Tensor, " document"], *, penalty: float
) -> tuple[Float[Tensor, " latent"], Float[Tensor, "latent column"]]:
    """Fit logistic regressions, one for each leading entry; the first column, the bias, is not penalised."""
    ridge = torch.full((design.shape[-1],), penalty, dtype=design.dtype)
    ridge[0] = 1e-6
    beta = design.new_zeros(len(design), design.shape[-1])
    for _ in range(STEPS):
        p = torch.sigmoid(torch.einsum("lnc,lc->ln", design, beta))
        gradient = torch.einsum("lnc,ln->lc", design, p - y) + ridge * beta
        curvature = torch.einsum("lnc,ln,lnd->lcd", design, (p * (1 - p)).clamp(min=1e-6), design)
        step = torch.linalg.solve(curvature + torch.diag(ridge), gradient[..., None])[..., 0]
        beta = beta - step.clamp(-5, 5)
    scores = torch.einsum("lnc,lc->ln", design, beta)
    loss = torch.nn.functional.softplus(scores).sum(1) - (scores * y).sum(1) + 0.5 * (ridge * beta.square()).sum(1)
    return loss, beta


def choose_number(
    x: Float[np.ndarray, "document latent"],
    y: Int[np.ndarray, " label"],
    *,
    folds: Int[np.ndarray, " fold"],
    most: int,
    penalty: float = 1.0,
) -> tuple[int, Float[np.ndarray, "_ step"]]:
    """Return how many features to take, and the mean loss of every fold (nats) for 1, 2, ... of them.

    In every fold features are added anew on the other folds. Of all numbers within one standard error of the best,
    the smallest is taken.

    Source: Breiman and others 1984 (the one-standard-error rule).
    """
    losses = []
    for fold in np.unique(folds):
        held = folds == fold
        found = add_features(x[~held], y[~held], most=most, penalty=penalty)
        score = found.score(x[held])
        target = y[held] == y.max()
        losses.append((np.logaddexp(0, score) - score * target).mean(1))
    n = min(map(len, losses))
    every = np.stack([loss[:n] for loss in losses])
    return fewest_within_an_error(every), every


def fewest_within_an_error(losses: Float[np.ndarray, "fold step"]) -> int:
    """Return the smallest number (from 1) whose mean loss is within one standard error (of the best) of the best."""
    mean, error = losses.mean(0), losses.std(0, ddof=1) / np.sqrt(len(losses))
    best = int(mean.argmin())
    return int(np.flatnonzero(mean <= mean[best] + error[best])[0]) + 1
