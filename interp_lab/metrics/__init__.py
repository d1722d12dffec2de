"""Metrics: what a model's output is boiled down to, one number per example."""

from interp_lab.metrics.answers import log_probability, logit_difference, probability_difference, rank
from interp_lab.metrics.metric import Metric, require_finite, user_metric
from interp_lab.metrics.predictions import kl_divergence, next_token_loss

__all__ = [
    "Metric",
    "kl_divergence",
    "log_probability",
    "logit_difference",
    "next_token_loss",
    "probability_difference",
    "rank",
    "require_finite",
    "user_metric",
]
