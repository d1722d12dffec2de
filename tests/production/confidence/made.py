"""Results whose probabilities are known: log odds that are true, or that boast."""

import numpy as np
from scipy.special import expit

from interp_lab.experiment import provenance
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.production.confidence import ConfidenceConfig, ConfidenceResult
from interp_lab.production.confidence.signals import Part, Usual

IDENTITY = ModelIdentity("made up", WeightProcessing(), 1, 4, 10)


def part(n, seed, *, boast=1.0, shift=0.0, strange=0.0, signals=3, n_templates=10):
    """Log odds times a number; a signal that says the same less clearly; one that says nothing."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0.5, 1.5, n)
    right = rng.random(n) < expit(odds - shift)
    other, nothing = odds + rng.normal(0, 1.5, n), rng.normal(0, 1, n)
    templates = np.array([f"t/{nth % n_templates:02d}" for nth in range(n)])
    return Part(np.stack([boast * odds, other, nothing][:signals]), right, templates, rng.gamma(9, 1, n) + strange)


def result(*, boast=1.0, n=1000, shift=0.0, strange=0.0, report_shift=0.0, **config):
    usual = Usual(
        "blocks.0.hook_resid_post", np.zeros(4), 0.0, "identity", 0.0, np.zeros(4), np.eye(4), ("a",), np.zeros(1)
    )
    return ConfidenceResult(
        config=ConfidenceConfig.from_mapping({"n_shuffled": 3, **config}),
        provenance=provenance("confidence", IDENTITY, seed=0, device="cpu", dtype="float32"),
        names=("probability", "margin", "probe"),
        usual=usual,
        calibrate=part(n, 0, boast=boast),
        report=part(n, 1, boast=boast, shift=report_shift),
        held_out=part(n, 2, boast=boast, shift=shift, strange=strange),
    )
