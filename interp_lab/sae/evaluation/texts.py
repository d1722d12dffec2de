"""What was found, in words."""

import math

from interp_lab.sae.evaluation.claimed import Claimed
from interp_lab.sae.evaluation.compared import Compared
from interp_lab.sae.evaluation.measured import MEAN, UNIGRAM, ZERO
from interp_lab.sae.evaluation.training_text import UNKNOWN
from interp_lab.stats import mean_interval

RECONSTRUCTION = ("l0", "r2", "mse", "cosine", "l2_ratio", "relative_bias")
RECOVERED = (
    "ce_recovered_mean", "ce_recovered_zero", "ce_recovered_unigram", "kl_recovered_mean", "kl_recovered_zero",
)  # fmt: skip
RECONSTRUCTION_DOES_NOT_SHOW = (
    "That latents mean something, or are what the model computes with: principal components reconstruct, too, and so "
    "do random directions, and activations taken as directions. These have no encoder: a greedy search (orthogonal "
    "matching pursuit) picks the best few for every token, with codes of either sign, more than an encoder can do in "
    "one step; the row own_NAME gives the autoencoder's own directions the same search. R2 counts the large "
    "directions of the activation first, which need not be those that later "
    "layers read. Densities and latents that never fired are of these tokens; more tokens find fewer that never fire."
)
SPLICING_DOES_NOT_SHOW = (
    "That the latents are the model's own variables: whatever keeps what later layers read keeps the loss. Shares "
    "recovered hang on what they are counted against, and zero ablation is harsh, so that almost any reconstruction "
    "recovers most of it; hence both ablations, the raw losses, and the share counted from the unigram loss: that of "
    "who knows how often tokens come in train-side text (a tenth added to every count), and nothing of the context. "
    "Errors of one hook point only: reconstructions at "
    "several at once add up."
)
STABILITY_DOES_NOT_SHOW = (
    "That directions which come again are real: two trainings on the same activations share what is easy to find. "
    "Cosines of matched pairs are above zero for random directions, too, the more so the more there are; the controls "
    "say how far. Cosines are signed, as latents are not negative. Intervals are over the latents of these two "
    "trainings, and do not say what another pair would give. Latents that never fired are left out."
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


def splicing_suggests(found: Claimed) -> str:
    """Return the four losses, and the shares recovered."""
    zero, mean = (_metric(found, name, "ce") for name in (ZERO, MEAN))
    told = [
        f"The untouched model's loss is {found.clean_loss()} nats per token, with the mean in place {mean}, with zero "
        f"{zero}; who knows only how often tokens come loses {found.unigram_loss()} (unigram), who knows nothing "
        f"{math.log(found.d_vocab):.3f}."
    ]
    worse = found.worse_than_unigram()
    if worse:
        cost = f"{' and '.join(worse).capitalize()} ablation {'costs' if len(worse) == 1 else 'cost'}"
        told.append(
            f"{cost} more than that: what is recovered of it counts from worse than knowing nothing of the context."
        )
    for name in found.asked:
        shares = ", ".join(_share(found, name, reference) for reference in (MEAN, ZERO, UNIGRAM))
        told.append(f"With {name} in place it is {_metric(found, name, 'ce')}, which recovers {shares}.")
        told += _beside(found, name)
    kept = "keep their activations in every condition, and are not scored"
    replaced = "are replaced and scored as well"
    told.append(f"BOS, padding and end tokens {kept if found.config.exclude_special else replaced}.")
    told.append("Predictions of the end token count, those of padding do not.")
    return " ".join(told)


def _beside(found: Claimed, name: str) -> list[str]:
    """Return what baselines keep, which of them keep more, and what a search for the own codes would keep."""
    told = [f"{other} {_metric(found, other, 'ce')}" for other in found.baselines[name]]
    said = [f"In its place: {', '.join(told)}."] if told else []
    less = [claim for claim in found.told(name) if claim[1] == "less"]
    said += [f"So {name} keeps less of the predictions than {other}." for other, _ in less]
    own = f"own_{name}"
    if own in found.names:
        said.append(
            f"Its own directions, their codes searched for in place of its encoder's: R2 {_metric(found, own, 'r2')}, "
            f"loss {_metric(found, own, 'ce')}: so much its encoder leaves on the table, at most, as codes that are "
            "searched for may be negative."
        )
    return said


def _share(found: Compared, name: str, ablation: str) -> str:
    metric = f"ce_recovered_{ablation}"
    of = "what the context is worth beyond unigrams" if ablation == UNIGRAM else f"what {ablation} ablation costs"
    if math.isnan(found.interval(name, metric).estimate):
        return f"no share of {of} (that is not clear of nothing)"
    return f"{_metric(found, name, metric)} of {of}"


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
        f"the mean in place, {_metric(found, ZERO, 'ce')} with zero, {found.unigram_loss()} knowing only how often "
        "tokens come"
    ]
    for name in found.asked:
        lines.append(
            f"{name}: L0 {_metric(found, name, 'l0', '.1f')}, {_kept(found, name)} (mean), "
            f"{_metric(found, name, 'ce_recovered_zero')} (zero), "
            f"{_metric(found, name, 'ce_recovered_unigram')} (unigram), {found.n_dead(name)} of "
            f"{len(found.fired[name])} dead in {found.n_tokens} tokens"
        )
        beside = [*found.baselines[name], *(other for other in (f"own_{name}",) if other in found.names)]
        lines += [f"  {other}: {_kept(found, other)} (mean)" for other in beside]
    return "\n".join(lines)


def _kept(found: Compared, name: str) -> str:
    losses = f"loss {_metric(found, name, 'ce')}, recovered {_metric(found, name, 'ce_recovered_mean')}"
    return f"R2 {_metric(found, name, 'r2')}, {losses}"
