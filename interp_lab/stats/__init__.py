"""Intervals, permutation tests, correction for many tests, and splits; clusters (templates) are the unit throughout."""

from interp_lab.stats.auroc import auroc, auroc_by_document
from interp_lab.stats.bootstrap import Intervals, bootstrap_interval, mean_interval
from interp_lab.stats.correlation import of_largest, site_correlation
from interp_lab.stats.fdr import benjamini_hochberg
from interp_lab.stats.paired import PairedDifference, difference_from_several, feasible_test, paired_difference
from interp_lab.stats.permutation import PermutationResult, sign_flip_test, two_sample_test
from interp_lab.stats.shares import ratio_of_means
from interp_lab.stats.splits import Splits, split_by_template
from interp_lab.stats.student import t_test

__all__ = [
    "Intervals",
    "PairedDifference",
    "PermutationResult",
    "Splits",
    "auroc",
    "auroc_by_document",
    "benjamini_hochberg",
    "bootstrap_interval",
    "difference_from_several",
    "feasible_test",
    "mean_interval",
    "of_largest",
    "paired_difference",
    "ratio_of_means",
    "sign_flip_test",
    "site_correlation",
    "split_by_template",
    "t_test",
    "two_sample_test",
]
