"""Intervals, permutation tests, correction for many tests, and splits; clusters (templates) are the unit throughout."""

from interp_lab.stats.auroc import auroc, auroc_by_document
from interp_lab.stats.bootstrap import Intervals, bootstrap_interval, mean_interval
from interp_lab.stats.correlation import of_largest, site_correlation
from interp_lab.stats.drift import Drift, drift
from interp_lab.stats.fdr import benjamini_hochberg
from interp_lab.stats.known import SHARE, SIGNED, known_interval
from interp_lab.stats.operating import Threshold, fewest_controls, recall_at, threshold_at
from interp_lab.stats.paired import PairedDifference, difference_from_several, feasible_test, paired_difference
from interp_lab.stats.permutation import PermutationResult, sign_flip_test, two_sample_test
from interp_lab.stats.recalibration import probability_of
from interp_lab.stats.shares import bounded_interval, bounded_intervals, ratio_of_means, share_interval
from interp_lab.stats.splits import Splits, split_by_template
from interp_lab.stats.student import t_test

__all__ = [
    "SHARE",
    "SIGNED",
    "Drift",
    "Intervals",
    "PairedDifference",
    "PermutationResult",
    "Splits",
    "Threshold",
    "auroc",
    "auroc_by_document",
    "benjamini_hochberg",
    "bootstrap_interval",
    "bounded_interval",
    "bounded_intervals",
    "difference_from_several",
    "drift",
    "feasible_test",
    "fewest_controls",
    "known_interval",
    "mean_interval",
    "of_largest",
    "paired_difference",
    "probability_of",
    "ratio_of_means",
    "recall_at",
    "share_interval",
    "sign_flip_test",
    "site_correlation",
    "split_by_template",
    "t_test",
    "threshold_at",
    "two_sample_test",
]
