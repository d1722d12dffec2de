"""Intervals of means where some examples have no value."""

import numpy as np
import pytest

from interp_lab.stats import SHARE, SIGNED, bounded_interval, known_interval, mean_interval
from interp_lab.types import UNMEASURED

VALUES = np.array([1.0, np.nan, 0.0, 1.0, np.nan, 1.0])
CLUSTERS = np.array(list("aabbcc"))
KNOWN = [0, 2, 3, 5]


def test_is_that_of_the_examples_with_a_value():
    assert known_interval(VALUES, CLUSTERS) == mean_interval(VALUES[KNOWN], CLUSTERS[KNOWN])
    assert known_interval(VALUES, None) == mean_interval(VALUES[KNOWN])


@pytest.mark.parametrize("within", [SHARE, SIGNED])
def test_within_bounds_it_ends_there(within):
    found = known_interval(VALUES, CLUSTERS, within=within, level=0.9)
    assert found == bounded_interval(VALUES[KNOWN], CLUSTERS[KNOWN], within=within, level=0.9)


@pytest.mark.parametrize("known", [[], [0], [2, 3]], ids=["none", "one", "of one cluster"])
def test_of_fewer_than_two_clusters_nothing_is_measured(known):
    values = np.full(6, np.nan)
    values[known] = 1.0
    assert known_interval(values, CLUSTERS) is UNMEASURED
