"""Work larger than a machine: parts of an experiment made by jobs, here or on a cluster, and joined into its run."""

from interp_lab.sharding.driver import Mapped, map_parts
from interp_lab.sharding.work import join_parts, make_range, plan_parts

__all__ = ["Mapped", "join_parts", "make_range", "map_parts", "plan_parts"]
