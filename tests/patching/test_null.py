"""Where nothing is to be found, nothing is: answer and wrong answer change places in pairs drawn at random.

Which of two answers counts as right is then a coin toss, so that no patch moves the logit difference in a direction on
average. Exchanging them turns the sign of a pair's effect, whatever is patched: 200 such nulls need one sweep.
"""

from functools import cache

import numpy as np
import pytest
import torch
from scipy import stats

from interp_lab.engine import sweep
from interp_lab.interventions import patches
from interp_lab.metrics import logit_difference
from interp_lab.stats import benjamini_hochberg, paired_difference, sign_flip_test
from interp_lab.types import Site
from tests.organisms.compiled.building import known
from tests.tiny import tiny_model

HEADS = [[Site.of_head(layer, head)] for layer in range(3) for head in range(4)]
N_TEMPLATES, PER_TEMPLATE, N_NULLS = 14, 4, 200
"""Of 14 clusters all 16,384 sign patterns are gone through: p-values are exact, and nearly continuous."""
TEMPLATES = np.repeat(np.arange(N_TEMPLATES), PER_TEMPLATE)
FDR = 0.05
LARGEST_GAP = stats.kstwo.isf(0.001, N_NULLS)
"""Between the distribution of 200 p-values and the uniform one, exceeded in one of 1,000 true nulls: 0.137."""


@cache
def setting():
    """Pairs of 14 templates: a template has its words, its change and its answers, a pair a filler of its own."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(24, (N_TEMPLATES, 8), generator=generator)
    changed = (frames[:, 4] + torch.randint(1, 24, (N_TEMPLATES,), generator=generator)) % 24
    answers = torch.randint(12, (N_TEMPLATES,), generator=generator)
    wrong = torch.randint(12, 24, (N_TEMPLATES,), generator=generator)
    fillers = torch.randint(24, (len(TEMPLATES),), generator=generator)
    clean = frames[TEMPLATES]
    clean[:, 1] = fillers
    corrupted = clean.clone()
    corrupted[:, 4] = changed[TEMPLATES]
    return clean, corrupted, answers[TEMPLATES], wrong[TEMPLATES]


def measured(answers, wrong):
    clean, corrupted, *_ = setting()
    model = tiny_model(seed=2)
    made = patches(model, HEADS, clean, base=corrupted)
    return sweep(model, corrupted, made, logit_difference(answers, wrong)).changes


@cache
def effects():
    """Effect of denoising every head on every pair, [12, 56]."""
    return measured(*setting()[2:])


def coins(n, *, seed, by_template=False):
    """Signs of pairs, one row per null: -1 where the answers changed places."""
    rng = np.random.default_rng(seed)
    if by_template:
        return rng.choice([-1.0, 1.0], (n, 1, N_TEMPLATES)).repeat(PER_TEMPLATE, axis=-1)
    return rng.choice([-1.0, 1.0], (n, 1, len(TEMPLATES)))


@cache
def p_values(*, clusters=True, by_template=False):
    """p of every head in every null, [200, 12], by the test that claims rest on."""
    nulls = coins(N_NULLS, seed=1, by_template=by_template) * effects()
    return sign_flip_test(nulls, TEMPLATES if clusters else None, n_resamples=16_383).p


def gaps(p):
    """Largest gap to the uniform distribution, head by head."""
    return np.array([stats.kstest(p[:, site], "uniform").statistic for site in range(p.shape[1])])


def share_of_nulls_with_a_finding(p):
    return np.mean([(benjamini_hochberg(family) < FDR).any() for family in p])


MOST_FINDINGS = FDR + 3 * np.sqrt(FDR * (1 - FDR) / N_NULLS)
"""Share of nulls with a finding that chance explains: 0.096."""


class TestExchangingAnswers:
    def test_turns_the_sign_of_a_pairs_effect_and_changes_nothing_else(self):
        sign = coins(1, seed=7)[0, 0]
        _, _, answers, wrong = setting()
        swap = torch.tensor(sign < 0)
        swept = measured(torch.where(swap, wrong, answers), torch.where(swap, answers, wrong))
        assert np.allclose(swept, sign * effects(), atol=1e-6)
        assert 0.25 < swap.float().mean() < 0.75
        assert np.abs(effects()).max(1).min() > 0.005  # every head does something: nothing is zero by being idle

    def test_leaves_an_expected_effect_of_zero(self):
        means = (coins(N_NULLS, seed=1) * effects()).mean((0, 2))
        error = np.sqrt((effects() ** 2).mean(1) / effects().shape[1] / N_NULLS)
        assert (np.abs(means) < 4 * error).all()


class TestPValues:
    def test_are_uniform_at_every_head(self):
        assert gaps(p_values()).max() < LARGEST_GAP
        assert pytest.approx(0.137, abs=1e-3) == LARGEST_GAP

    def test_are_uniform_where_whole_templates_change_places(self):
        assert gaps(p_values(by_template=True)).max() < LARGEST_GAP

    def test_would_not_be_if_pairs_of_a_template_counted_as_independent(self):
        """The twin that must fail: what a template's pairs share is then taken for evidence four times over."""
        broken = p_values(clusters=False, by_template=True)
        assert gaps(broken).max() > LARGEST_GAP
        assert (broken < FDR).mean() > 4 * FDR
        assert share_of_nulls_with_a_finding(broken) > 10 * FDR

    def test_would_not_be_if_answers_did_not_change_places(self):
        """The other twin: an effect that is there in every null makes p-values small in every null."""
        planted = np.abs(effects()).mean() + coins(N_NULLS, seed=1) * effects()
        p = sign_flip_test(planted, TEMPLATES, n_resamples=16_383).p
        assert gaps(p).max() > LARGEST_GAP

    def test_of_paired_differences_are_the_same(self):
        nulls = coins(N_NULLS, seed=1)[:3] * effects()
        for null, p in zip(nulls, p_values()[:3], strict=True):
            found = paired_difference(null, np.zeros_like(null), TEMPLATES, method="t")
            assert np.allclose(found.p, p)
            assert np.allclose(found.p_adjusted(), benjamini_hochberg(p))

    def test_at_most_the_level_fall_below_it(self):
        """Exact tests: a share of alpha at every alpha, up to chance in 200 nulls."""
        for alpha in (0.01, 0.05, 0.1, 0.5):
            chance = 4 * np.sqrt(alpha * (1 - alpha) / N_NULLS)
            shares = (p_values() <= alpha).mean(0)
            assert (shares <= alpha + chance).all()


class TestFindings:
    def test_share_of_significant_sites_stays_under_the_rate(self):
        significant = np.array([benjamini_hochberg(family) < FDR for family in p_values()])
        assert significant.mean() <= FDR

    def test_nulls_with_any_finding_are_no_more_than_the_rate(self):
        """Every finding is false here, so that the false discovery rate is the share of nulls that have one."""
        assert share_of_nulls_with_a_finding(p_values()) <= MOST_FINDINGS

    def test_without_correction_there_would_be_far_more(self):
        """The twin that must fail."""
        uncorrected = (p_values() < FDR).any(1).mean()
        assert uncorrected > 2 * MOST_FINDINGS

    def test_effects_that_are_there_are_found_and_idle_heads_are_not(self):
        """Compiled induction: 0.0 and 1.0 carry the answer; after exchanging answers in half of the pairs, nothing."""
        compiled, model = known("compiled/induction")
        clean, corrupted, answers, wrong = compiled.sample_pairs(N_TEMPLATES, 0)
        groups = HEADS[:8]
        made = patches(model, groups, clean, base=corrupted)
        changes = sweep(model, corrupted, made, logit_difference(answers, wrong)).changes
        found = paired_difference(changes, np.zeros_like(changes), method="t").p_adjusted() < FDR
        assert [str(site) for (site,), clear in zip(groups, found, strict=True) if clear] == ["0.0", "1.0"]
        half = np.tile([1.0, -1.0], N_TEMPLATES // 2)
        assert (paired_difference(half * changes, np.zeros_like(changes), method="t").p_adjusted() == 1).all()
