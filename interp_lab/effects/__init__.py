"""Per-example effects of interventions, their controls, and the evidence these amount to."""

from interp_lab.effects.compared import Compared, Tested, evidence_of, larger_than, others, with_replications
from interp_lab.effects.evidence import evidence_against
from interp_lab.effects.values import metric_values

__all__ = [
    "Compared",
    "Tested",
    "evidence_against",
    "evidence_of",
    "larger_than",
    "metric_values",
    "others",
    "with_replications",
]
