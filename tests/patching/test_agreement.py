"""Agreement: equal for direct writers, named where it fails, correlations as scipy's."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from interp_lab.engine import Effects, sweep
from interp_lab.interventions import Ablation, ablations
from interp_lab.metrics import logit_difference
from interp_lab.patching.agreement import agreement
from interp_lab.patching.direct_logit_attribution import DirectLogitAttribution, direct_logit_attribution
from interp_lab.stats import site_correlation
from interp_lab.types import Site
from tests.organisms.compiled.building import known


def measured(name, n=10):
    compiled, model = known(name)
    clean, _, answers, wrong = compiled.sample_pairs(n, 5)
    metric = logit_difference(answers, wrong)
    direct = direct_logit_attribution(model, clean, metric=metric).of_kind("head")
    cuts = ablations(model, [[site] for site in direct.sites], kind=Ablation.ZERO)
    return direct, sweep(model, clean, cuts, metric)


def by_hand(direct, falls, names=None):
    """Values per site and example."""
    direct, falls = np.array(direct, dtype=float), np.array(falls, dtype=float)
    sites = tuple(Site.of_head(0, nth) for nth in range(len(direct)))
    names = tuple(f"zero ablation of {site}" for site in sites) if names is None else names
    return (
        DirectLogitAttribution(tuple(map(str, sites)), ("head",) * len(sites), sites, "m", "logits", direct),
        Effects(names, "m", "logits", np.zeros(direct.shape[1]), -falls),
    )


class TestCompiled:
    def test_what_heads_write_directly_is_what_zero_ablation_takes(self):
        compiled, _ = known("compiled/linear")
        found = agreement(*measured("compiled/linear"), margin=0.1)
        for name, value in compiled.truth.direct_effects.items():
            if name.startswith("1."):
                at = found.names.index(name)
                assert found.direct.estimate[at] == pytest.approx(value, abs=1e-5)
                assert found.falls.estimate[at] == pytest.approx(value, abs=1e-5)

    def test_a_head_that_is_read_by_another_is_where_they_part(self):
        """0.0 writes -1/2 to the logits, and 4 through 1.0."""
        found = agreement(*measured("compiled/linear"), margin=0.1)
        at = found.names.index("0.0")
        assert (found.direct.estimate[at], found.falls.estimate[at]) == pytest.approx((-0.5, 3.5), abs=1e-5)
        assert (found.opposed, found.direct_only, found.ablation_only) == (("0.0",), (), ())

    def test_correlations_by_hand(self):
        """Heads -1/2, 0, 0, 0, 4, -3/2, 1, 0 against 7/2, 0, 0, 0, 4, -3/2, 1, 0."""
        direct, falls = [-0.5, 0, 0, 0, 4, -1.5, 1, 0], [3.5, 0, 0, 0, 4, -1.5, 1, 0]
        found = agreement(*measured("compiled/linear"), margin=0.1)
        assert found.pearson.estimate == pytest.approx(stats.pearsonr(direct, falls).statistic, abs=1e-5)
        assert found.spearman.estimate == pytest.approx(stats.spearmanr(direct, falls).statistic, abs=1e-5)
        assert found.pearson.high - found.pearson.low < 1e-5  # every prompt has the same numbers

    def test_a_backed_up_head_writes_and_is_not_missed(self):
        found = agreement(*measured("compiled/backup"), margin=0.5)
        assert found.direct_only == ("1.0",)
        assert found.ablation_only == ("0.0",)
        assert found.opposed == ()
        assert found.direct.estimate[found.names.index("1.0")] == pytest.approx(10, abs=1e-3)


class TestCorrelations:
    def test_are_over_sites_and_resample_templates(self):
        rng = np.random.default_rng(4)
        direct, falls = rng.normal(size=(6, 1)) + rng.normal(size=(2, 6, 12))
        templates = [nth // 3 for nth in range(12)]
        found = agreement(*by_hand(direct, falls), margin=0.1, clusters=templates)
        assert found.pearson == site_correlation(direct, falls, templates, of="values")
        assert found.spearman == site_correlation(direct, falls, templates, of="ranks")


class TestLists:
    def test_what_is_not_clear_is_on_no_list(self):
        """Site 0 writes and is not missed; 1 the other way round; of 2 neither is certain; 3 does both."""
        sure, unsure = np.tile([0.9, 1.1], 6), np.tile([-4.0, 5.0], 6)
        found = agreement(*by_hand([sure, 0 * sure, unsure, sure], [0 * sure, sure, 0 * sure, sure]), margin=0.2)
        assert (found.direct_only, found.ablation_only, found.opposed) == (("0.0",), ("0.1",), ())

    def test_the_margin_says_what_is_nothing(self):
        values = by_hand(np.outer([1.0, 0.3, 2.0], np.ones(12)), np.outer([0.1, 0.3, 2.0], np.ones(12)))
        assert agreement(*values, margin=0.2).direct_only == ("0.0",)
        assert agreement(*values, margin=0.05).direct_only == ()
        assert agreement(*values, margin=1.5).direct_only == ()


class TestBadInput:
    values = np.arange(12.0).reshape(4, 3) ** 2

    def test_biases_have_no_site(self):
        direct, effects = by_hand(self.values, self.values)
        with pytest.raises(ValueError, match=r"'0\.0' has no site that could be ablated; leave it out"):
            agreement(replace(direct, sites=(None, *direct.sites[1:])), effects, margin=0.1)

    def test_other_sites_in_another_order(self):
        direct, effects = by_hand(self.values, self.values)
        with pytest.raises(ValueError, match=r"'zero ablation of 0.3' stands where that of 0.0 should"):
            agreement(direct, effects.rows([3, 2, 1, 0]), margin=0.1)

    @pytest.mark.parametrize(
        "change",
        [{"metric": "rank"}, {"changes": values[:, :2], "baseline": np.zeros(2)}],
        ids=["metric", "prompts"],
    )
    def test_other_metrics_or_prompts(self, change):
        direct, effects = by_hand(self.values, self.values)
        with pytest.raises(ValueError, match=r"effects of '(rank|m)' for .* measure both on the same"):
            agreement(direct, replace(effects, **change), margin=0.1)

    def test_no_smallest_effect(self):
        with pytest.raises(ValueError, match=r"margin=0\.0: without a smallest effect of interest nothing is small"):
            agreement(*by_hand(self.values, self.values), margin=0.0)

    def test_sites_without_a_correlation(self):
        with pytest.raises(ValueError, match="no correlation over 2 sites"):
            agreement(*by_hand(self.values[:2], self.values[:2]), margin=0.1)
        with pytest.raises(ValueError, match="not all the same in either"):
            agreement(*by_hand(self.values, 0 * self.values), margin=0.1)
