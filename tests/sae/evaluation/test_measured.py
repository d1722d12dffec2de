"""Figures from sums by document that are given: what holds whatever was measured."""

import dataclasses
import math

import numpy as np
import pytest

from interp_lab.sae.evaluation import Evaluation
from tests.sae.evaluation.small import standard


def with_sums(*, own=None, shared=None):
    """The standard evaluation with some of its sums replaced."""
    found = standard()
    return dataclasses.replace(found, own={**found.own, **(own or {})}, shared={**found.shared, **(shared or {})})


def test_where_an_ablation_costs_nothing_no_share_is_told():
    found = standard()
    ce = found.own["ce"].copy()
    ce[found.names.index("mean")] = found.shared["ce_clean"]
    harmless = with_sums(own={"ce": ce})
    assert math.isnan(harmless.interval("noisy", "ce_recovered_mean").estimate)
    assert math.isfinite(harmless.interval("noisy", "ce_recovered_zero").estimate)
    assert "no share of what mean ablation costs" in harmless.sections()[1].suggests
    assert harmless.figures()["recovered"].to_json()


def test_a_document_counts_by_its_tokens():
    """Ratios of sums: a document twice as long counts twice, and doubling every document changes nothing."""
    found = standard()
    twice = with_sums(own={name: 2 * sums for name, sums in found.own.items()},
                      shared={name: 2 * sums for name, sums in found.shared.items()})  # fmt: skip
    for metric in ("l0", "r2", "ce", "ce_recovered_mean"):
        both = (one.interval("noisy", metric) for one in (found, twice))
        first, second = ((one.estimate, one.low, one.high) for one in both)
        assert first == pytest.approx(second)


def test_is_its_arrays():
    found = standard()
    again = Evaluation.from_arrays(found.config, found.arrays())
    np.testing.assert_equal(again.metrics(), found.metrics())
    assert again.claims() == found.claims()
    assert again.table().equals(found.table())


def test_more_documents_narrow_an_interval():
    found = standard()
    tiled = with_sums(own={name: np.tile(sums, 9) for name, sums in found.own.items()},
                      shared={name: np.tile(sums, 9) for name, sums in found.shared.items()})  # fmt: skip
    wide, narrow = (one.interval("noisy", "r2") for one in (found, tiled))
    assert narrow.estimate == pytest.approx(wide.estimate)
    assert (narrow.high - narrow.low) == pytest.approx((wide.high - wide.low) / 3, rel=0.25)
