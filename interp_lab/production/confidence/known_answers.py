"""Rows of `interp-lab verify`: an answer whose logits are known, outcomes drawn with known odds, a curve by hand."""

import math
from functools import partial

import numpy as np
from scipy.special import expit

from interp_lab.experiment import KnownAnswer
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model
from interp_lab.production.confidence.answering import answer
from interp_lab.stats import probability_of
from interp_lab.stats.brier import brier_parts
from interp_lab.stats.calibration import calibration_error
from interp_lab.stats.risk_coverage import aurc, excess_aurc_by_example

MODEL = "compiled/copying"
LOGIT, N_OTHERS = 10.0, 23
"""Of the name that is copied; every other one has logit 0."""
TOLERANCE = 2e-3
"""Heads of the compiled model miss all-or-nothing by a little."""
N_PROMPTS, N_SAMPLES = 16, 400
N_OUTCOMES, N_DRAWS = 4000, 60
BOAST = 2.0
"""What log odds are multiplied with."""


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        KnownAnswer(
            f"signals of an answer, {MODEL}",
            f"log odds of {LOGIT - math.log(N_OTHERS):.3f}, a margin of {LOGIT:g}, entropy by hand, draws as likely",
            reads_answers,
            partial(reads_answers, cut=1),
        ),
        KnownAnswer(
            "temperature of stated log odds",
            f"{BOAST:g} where they are {BOAST:g} times the true ones, within the interval of {N_OUTCOMES} outcomes",
            finds_temperature,
            partial(finds_temperature, boast=1.0),
        ),
        KnownAnswer(
            "calibration error and Brier score of true probabilities",
            "an error that chance explains; parts that add up",
            is_calibrated,
            partial(is_calibrated, boast=BOAST),
        ),
        KnownAnswer(
            "area under the risk-coverage curve",
            "5/18, and 1/6 beyond the least, where the second of three answers is wrong",
            reads_risk,
            partial(reads_risk, turned=True),
        ),
    ]


def reads_answers(*, cut: int = 0) -> tuple[bool, str]:
    """Whether signals of answers of the copying model are those of its logits.

    Args:
        cut: tokens left out at the end of prompts; anything but 0 is a sabotage.
    """
    drawn = compile_model(MODEL).sample_pairs(N_PROMPTS, 0)
    ids = [tuple(row[: len(row) - cut]) for row in drawn.clean.tolist()]
    found = answer(
        load_model(MODEL), ids, n_tokens=1, n_samples=N_SAMPLES, heat=1.0, hooks=(), batch_size=N_PROMPTS, seed=0
    )
    own, other = (math.exp(one) / (math.exp(LOGIT) + N_OTHERS) for one in (LOGIT, 0.0))
    entropy = -own * math.log(own) - N_OTHERS * other * math.log(other)
    wrong = max(
        float(np.abs(found.log_odds - (LOGIT - math.log(N_OTHERS))).max()),
        float(np.abs(found.margin - LOGIT).max()),
        float(np.abs(found.entropy + entropy).max()),
    )
    agreeing = float(found.agreeing.mean())
    spread = math.sqrt(own * (1 - own) / (N_PROMPTS * N_SAMPLES))
    ok = wrong < TOLERANCE and abs(agreeing - own) < 4 * spread
    return ok, f"largest error {wrong:.1e}; {agreeing:.2%} of draws agree, {own:.2%} expected"


def outcomes(*, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return true log odds, and outcomes drawn with them."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0.5, 1.5, N_OUTCOMES)
    return odds, rng.random(N_OUTCOMES) < expit(odds)


def finds_temperature(*, boast: float = BOAST) -> tuple[bool, str]:
    """Whether log odds that boast are divided by what they boast.

    Args:
        boast: what true log odds are multiplied with; another factor is a sabotage.
    """
    odds, right = outcomes()
    stated, rng = boast * odds, np.random.default_rng(1)
    drawn = [rng.integers(N_OUTCOMES, size=N_OUTCOMES) for _ in range(N_DRAWS)]
    found = [probability_of(stated[at], right[at], how="temperature").temperature for at in drawn]
    own = probability_of(stated, right, how="temperature").temperature
    wide = 3 * float(np.std(found))
    return abs(own - BOAST) < wide, f"{own:.3f}, give or take {wide:.3f}"


def is_calibrated(*, boast: float = 1.0) -> tuple[bool, str]:
    """Whether true probabilities are off by no more than chance, and the Brier score is the sum of its parts.

    Args:
        boast: what true log odds are multiplied with; anything but 1 is a sabotage.
    """
    odds, right = outcomes()
    confidence, happened = expit(boast * odds), right.astype(np.float64)
    error, parts = calibration_error(confidence, happened), brier_parts(confidence, happened)
    rest = parts.score - (parts.reliability - parts.resolution + parts.uncertainty + parts.within)
    ok = error.ece <= error.of_calibrated and abs(rest) < 1e-9
    return ok, f"error {error.ece:.4f}, by chance up to {error.of_calibrated:.4f}; {abs(rest):.0e} left of the parts"


def reads_risk(*, turned: bool = False) -> tuple[bool, str]:
    """Whether areas are those by hand: risks of 0, 1/2 and 1/3, and 0, 0 and 1/3 with the wrong answer last.

    Args:
        turned: the least certain answers first: a sabotage.
    """
    confidence, right = np.array([0.95, 0.8, 0.6]), np.array([1.0, 0.0, 1.0])
    confidence = np.array([0.6, 0.95, 0.8]) if turned else confidence
    area, excess = aurc(confidence, right), float(excess_aurc_by_example(confidence, right).mean())
    return math.isclose(area, 5 / 18) and math.isclose(excess, 1 / 6), f"{area:.4f}, {excess:.4f} beyond the least"
