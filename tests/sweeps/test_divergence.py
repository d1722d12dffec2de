"""Divergence of some trials' values from all of them: Optuna's PED-ANOVA, worked out again, and for many at once."""

import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator

from interp_lab.sweeps.divergence import N_STEPS, Cells, share_of_best


def by_optuna(values, gains, n_choices):
    """What Optuna finds, without the square of the share of trials that it multiplies everything by."""
    if n_choices is None:
        distribution = FloatDistribution(float(values.min()), float(values.max()))
    else:
        distribution = CategoricalDistribution(tuple(range(n_choices)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=0.5)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    for value, gain in zip(values.tolist(), gains.tolist(), strict=True):
        taken = {"x": value if n_choices is None else int(value)}
        study.add_trial(optuna.create_trial(params=taken, distributions={"x": distribution}, value=gain))
    return evaluator.evaluate(study)["x"] / (len(share_of_best(gains, 0.5)) / len(gains)) ** 2


def ours(values, gains, n_choices):
    cells = Cells.of(values, n_choices)
    return cells.divergence(cells.counts(share_of_best(gains, 0.5))[None])[0]


@pytest.mark.parametrize("n", [9, 16, 61])
@pytest.mark.parametrize("kind", ["uniform", "with a tail", "few numbers", "two choices", "five choices"])
def test_is_that_of_optuna(kind, n):
    rng = np.random.default_rng(n)
    values, n_choices = {
        "uniform": (rng.random(n), None),
        "with a tail": (np.exp(3 * rng.standard_normal(n)), None),
        "few numbers": (rng.integers(0, 4, n).astype(float), None),
        "two choices": (rng.integers(0, 2, n).astype(float), 2),
        "five choices": (rng.integers(0, 5, n).astype(float), 5),
    }[kind]
    gains = np.round(rng.standard_normal(n), 1)  # some are equal
    assert ours(values, gains, n_choices) == pytest.approx(by_optuna(values, gains, n_choices), rel=1e-9)


def test_of_two_choices_by_hand():
    """Four trials of each, the best all of one: each trial leaves a third (a half, of one kind) of a trial to all.

    All: half and half. Best, with a kernel (1.5, 0.5) / 2 per trial and a prior (0.5, 0.5): (4 * 0.75 + 0.5) / 5 = 0.7.
    So 0.5 * (0.4 ** 2 + 0.4 ** 2) = 0.16.
    """
    assert ours(np.repeat([0.0, 1.0], 4), np.arange(8.0), 2) == pytest.approx(0.16)


def test_many_at_once_are_those_one_by_one():
    rng = np.random.default_rng(0)
    for values, n_choices in ((rng.random(20), None), (rng.integers(0, 3, 20).astype(float), 3)):
        cells = Cells.of(values, n_choices)
        chosen = np.stack([cells.counts(rng.permutation(20)[:k]) for k in (1, 4, 10, 20)])
        one_by_one = [cells.divergence(one[None])[0] for one in chosen]
        assert np.array_equal(cells.divergence(chosen), one_by_one)
        assert one_by_one[-1] == pytest.approx(0, abs=1e-12), "all of them are as all are"


def test_numbers_are_rounded_to_cells_from_the_least_to_the_largest():
    cells = Cells.of(np.array([3.0, 3.98, 4.02, 5.0]), None)
    assert cells.of_trial.tolist() == [0, 24, 25, N_STEPS - 1]
    assert Cells.of(np.full(3, 2.0), None).n == 1


@pytest.mark.parametrize(("share", "best"), [(0.5, [1, 2, 3]), (0.25, [3]), (1.0, [0, 1, 2, 3])])
def test_the_best_share_takes_in_ties(share, best):
    assert share_of_best(np.array([0.0, 1.0, 1.0, 2.0]), share).tolist() == best
