"""Per-example effects of interventions, their controls, and the evidence these amount to.

The literal version: one forward pass per intervention and batch. The batched engine will stand
behind the same call and be proven equal to this one.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from interp_lab.claims import Evidence, Split
from interp_lab.experiment import Progress, silent
from interp_lab.hooks import ready_tokens, require_finite
from interp_lab.interventions import Intervention, applied, require_intervention
from interp_lab.metrics import Metric
from interp_lab.stats import bootstrap_interval, paired_difference
from interp_lab.types import HookedModel, Tokens


@dataclass(frozen=True)
class Effects:
    """What each intervention did to a metric, example by example."""

    names: tuple[str, ...]
    """Of the interventions."""
    metric: str
    unit: str
    baseline: Float[np.ndarray, " example"]
    """The metric of the untouched model."""
    changes: Float[np.ndarray, "site example"]
    """Metric under the intervention minus baseline."""

    def rows(self, index: Sequence[int]) -> "Effects":
        """Return the effects of some of the interventions."""
        names = tuple(self.names[i] for i in index)
        return Effects(names, self.metric, self.unit, self.baseline, self.changes[list(index)])


def effects_of(
    model: HookedModel,
    tokens: Tokens,
    interventions: Sequence[Intervention],
    metric: Metric,
    *,
    batch_size: int = 64,
    progress: Progress = silent,
) -> Effects:
    """Measure what each intervention, on its own, does to a metric.

    Args:
        metric: made for these prompts, one value each.
        batch_size: prompts per forward pass.

    Raises:
        ValueError, for no prompts, no interventions, or a site the model has not (before anything is run).
        NonFiniteActivationError, if the untouched model already yields NaN or inf, naming where it begins.
        HookNeverFiredError, if an intervention touched nothing.
    """
    tokens = ready_tokens(model, tokens)
    if not interventions:
        raise ValueError("no interventions to measure; give at least one")
    for intervention in interventions:
        require_intervention(model, intervention)
    baseline = metric_values(model, tokens, metric, batch_size=batch_size)
    changed = []
    with torch.inference_mode():
        for nth, intervention in enumerate(interventions):
            values = []
            for rows in torch.arange(len(tokens)).split(batch_size):
                with applied(model, intervention.rows(rows)):
                    values.append(metric.rows(rows)(model(tokens[rows])))
            changed.append(torch.cat(values))
            progress(nth + 1, len(interventions), intervention.name)
    return Effects(
        names=tuple(intervention.name for intervention in interventions),
        metric=metric.name,
        unit=metric.unit,
        baseline=baseline,
        changes=torch.stack(changed).double().cpu().numpy() - baseline,
    )


def metric_values(
    model: HookedModel, tokens: Tokens, metric: Metric, *, batch_size: int = 64
) -> Float[np.ndarray, " example"]:
    """Return the metric of the untouched model, one value per prompt.

    Raises: ValueError, for no prompts; NonFiniteActivationError, if activations on the first batch are NaN or inf
        anywhere in the model, naming the layer.
    """
    tokens = ready_tokens(model, tokens)
    require_finite(model, tokens[:batch_size])
    values = []
    with torch.inference_mode():
        for rows in torch.arange(len(tokens)).split(batch_size):
            values.append(metric.rows(rows)(model(tokens[rows])))
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
    own = bootstrap_interval(effects.changes, clusters, level=level, seed=seed)
    against = paired_difference(effects.changes, control, clusters, level=level, seed=seed)
    adjusted = against.p_adjusted()
    return [
        Evidence(
            what=f"{name}: change of {effects.metric}",
            unit=effects.unit,
            effect=own.at(i),
            versus_control=against.intervals.at(i),
            p_adjusted=float(adjusted[i]),
            control=control_name,
            split=split,
            n_examples=effects.changes.shape[1],
            margin=margin,
        )
        for i, name in enumerate(effects.names)
    ]
