"""All points of a grid, in W&B's order."""

import itertools
import math
from typing import Any

from interp_lab.sweeps.definition import Definition
from interp_lab.sweeps.space import SweepError

MOST = 100_000
"""Points of a grid that somebody may wish to run one by one."""


def grid_points(definition: Definition) -> list[dict[str, Any]]:
    """Return the values of every point: parameters sorted by name at every level of nesting, the last varying fastest.

    A value that is listed twice is one point, as it is for W&B.

    Raises: SweepError, for a parameter that a grid cannot try in full, or a grid of more than `MOST` points.
    """
    axes = {name: one.points() for name, one in definition.parameters.items()}
    n_points = math.prod(map(len, axes.values()))
    if n_points > MOST:
        sizes = ", ".join(f"{name}: {len(values)}" for name, values in axes.items() if len(values) > 1)
        raise SweepError(
            f"{definition.path}: a grid of {n_points} points ({sizes}); list fewer values, or take method random"
        )
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]
