"""One line through activations of two classes, told in their own coordinates."""

import numpy as np
import torch
from jaxtyping import Bool, Float

from interp_lab.linear.readouts import logistic

_MAX_ITER = 2000


def logistic_line(
    x: Float[np.ndarray, "example d"], labels: Bool[np.ndarray, " example"], *, penalty: float = 1.0
) -> tuple[Float[np.ndarray, " d"], float]:
    """Return weights and bias of a logistic regression: `x @ weights + bias` are the log odds of the label.

    Args:
        penalty: on half the squared weights of activations that are centred and in units of their overall spread, so
            that it means the same at every layer.

    Raises: ValueError, as `logistic`.
    """
    centre, scale = x.mean(0, dtype=np.float64), float(x.std()) or 1.0
    found = logistic(
        torch.from_numpy((x - centre) / scale), torch.from_numpy(labels), penalty=penalty, max_iter=_MAX_ITER
    )
    weights = found.weights.numpy() / scale
    return weights, float(found.bias) - float(weights @ centre)
