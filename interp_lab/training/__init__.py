"""Training the bundled models, and measuring what came of it."""

from interp_lab.training.attn import TrainOrganismAttn
from interp_lab.training.card import CardRow, ModelCard, read_card
from interp_lab.training.config import TrainOrganismAttnConfig
from interp_lab.training.measure import card_of, model_card
from interp_lab.training.organism import TrainOrganism, TrainOrganismTuned
from interp_lab.training.organism_config import BehaviourCardConfig, TrainOrganismConfig, TrainOrganismTunedConfig
from interp_lab.training.organism_result import OrganismResult
from interp_lab.training.organisms import training_of
from interp_lab.training.result import TrainingResult

__all__ = [
    "BehaviourCardConfig",
    "CardRow",
    "ModelCard",
    "OrganismResult",
    "TrainOrganism",
    "TrainOrganismAttn",
    "TrainOrganismAttnConfig",
    "TrainOrganismConfig",
    "TrainOrganismTuned",
    "TrainOrganismTunedConfig",
    "TrainingResult",
    "card_of",
    "model_card",
    "read_card",
    "training_of",
]
