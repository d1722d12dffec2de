"""Effects beside one control, and the evidence they amount to; beside several controls: `effects.compared`."""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Evidence, Split
from interp_lab.engine import Effects
from interp_lab.stats import bootstrap_interval, paired_difference


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

    Returns: one `Evidence` per intervention, p-values also adjusted by Benjamini and Hochberg's procedure.
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
            p=float(against.p[i]),
        )
        for i, name in enumerate(effects.names)
    ]
