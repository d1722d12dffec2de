"""Per-example effects of interventions, their controls, and the evidence these amount to."""

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.claims import Evidence, Split
from interp_lab.engine import Effects
from interp_lab.hooks import masked, ready_tokens, require_finite
from interp_lab.metrics import Metric
from interp_lab.stats import PairedDifference, bootstrap_interval, difference_from_several, paired_difference
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


def evidence_against(
    effects: Effects,
    control: Float[np.ndarray, "site example"],
    *,
    control_name: str,
    split: Split,
    clusters: Sequence[Hashable] | None = None,
    margin: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
) -> list[Evidence]:
    """Compare each effect with its control, example by example, and correct over all that were tested.

    Args:
        control: the control's effect on the same examples, one row per intervention.
        control_name: what the control was, for the tables.
        clusters: independent units (templates); `None` means that every example is one.
        margin: smallest effect of interest, in the metric's unit.

    Returns: one `Evidence` per intervention, p-values adjusted by Benjamini and Hochberg's procedure.
    """
    against = paired_difference(effects.changes, control, clusters, level=level, seed=seed)
    names = [control_name] * len(effects.names)
    return _evidence(effects, against, names, split=split, clusters=clusters, margin=margin, level=level, seed=seed)


def evidence_against_several(
    effects: Effects,
    controls: Sequence[Float[np.ndarray, "_ _"]],
    *,
    of: str,
    split: Split,
    clusters: Sequence[Hashable] | None = None,
    margin: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
) -> list[Evidence]:
    """Compare each effect with those of several controls, whose spread counts; see `stats.difference_from_several`.

    The control's name says how many of them the effect exceeds in size.

    Args:
        controls: for each intervention the effects of its controls on the same examples; axes control, example.
        of: what the controls are, such as `heads of no type`.
    """
    against = difference_from_several(effects.changes, controls, clusters, level=level, seed=seed)
    beaten = [
        int((np.abs(rows.mean(-1)) < abs(own)).sum())
        for rows, own in zip(controls, effects.changes.mean(-1), strict=True)
    ]
    names = [f"mean of {len(rows)} {of} (larger than {n} of them)" for rows, n in zip(controls, beaten, strict=True)]
    return _evidence(effects, against, names, split=split, clusters=clusters, margin=margin, level=level, seed=seed)


def _evidence(
    effects: Effects,
    against: PairedDifference,
    control_names: Sequence[str],
    *,
    split: Split,
    clusters: Sequence[Hashable] | None,
    margin: float,
    level: float,
    seed: int,
) -> list[Evidence]:
    own = bootstrap_interval(effects.changes, clusters, level=level, seed=seed)
    adjusted = against.p_adjusted()
    return [
        Evidence(
            what=f"{name}: change of {effects.metric}",
            unit=effects.unit,
            effect=own.at(i),
            versus_control=against.intervals.at(i),
            p_adjusted=float(adjusted[i]),
            control=control_names[i],
            split=split,
            n_examples=effects.changes.shape[1],
            margin=margin,
        )
        for i, name in enumerate(effects.names)
    ]
