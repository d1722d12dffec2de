"""What a training of autoencoders came to, in words."""

import math

import pandas as pd

from interp_lab.sae.found import Found
from interp_lab.sae.training import Preflight

ACTIVATIONS_DO_NOT_SHOW = (
    "How well an autoencoder can be trained on them. These are the first batches of the training text; rare outliers "
    "may not be among them."
)
TRAINING_DOES_NOT_SHOW = (
    "How good the autoencoders are: these are training batches. Losses of different architectures have different "
    "penalties in them, and cannot be compared. A latent that counts as dead by this criterion may still fire on rarer "
    "text."
)
TABLE_DOES_NOT_SHOW = (
    "That the latents mean anything, or that the model computes with them: nothing here looks at what a latent stands "
    "for, and a good reconstruction can be had from directions that mean nothing. No claim is made. Whether latents "
    "stand for concepts is the question of sae_concepts, whether they act on behaviour that of feature_effects."
)
ONE_SEED = (
    " One seed each: how far another finds the same is not known; train two, and evaluation.stability compares them."
)


def activations_suggest(found: Preflight) -> str:
    """Return what stands out before training, as advice."""
    advice = found.advice()
    if not advice:
        return f"Nothing stands out in {found.n_tokens} activations: no outliers, no large mean, norms as expected."
    return f"In {found.n_tokens} activations: {'; '.join(advice)}."


def training_suggests(found: Found) -> str:
    """Return how long it was trained, how it ended, and what to do about dead latents."""
    shared = found.config.all_trained
    told = (
        f"{_count(len(found.made))} at {found.config.hook}, {shared.n_steps} steps of {shared.batch_size} tokens, the "
        "same for all."
    )
    advised = {one.dead.advice: one.name for one in reversed(found.made) if one.dead.advice}
    advice = [f"{name}: {said}" for said, name in reversed(advised.items())]
    return told + (f" To have fewer dead latents ({'; '.join(advice)})." if advice else "")


def table_suggests(found: Found) -> str:
    """Return what the autoencoders were judged on, and how they differ in how much they keep."""
    told = (
        f"On {found.evaluation.n_tokens} tokens of {found.evaluation.n_documents} held-out documents of "
        f"{found.config.evaluation.text.source!r}, none of which was trained on. Intervals are over documents."
    )
    seeds = {sae.seed for sae in found.config.all_trained.saes.values()}
    return told + (ONE_SEED if len(seeds) == 1 else "")


def summary(found: Found, autoencoders: pd.DataFrame) -> str:
    """Return what was trained and, line by line, what each autoencoder keeps on held-out text."""
    shared = found.config.all_trained
    lines = [
        f"{found.config.model}, {found.config.hook}: {_count(len(found.made))}, "
        f"{shared.n_steps * shared.batch_size} tokens; on {found.evaluation.n_tokens} held-out ones:"
    ]
    for row in autoencoders.to_dict("records"):
        dead = "unknown" if math.isnan(row["dead"]) else f"{row['dead']:.1%}"
        lines.append(
            f"  {row['name']} ({row['architecture']}, {row['latents']} latents): L0 {row['l0']:.1f}, "
            f"R2 {row['r2']:.3f} [{row['r2_low']:.3f}, {row['r2_high']:.3f}], loss recovered "
            f"{row['ce_recovered_zero']:.3f} of zero ablation's, {row['ce_recovered_mean']:.3f} of mean ablation's; "
            f"dead {dead} ({row['dead_criterion']})"
        )
    return "\n".join(lines)


def _count(n: int) -> str:
    return "one autoencoder" if n == 1 else f"{n} autoencoders"
