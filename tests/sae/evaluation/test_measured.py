"""Figures from sums by document that are given: what holds whatever was measured."""

import dataclasses
import math

import numpy as np
import pytest

from interp_lab.sae.evaluation import Evaluation
from interp_lab.stats import benjamini_hochberg
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
    table = harmless.tables()["differences"].set_index(["name", "metric"])
    undefined = table.loc[("noisy", "ce_recovered_mean")]
    assert undefined[["difference", "difference_low", "difference_high", "p_adjusted"]].isna().all()


def test_what_was_not_tested_is_not_corrected_for():
    found = standard()
    ce = found.own["ce"].copy()
    ce[found.names.index("mean")] = found.shared["ce_clean"]
    harmless = with_sums(own={"ce": ce})
    tested = np.isfinite(harmless.differences.p)
    assert 0 < tested.sum() == tested.size - len(harmless.compared)
    expected = benjamini_hochberg(harmless.differences.p[tested])
    np.testing.assert_array_equal(harmless.p_adjusted[tested], expected)


def test_one_comparison_has_one_p():
    found = standard()
    table = found.tables()["differences"].set_index(["name", "metric"])
    for claim, (name, _) in zip(found.claims(), found.compared, strict=True):
        assert claim.effect.p_adjusted == table.loc[(name, "ce"), "p_adjusted"]


@pytest.mark.parametrize(
    ("shift", "spread", "told"),
    [(0.0, 0.0, "about as much"), (0.0, 3.0, "not clearly more or less"), (1.0, 0.0, "less"), (-1.0, 0.0, "more")],
)
def test_alike_only_where_the_whole_interval_is_within_the_margin(shift, spread, told):
    """The loss of one autoencoder is set beside its baseline's: equal, equal but for noise, above, below."""
    found = standard()
    ce, rng = found.own["ce"].copy(), np.random.default_rng(0)
    noise = rng.normal(0, 1, found.n_documents)
    noise -= noise @ found.shared["predicted"] / found.shared["predicted"].sum()
    ce[found.names.index("noisy")] = ce[found.names.index("pca_128")] + found.shared["predicted"] * (
        shift + spread * noise
    )
    changed = with_sums(own={"ce": ce})
    assert changed.told("noisy") == [("pca_128", told)]
    (claim,) = (claim for claim in changed.claims() if "noisy" in claim.statement)
    assert f"noisy keeps {told} of the predictions {'as' if told == 'about as much' else 'than'} 128" in claim.statement


def test_a_share_asks_for_an_ablation_that_is_clear_at_the_level_of_the_config():
    """The cost of the mean is made such that its interval excludes zero at 80%, and not at 99%."""
    found = standard()
    ce, predicted = found.own["ce"].copy(), found.shared["predicted"]
    noise = np.random.default_rng(0).normal(0, 1, found.n_documents)
    noise += 1.8 * noise.std() / np.sqrt(len(noise)) - noise.mean()
    ce[found.names.index("mean")] = found.shared["ce_clean"] + predicted.mean() * noise
    for level, known in ((0.8, True), (0.99, False)):
        at = dataclasses.replace(with_sums(own={"ce": ce}), config=found.config.overlaid({"level": level}))
        assert math.isfinite(at.interval("noisy", "ce_recovered_mean").estimate) == known


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
