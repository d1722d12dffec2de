"""Which features go with concepts that are known, beside neurons, random features and probes; and known truths."""

from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.experiment import Concepts
from interp_lab.sae.concepts.judged import Beside
from interp_lab.sae.concepts.measuring import measure_concepts, measure_label
from interp_lab.sae.concepts.result import ConceptsResult
from interp_lab.sae.concepts.tokens import ConceptTokens, draw_tokens
from interp_lab.stats.auroc import auroc, auroc_by_document

__all__ = [
    "Beside",
    "ConceptTokens",
    "Concepts",
    "ConceptsConfig",
    "ConceptsResult",
    "auroc",
    "auroc_by_document",
    "draw_tokens",
    "measure_concepts",
    "measure_label",
]
