"""Is there anything to explain?"""

from interp_lab.behaviour.config import BehaviourConfig
from interp_lab.behaviour.experiment import Behaves
from interp_lab.behaviour.result import BehaviourResult

__all__ = ["Behaves", "BehaviourConfig", "BehaviourResult"]
