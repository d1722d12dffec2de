"""The metric of the untouched model."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.hooks import masked, ready_tokens, require_finite
from interp_lab.metrics import Metric
from interp_lab.types import HookedModel, Tokens


def metric_values(
    model: HookedModel,
    tokens: Tokens,
    metric: Metric,
    *,
    mask: Bool[Tensor, "_ _"] | None = None,
    batch_size: int = 64,
) -> Float[np.ndarray, " example"]:
    """Return the metric of the untouched model, one value per prompt.

    Raises: ValueError, for no prompts; NonFiniteActivationError, if activations on the first batch are NaN or inf
        anywhere in the model, naming the layer.
    """
    tokens = ready_tokens(model, tokens)
    require_finite(model, tokens[:batch_size], mask=None if mask is None else mask[:batch_size])
    values = []
    with torch.inference_mode():
        for rows in torch.arange(len(tokens)).split(batch_size):
            options = masked(tokens[rows], None if mask is None else mask[rows])
            values.append(metric.rows(rows)(model(tokens[rows], **options)))
    return torch.cat(values).double().cpu().numpy()
