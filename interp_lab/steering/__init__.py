"""Steering: how far a direction moves a trait, at which price, and farther than directions that have no meaning."""

from interp_lab.steering.config import Budget, SteeringConfig
from interp_lab.steering.experiment import Steering
from interp_lab.steering.result import SteeringResult

__all__ = ["Budget", "Steering", "SteeringConfig", "SteeringResult"]
