"""What steering does besides: to other traits, two directions at once, from fewer texts, at other layers."""

from interp_lab.steering.side_effects.config import SideEffectsConfig
from interp_lab.steering.side_effects.measuring import side_effects_of
from interp_lab.steering.side_effects.result import SideEffects

__all__ = ["SideEffects", "SideEffectsConfig", "side_effects_of"]
