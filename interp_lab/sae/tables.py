"""Tables of a training of autoencoders."""

from dataclasses import fields

import pandas as pd

from interp_lab.sae.found import Found
from interp_lab.sae.made import Curves
from interp_lab.sae.training import Preflight, SaeConfig

SHOWN = ("l0", "r2", "ce_recovered_zero", "ce_recovered_mean")
"""What the table of autoencoders has of the evaluation; the whole is in its own tables."""
_FINAL = {"mse": "loss_mse", "loss": "loss"}
_SPARSITY = ("k", "l1_coefficient", "l0_coefficient", "most")
_WHAT = {
    "mean_norm": "mean norm",
    "median_norm": "median norm",
    "largest_norm": "largest norm",
    "outlier_share": "share of activations with over 10 times the median norm",
    "outlier_energy": "their share of the sum of squared norms",
    "mean_share": "squared norm of the mean, over the mean squared norm",
    "top_entry_share": "share of the variance in the entry that has most",
}


def autoencoders_table(found: Found) -> pd.DataFrame:
    """Return one row per autoencoder: what it is, held-out figures with their intervals over documents, and the dead.

    Columns: `name`, `architecture`, `sparsity` (the setting that makes it sparse), `latents`, `seed`, `tokens` trained
    on; `final_mse` and `final_loss` of the last batch (squared error of reconstruction, and with what training adds to
    it: only the first can be compared between architectures); each of `SHOWN`, with `_low` and `_high`; `dead` (share
    of the latents) while training, by the `dead_criterion`; `advice` on them, if there is any; `threshold_before` and
    `threshold`, where one was calibrated.
    """
    config, shared = found.config, found.config.all_trained
    measured = found.evaluation.table().set_index("name")
    rows = []
    for one in found.made:
        own = shared.saes[one.name]
        row: dict[str, object] = {"name": one.name, "architecture": own.architecture.kind, "sparsity": sparsity(own)}
        row |= {"latents": one.dead.n_latents, "seed": own.seed, "tokens": shared.n_steps * shared.batch_size}
        row |= {f"final_{end}": float(found.curves.of(one.name, name)[-1]) for end, name in _FINAL.items()}
        for metric in SHOWN:
            row |= {f"{metric}{end}": measured.loc[one.name, f"{metric}{end}"] for end in ("", "_low", "_high")}
        row |= {"dead": found.dead_share(one), "dead_criterion": one.dead.criterion, "advice": one.dead.advice}
        if config.needs_calibration:
            known = one.calibration or {"before": float("nan"), "after": float("nan")}
            row |= {"threshold_before": known["before"], "threshold": known["after"]}
        rows.append(row)
    return pd.DataFrame(rows)


def sparsity(config: SaeConfig) -> str:
    """Return the setting that makes an autoencoder sparse, such as `k=16`."""
    kind = config.architecture
    name = next(name for name in _SPARSITY if hasattr(kind, name))
    return f"{name}={getattr(kind, name)}"


def curves_table(curves: Curves) -> pd.DataFrame:
    """Return one row per step that was logged, and a column per autoencoder and metric, such as `sae/loss`."""
    return pd.DataFrame({"step": curves.steps, **curves.values})


def activations_table(found: Preflight) -> pd.DataFrame:
    """Return what the activations are like before training, a row per figure."""
    known = {one.name: getattr(found, one.name) for one in fields(found)}
    return pd.DataFrame([{"figure": told, "value": float(known[name])} for name, told in _WHAT.items()])
