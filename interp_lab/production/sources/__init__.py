"""Sources of retrieval-augmented prompts: which one an answer comes from, by ablation and by methods without it."""

from interp_lab.production.sources.config import SourcesConfig
from interp_lab.production.sources.experiment import SourcesExperiment
from interp_lab.production.sources.highlight import Highlight, highlight
from interp_lab.production.sources.result import SourcesResult
from interp_lab.production.sources.scores import Scoring

__all__ = ["Highlight", "Scoring", "SourcesConfig", "SourcesExperiment", "SourcesResult", "highlight"]
