"""Linear readouts of activations: what probes and steering directions share."""

from interp_lab.linear.folds import FoldedFit, centroids_in_folds, folds_of_groups, ridge_in_folds
from interp_lab.linear.line import logistic_line
from interp_lab.linear.readouts import Labels, LinearReadout, lda, logistic, mean_difference, ridge

__all__ = [
    "FoldedFit",
    "Labels",
    "LinearReadout",
    "centroids_in_folds",
    "folds_of_groups",
    "lda",
    "logistic",
    "logistic_line",
    "mean_difference",
    "ridge",
    "ridge_in_folds",
]
