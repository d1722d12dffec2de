"""Names for features: labels from counts, labels from any language model put to the test, and sheets for people."""

from interp_lab.sae.naming.agreement import Agreement, agreement, krippendorff_alpha
from interp_lab.sae.naming.contexts import Contexts, SplitContexts, read_contexts, split_contexts
from interp_lab.sae.naming.described import described_documents
from interp_lab.sae.naming.heuristic import heuristic_label, heuristic_labels
from interp_lab.sae.naming.ratings import Ratings, read_ratings
from interp_lab.sae.naming.scores import LabelScore, LabelScores
from interp_lab.sae.naming.scoring import Explainer, JudgingConfig, judged_labels, written_labels
from interp_lab.sae.naming.sheets import ABOUT_LABELS, Scale, write_sheets

__all__ = [
    "ABOUT_LABELS",
    "Agreement",
    "Contexts",
    "Explainer",
    "JudgingConfig",
    "LabelScore",
    "LabelScores",
    "Ratings",
    "Scale",
    "SplitContexts",
    "agreement",
    "described_documents",
    "heuristic_label",
    "heuristic_labels",
    "judged_labels",
    "krippendorff_alpha",
    "read_contexts",
    "read_ratings",
    "split_contexts",
    "write_sheets",
    "written_labels",
]
