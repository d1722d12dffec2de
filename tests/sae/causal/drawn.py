"""Results of the experiment from numbers made by hand, and a small run of it."""

from functools import cache

import numpy as np

from interp_lab.experiment import provenance
from interp_lab.models import identity_of, load_model
from interp_lab.sae.causal import FeatureEffects, FeatureEffectsConfig, FeatureEffectsResult
from interp_lab.sae.causal.selecting import Selected
from interp_lab.sae.causal.splits import SHARES, WAYS, Considered, FeatureSplit

N_TEMPLATES, PER_TEMPLATE = 12, 4
N = N_TEMPLATES * PER_TEMPLATE
LATENTS = np.array([30, 31, 32, 33, 34, 35])
"""Numbers of the considered latents; the first two are chosen."""
SMALL = {
    "n_pairs": 16, "n_held_out": 8, "n_latents": 3, "n_random": 20, "most_latents": 20, "text": None, "n_matched": 3,
}  # fmt: skip


def config(**changes):
    return FeatureEffectsConfig(n_latents=2, n_random=24, n_matched=3, text=None, **changes)


def split(rng, *, own, random=0.1, others=0.1, borrowed=0.1):
    """A split in which silencing the first chosen latent loses `own` logits of 8, and the second one nothing.

    random, others, borrowed: spread of what the controls do.
    """
    templates = np.repeat([f"template {nth}" for nth in range(N_TEMPLATES)], PER_TEMPLATE)

    def noise(*shape, size=0.05):
        return rng.normal(0, size, (*shape, N))

    def draws(spread):
        return rng.normal(0, spread, (2, 24))[..., None] + noise(2, 24)

    alone = rng.normal(0, 0.1, len(LATENTS))[:, None] + noise(len(LATENTS))
    alone[0] = -own + noise()
    alone[1] = noise()
    clean, corrupted = 4 + noise(), -4 + noise()
    carried = np.array([8.0, 6.0, 1.0, 4.0])[:, None] + noise(len(SHARES))
    steps = np.array([2.0, 3, 4, 6])[:, None] + noise(4)
    signs = np.array([1.0, -1.0])[:, None, None]
    return FeatureSplit(
        clean=clean,
        corrupted=corrupted,
        templates=templates,
        preference=np.full(N, np.nan),
        alone=alone,
        lengths=np.ones((len(LATENTS), N)),
        operations=np.stack([alone[:2], alone[:2] / 2, alone[:2] / 3]),
        random=draws(random),
        borrowed=draws(borrowed),
        matched=np.array([[2, 3, 4], [3, 4, 5]]),
        beside=rng.normal(0, others, (2, 3))[..., None] + noise(2, 3),
        divergence=np.abs(noise(2)),
        divergence_matched=np.abs(noise(2)),
        differs=1 + np.abs(noise(2)),
        strength=2 + np.abs(noise(2)),
        shares=signs * carried,
        patched=signs * (1 + noise(2)),
        growing=signs * steps,
        set_random=noise(24),
        set_others=noise(24),
    )


def result(*, own=2.0, held_out=2.0, changes=None, **spreads):
    """A result; see `split`.

    changes: of the config.
    """
    rng = np.random.default_rng(0)
    report = split(rng, own=own, **spreads)
    model = load_model("compiled/linear")
    scores = {"exact": report.alone.mean(-1), "attribution": report.alone.mean(-1) * 1.1}
    identity = identity_of(model)
    return FeatureEffectsResult(
        config=config(**(changes or {})),
        provenance=provenance("feature_effects", identity, seed=0, device="cpu", dtype="float32"),
        metric="logit_difference",
        unit="logits",
        where="a dictionary",
        hook="blocks.2.hook_resid_post",
        selected=Selected(LATENTS, scores, np.array([0, 1]), False),
        fires_on=("one 50%", "two 20%"),
        writes=("good", "bad"),
        select=Considered(**{name: getattr(report, name) for name in _CONSIDERED}),
        report=report,
        held_out=None if held_out is None else split(rng, own=held_out, **spreads),
        text=None,
    )


_CONSIDERED = ("clean", "corrupted", "templates", "preference", "alone", "lengths")
assert len(WAYS) == 2, "signs are for denoising and noising"


@cache
def organism():
    return load_model("organism")


@cache
def small_run():
    """A few features of the bundled dictionary on few pairs, with text."""
    changes = {**SMALL, "text": {"part": "held_out", "length": 32}, "n_windows": 8}
    return FeatureEffects(FeatureEffectsConfig(task="grammar/sentiment", **changes)).measure(organism())
