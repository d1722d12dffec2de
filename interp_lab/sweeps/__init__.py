"""Sweeps: W&B's definition of one, carried out here, on a cluster or by W&B."""

from interp_lab.sweeps.checked import require_usable
from interp_lab.sweeps.command import Base
from interp_lab.sweeps.definition import Definition, read_definition
from interp_lab.sweeps.early import Hyperband
from interp_lab.sweeps.grid import grid_points
from interp_lab.sweeps.space import Choice, Parameter, Range, SweepError

__all__ = [
    "Base",
    "Choice",
    "Definition",
    "Hyperband",
    "Parameter",
    "Range",
    "SweepError",
    "grid_points",
    "read_definition",
    "require_usable",
]
