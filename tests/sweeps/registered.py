"""Importing this registers the experiment `cheap`; meant for the process that trials are forked from, and no other."""

from interp_lab.registry import EXPERIMENTS
from tests.sweeps.cheap import ENTRY

assert isinstance(EXPERIMENTS, dict)
EXPERIMENTS["cheap"] = ENTRY
