"""From the residual stream behind the last layer to the metric: only the rows and columns that it reads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.engine.layout import Rows
from interp_lab.metrics import Metric


@dataclass(frozen=True)
class Readout:
    """What the metric reads of every prompt, and what it reads there in the untouched run."""

    model: Any
    """A HookedTransformer."""
    metric: Metric
    """On the model's device."""
    positions: Int[np.ndarray, "batch read"]
    """Absolute."""
    columns: Float[Tensor, "batch column d_model"] | None
    """Unembedding vectors that each prompt needs; `None` for the whole vocabulary."""
    untouched: Float[Tensor, "batch read column"]

    def of_items(self, resid: Float[Tensor, "token d_model"], rows: Rows, examples: np.ndarray) -> Tensor:
        """Return the metric of each item.

        Args:
            resid: behind the last layer, at the tokens that are read and could change.
            rows: where these lie.
            examples: prompt of each item.
        """
        logits = unembedded(self.model, resid, rows.examples, columns=self.columns, of=self.metric)

        def on_device(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values).to(resid.device)

        # A position may be read twice (padding of what is read), so look up from the side of the metric.
        found = np.full((len(examples), int(self.positions.max()) + 1), -1)
        within = rows.position < found.shape[1]
        found[rows.item[within], rows.position[within]] = within.nonzero()[0]
        token = np.take_along_axis(found, self.positions[examples], axis=1)
        item, read = (token >= 0).nonzero()
        of_item = on_device(examples)
        gathered = self.untouched[of_item]
        gathered[on_device(item), on_device(read)] = logits[on_device(token[item, read])]
        return self.metric.rows(of_item).of_gathered(gathered, checked=False)


def unembedded(
    model: Any,  # noqa: ANN401 - a HookedTransformer
    resid: Float[Tensor, "token d_model"],
    examples: Int[Tensor, " token"],
    *,
    columns: Float[Tensor, "batch column d_model"] | None,
    of: Metric,
) -> Float[Tensor, "token column"]:
    """Return the logits that a metric reads, in float32 or better."""
    normal = model.ln_final(resid[None])[0] if model.cfg.normalization_type is not None else resid
    if columns is None:
        logits = model.unembed(normal[None])[0]
    else:
        assert of.columns is not None, "columns were taken from the metric"
        bias = model.unembed.b_U[of.columns[examples]]
        logits = torch.einsum("td,tcd->tc", normal, columns[examples]) + bias
    cap = getattr(model.cfg, "output_logits_soft_cap", 0.0) or 0.0
    if cap > 0:
        logits = cap * torch.tanh(logits / cap)
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def columns_of(model: Any, metric: Metric) -> Float[Tensor, "batch column d_model"] | None:  # noqa: ANN401 - as above
    """Return the unembedding vectors of the columns that a metric reads, prompt by prompt."""
    return None if metric.columns is None else model.unembed.W_U.T[metric.columns]


def positions_read(metric: Metric, *, n_examples: int, n_pos: int) -> Int[np.ndarray, "batch read"]:
    """Return the absolute positions that a metric reads of each prompt."""
    positions = metric.absolute_positions(n_pos)
    if positions is None:
        return np.broadcast_to(np.arange(n_pos), (n_examples, n_pos))
    return positions.cpu().numpy()


def first_real(mask: Bool[Tensor, "batch pos"] | None, positions: Int[np.ndarray, "batch read"]) -> np.ndarray:
    """Return the first position of each prompt that is not padding, or 0 if the metric reads padding before it."""
    if mask is None:
        return np.zeros(len(positions), dtype=np.int64)
    first = mask.cpu().numpy().argmax(1)
    return np.where(positions.min(1) < first, 0, first)
