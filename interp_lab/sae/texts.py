"""What a training of autoencoders came to, in words."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from interp_lab.sae.activations import TextConfig
from interp_lab.sae.activations.config import GRAMMAR
from interp_lab.sae.found import Found
from interp_lab.sae.training import Preflight, SaeConfig

ACTIVATIONS_DO_NOT_SHOW = (
    "How well an autoencoder can be trained on them. These are the first batches of the training text; rare outliers "
    "may not be among them."
)
TRAINING_DOES_NOT_SHOW = (
    "How good the autoencoders are: these are training batches. What a loss adds to the squared error differs between "
    "architectures, and cannot be compared; where it is the auxiliary loss of dead latents, it begins with the first "
    "that count as dead, and its rise then is no divergence. A latent that counts as dead by this criterion may still "
    "fire on rarer text."
)
TABLE_DOES_NOT_SHOW = (
    "That the latents mean anything, or that the model computes with them: nothing here looks at what a latent stands "
    "for, and a good reconstruction can be had from directions that mean nothing. What is claimed is about splicing "
    "alone: how much of the predictions is kept with the reconstruction in place. Whether latents stand for concepts "
    "is the question of sae_concepts, whether they act on behaviour that of feature_effects."
)
ONE_SEED = (
    " One seed each: how far another finds the same is not known; train two, and evaluation.stability compares them."
)


def activations_suggest(found: Preflight, saes: Iterable[SaeConfig]) -> str:
    """Return what stands out before training, as advice to those who train these autoencoders."""
    advice = found.advice(saes)
    if not advice and found.advice():
        return f"Nothing is left to change by what {found.n_tokens} activations are like, as these are trained."
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
    known = {one.name for one in found.made if not math.isnan(found.dead_share(one))}
    advice = _by_what((one.dead.advice, one.name) for one in found.made if one.name in known and one.dead.advice)
    if advice:
        told += f" To have fewer dead latents ({'; '.join(f'{names}: {said}' for said, names in advice.items())})."
    unknown = _by_what((shared.saes[one.name].dead_after, one.name) for one in found.made if one.name not in known)
    for dead_after, names in unknown.items():
        told += (
            f" How many latents of {names} are dead cannot be told: {shared.n_steps} batches are too few to call one "
            f"dead after {dead_after}; train longer, or lower dead_after."
        )
    return told


def _by_what(said: Iterable[tuple[Any, str]]) -> dict[Any, str]:
    """Return the names of whom the same is said, in one string each."""
    names: dict[Any, list[str]] = {}
    for what, name in said:
        names.setdefault(what, []).append(name)
    return {what: ", ".join(several) for what, several in names.items()}


def table_suggests(found: Found) -> str:
    """Return what the autoencoders were judged on, and how they differ in how much they keep."""
    judged, trained = found.config.evaluation.text, found.config.text
    told = (
        f"On {found.evaluation.n_tokens} tokens of {found.evaluation.n_documents} held-out documents of "
        f"{judged.source!r}, none of which was trained on{_alike(judged, trained)}. Intervals are over documents."
    )
    seeds = {sae.seed for sae in found.config.all_trained.saes.values()}
    return told + (ONE_SEED if len(seeds) == 1 else "")


def _alike(judged: TextConfig, trained: TextConfig) -> str:
    """Return what documents have in common with those that were trained on, although none is the same."""
    if judged.source != trained.source:
        return ""
    if judged.source != GRAMMAR:
        return " as it stands (how alike documents of the two sides are was not looked at)"
    if judged.reserved and trained.reserved is False:
        return ", nor its template"
    return "; but the templates of the grammar are the same, so that it is their fillings and order that are new"


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
