"""Attention heads: what they look like, and what ablating them does."""

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.experiment import AttentionHeads
from interp_lab.attention.relations import AttentionRelations, AttentionRelationsConfig, AttentionRelationsResult
from interp_lab.attention.result import AttentionHeadsResult
from interp_lab.attention.verdicts import Verdict

__all__ = [
    "AttentionHeads",
    "AttentionHeadsConfig",
    "AttentionHeadsResult",
    "AttentionRelations",
    "AttentionRelationsConfig",
    "AttentionRelationsResult",
    "Verdict",
]
