"""What was found, in words."""

import math

from interp_lab.sae.evaluation.compared import Compared
from interp_lab.sae.evaluation.measured import MEAN, ZERO
from interp_lab.sae.evaluation.training_text import UNKNOWN
from interp_lab.stats import mean_interval

RECONSTRUCTION = ("l0", "r2", "mse", "cosine", "l2_ratio", "relative_bias")
RECOVERED = ("ce_recovered_mean", "ce_recovered_zero", "kl_recovered_mean", "kl_recovered_zero")
RECONSTRUCTION_DOES_NOT_SHOW = (
    "That latents mean something, or are what the model computes with: principal components reconstruct, too, and so "
    "do random directions. R2 counts the large directions of the activation first, which need not be those that later "
    "layers read. Densities and latents that never fired are of these tokens; more tokens find fewer that never fire."
)
SPLICING_DOES_NOT_SHOW = (
    "That the latents are the model's own variables: whatever keeps what later layers read keeps the loss. Shares "
    "recovered hang on what they are counted against, and zero ablation is harsh, so that almost any reconstruction "
    "recovers most of it; hence both ablations, and the raw losses. Errors of one hook point only: reconstructions at "
    "several at once add up."
)
STABILITY_DOES_NOT_SHOW = (
    "That directions which come again are real: two trainings on the same activations share what is easy to find. "
    "Cosines of matched pairs are above zero for random directions, too, the more so the more there are; the controls "
    "say how far. Latents that never fired are left out."
)


def _metric(found: Compared, name: str, metric: str, spec: str = ".3f") -> str:
    one = found.interval(name, metric)
    return f"{one.estimate:{spec}} [{one.low:{spec}}, {one.high:{spec}}]"


def _data(found: Compared) -> str:
    return f"{found.n_tokens} held-out tokens of {found.n_documents} documents"


def reconstruction_suggests(found: Compared) -> str:
    """Return L0 and R2 of every autoencoder, its baselines, and what is known of its training text."""
    told = [f"On {_data(found)}:"]
    for name in found.asked:
        beside = ", ".join(f"{other} {_metric(found, other, 'r2')}" for other in found.baselines[name])
        told.append(
            f"{name} explains {_metric(found, name, 'r2')} of the variance with {_metric(found, name, 'l0', '.1f')} "
            f"latents per token{f' ({beside})' if beside else ''}; {found.n_dead(name)} of {len(found.fired[name])} "
            "latents never fired."
        )
    unknown = [name for name in found.asked if found.trained_on[name] == UNKNOWN]
    if unknown:
        told.append(f"It is not known what {', '.join(unknown)} {_verb(unknown)} trained on: this may be part of it.")
    return " ".join(told)


def _verb(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"


def splicing_suggests(found: Compared) -> str:
    """Return the four losses, and the shares recovered."""
    zero, mean = (_metric(found, name, "ce") for name in (ZERO, MEAN))
    told = [
        f"The untouched model's loss is {found.clean_loss()} nats per token, with the mean in place {mean}, with zero "
        f"{zero}."
    ]
    for name in found.asked:
        shares = " and ".join(_share(found, name, ablation) for ablation in (MEAN, ZERO))
        told.append(f"With {name} in place it is {_metric(found, name, 'ce')}, which recovers {shares}.")
    kept = "keep their activations in every condition, and are not scored"
    replaced = "are replaced and scored as well"
    told.append(f"BOS, padding and end tokens {kept if found.config.exclude_special else replaced}.")
    return " ".join(told)


def _share(found: Compared, name: str, ablation: str) -> str:
    metric = f"ce_recovered_{ablation}"
    if math.isnan(found.interval(name, metric).estimate):
        return f"no share of what {ablation} ablation costs (that is not clear of nothing)"
    return f"{_metric(found, name, metric)} of what {ablation} ablation costs"


def stability_suggests(found: Compared) -> str:
    """Return mean matched cosines beside those with random directions."""
    told = []
    for one in found.stability:
        level, seed = found.config.level, found.config.seed
        matched, shaped, drawn = (
            mean_interval(values, level=level, seed=seed) for values in (one.matched, one.shaped, one.isotropic)
        )
        told.append(
            f"Latents of {one.first}, matched one to one with those of {one.second}, have a mean cosine of {matched}; "
            f"with as many random directions {drawn}, with random ones of the activations' covariance {shaped}."
        )
    return " ".join(told)


def summary(found: Compared) -> str:
    """Return what was found, a line per autoencoder with its baselines."""
    lines = [
        f"{found.hook}: {_data(found)}; loss {found.clean_loss()} nats untouched, {_metric(found, MEAN, 'ce')} with "
        f"the mean in place, {_metric(found, ZERO, 'ce')} with zero"
    ]
    for name in found.asked:
        lines.append(
            f"{name}: L0 {_metric(found, name, 'l0', '.1f')}, {_kept(found, name)} (mean), "
            f"{_metric(found, name, 'ce_recovered_zero')} (zero), {found.n_dead(name)} of {len(found.fired[name])} "
            f"dead in {found.n_tokens} tokens"
        )
        lines += [f"  {other}: {_kept(found, other)} (mean)" for other in found.baselines[name]]
    return "\n".join(lines)


def _kept(found: Compared, name: str) -> str:
    losses = f"loss {_metric(found, name, 'ce')}, recovered {_metric(found, name, 'ce_recovered_mean')}"
    return f"R2 {_metric(found, name, 'r2')}, {losses}"
