"""Tables of what was measured."""

import math

import pandas as pd

from interp_lab.sae.evaluation.compared import COMPARED, Compared
from interp_lab.stats import mean_interval

_LOSSES = ("ce", "ce_rise", "kl")


def codecs_table(found: Compared) -> pd.DataFrame:
    """Return one row per autoencoder or baseline.

    Columns: `name`, `what`, `latents`, every metric (L0 and shares are numbers, MSE in squared activation, losses in
    nats) with its interval, `dead_in_N_tokens` (no interval: more tokens would give fewer), `n_documents`.
    """
    rows = []
    for name, what in zip(found.names, found.described, strict=True):
        row: dict[str, object] = {"name": name, "what": what, "latents": len(found.fired[name])}
        for metric in found.metric_names:
            row |= found.interval(name, metric).columns(metric)
        rows.append(row | {found.dead_name: found.n_dead(name), "n_documents": found.n_documents})
    return pd.DataFrame(rows)


def losses_table(found: Compared) -> pd.DataFrame:
    """Return the losses that shares are made of (nats per token): untouched, and with each codec in place.

    Beside them what is lost by who knows only how often tokens come in train-side text (`unigram`), and by who knows
    nothing (`uniform`: the logarithm of the number of tokens, which needs no interval).
    """
    rows: list[dict[str, object]] = [
        {"in_place": "untouched", **found.clean_loss().columns("ce")},
        {"in_place": "unigram", **found.unigram_loss().columns("ce")},
        {"in_place": "uniform", "ce": math.log(found.d_vocab)},
    ]
    for name in found.names:
        row: dict[str, object] = {"in_place": name}
        for metric in _LOSSES:
            row |= found.interval(name, metric).columns(metric)
        rows.append(row)
    return pd.DataFrame(rows)


def differences_table(found: Compared) -> pd.DataFrame:
    """Return one row per autoencoder, baseline and metric: the paired difference, its interval and p (over all).

    Empty where a share has no meaning: such are not tested.
    """
    rows, p = [], found.p_adjusted
    for nth, metric in enumerate(COMPARED):
        for at, (name, other) in enumerate(found.compared):
            row: dict[str, object] = {"name": name, "baseline": other, "metric": metric}
            row |= found.differences.intervals.at(nth, at).columns("difference")
            rows.append(row | {"p_adjusted": p[nth, at]})
    return pd.DataFrame(rows)


def stability_table(found: Compared) -> pd.DataFrame:
    """Return one row per pair: mean matched cosine with the other, and with random directions.

    Intervals are over the latents of these two trainings; they do not say what other trainings would give.
    """
    rows = []
    for one in found.stability:
        row: dict[str, object] = {"first": one.first, "second": one.second, "latents": one.n_latents}
        row |= {"others": one.n_others, "matched_latents": len(one.matched)}
        for kind in ("matched", "isotropic", "shaped"):
            row |= mean_interval(getattr(one, kind), level=found.config.level, seed=found.config.seed).columns(kind)
        beyond = mean_interval(one.matched - one.shaped, level=found.config.level, seed=found.config.seed)
        rows.append(row | beyond.columns("beyond_shaped"))
    return pd.DataFrame(rows)
