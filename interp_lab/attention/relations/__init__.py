"""Attention along relations that a text names, and what ablating the heads does to the answers they predict."""

from interp_lab.attention.relations.carriers import RelationAttention, RelationHeads, relation_attention, relation_heads
from interp_lab.attention.relations.config import AttentionRelationsConfig, ContrastConfig
from interp_lab.attention.relations.contrast import AttentionContrast, contrasted
from interp_lab.attention.relations.experiment import AttentionRelations
from interp_lab.attention.relations.places import RELATIONS, ByLatent, Relation, attention_between, attention_rows
from interp_lab.attention.relations.prompts import RelationPrompts, relation_prompts, with_relation
from interp_lab.attention.relations.result import AttentionRelationsResult
from interp_lab.attention.relations.role_attention import RoleAttention, role_attention, rows_by_latent

__all__ = [
    "RELATIONS",
    "AttentionContrast",
    "AttentionRelations",
    "AttentionRelationsConfig",
    "AttentionRelationsResult",
    "ByLatent",
    "ContrastConfig",
    "Relation",
    "RelationAttention",
    "RelationHeads",
    "RelationPrompts",
    "RoleAttention",
    "attention_between",
    "attention_rows",
    "contrasted",
    "relation_attention",
    "relation_heads",
    "relation_prompts",
    "role_attention",
    "rows_by_latent",
    "with_relation",
]
