"""Which smallest edits of a text flip the answer?"""

from interp_lab.production.counterfactuals.config import CounterfactualsConfig
from interp_lab.production.counterfactuals.experiment import Counterfactuals
from interp_lab.production.counterfactuals.result import CounterfactualsResult
from interp_lab.production.counterfactuals.search import EXHAUSTIVE, Reach
from interp_lab.production.counterfactuals.single import PromptFlips, counterfactuals

__all__ = [
    "EXHAUSTIVE",
    "Counterfactuals",
    "CounterfactualsConfig",
    "CounterfactualsResult",
    "PromptFlips",
    "Reach",
    "counterfactuals",
]
