"""The whole cycle on one behaviour: observe, diagnose, validate, steer, validate again, report."""

from interp_lab.investigation.config import InvestigationConfig, StepConfig
from interp_lab.investigation.found import Decided, Investigated, StepRun
from interp_lab.investigation.plan import InvestigationError, Planned, plan
from interp_lab.investigation.reading import read_investigation_config
from interp_lab.investigation.runner import investigate, read_investigation

__all__ = [
    "Decided",
    "Investigated",
    "InvestigationConfig",
    "InvestigationError",
    "Planned",
    "StepConfig",
    "StepRun",
    "investigate",
    "plan",
    "read_investigation",
    "read_investigation_config",
]
