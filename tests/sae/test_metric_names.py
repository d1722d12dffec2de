"""What is logged while training: names that stay, with the numbers that SAE Lens itself would have sent to W&B."""

from types import SimpleNamespace

import pytest
import sae_lens.training.sae_trainer as theirs

from interp_lab.sae.training import train_saes
from interp_lab.sae.training.build import trainer, training_sae
from interp_lab.sae.training.randomness import Randomness
from tests.sae.training.sources import HOOK, MemorySource
from tests.sae.training.test_loop import ARCHITECTURES, Log, config, sae_config

EVERY = {"loss", "explained_variance", "l0", "learning_rate", "loss_mse", "mean_batches_since_fired",
         "dead_after_10_batches"}  # fmt: skip
OWN = {
    "standard": {"loss_l1", "coefficient_l1"},
    "gated": {"loss_l1", "loss_auxiliary_reconstruction", "coefficient_l1"},
    "topk": {"loss_auxiliary_reconstruction"},
    "batchtopk": {"loss_auxiliary_reconstruction", "topk_threshold"},
    "matryoshka": {"loss_auxiliary_reconstruction", "topk_threshold", "loss_inner_mse_12", "loss_inner_mse_24"},
    "jumprelu": {"loss_l0", "loss_pre_act", "coefficient_l0"},
    "matching_pursuit": {"max_l0", "min_l0", "residual_norm", "residual_threshold_converged_portion"},
}
DENSITY = {"density_zero", "density_below_1e-05", "density_below_1e-06", "density_mean_log10"}
SAME = {
    "losses/overall_loss": "loss",
    "losses/mse_loss": "loss_mse",
    "losses/l1_loss": "loss_l1",
    "losses/l0_loss": "loss_l0",
    "losses/pre_act_loss": "loss_pre_act",
    "losses/auxiliary_reconstruction_loss": "loss_auxiliary_reconstruction",
    "losses/inner_mse_loss_12": "loss_inner_mse_12",
    "losses/inner_mse_loss_24": "loss_inner_mse_24",
    "metrics/explained_variance": "explained_variance",
    "metrics/l0": "l0",
    "metrics/topk_threshold": "topk_threshold",
    "metrics/max_l0": "max_l0",
    "metrics/min_l0": "min_l0",
    "metrics/residual_norm": "residual_norm",
    "metrics/residual_threshold_converged_portion": "residual_threshold_converged_portion",
    "sparsity/dead_features": "dead_after_10_batches",
    "sparsity/mean_passes_since_fired": "mean_batches_since_fired",
    "details/current_learning_rate": "learning_rate",
    "details/l1_coefficient": "coefficient_l1",
    "details/l0_coefficient": "coefficient_l0",
    "sparsity/below_1e-5": "density_below_1e-05",
    "sparsity/below_1e-6": "density_below_1e-06",
}
"""Their names and ours, of the same number. Their mean logarithm of densities has latents in it that never
fired, at 1e-10, ours has not; their number of samples is our `tokens`, and their older R2 is left out."""
THEIRS_ALONE = {"metrics/explained_variance_legacy", "metrics/explained_variance_legacy_std",
                "details/n_training_samples", "metrics/mean_log10_feature_sparsity",
                "plots/feature_density_line_chart"}  # fmt: skip


def shared(architecture):
    own = sae_config(architecture, centre=False)
    return config({"sae": own}, log_every=5, density_every=20, n_tokens=40 * 64)


def ours(architecture):
    log = Log()
    train_saes(MemorySource(), shared(architecture), tracker=log)
    return log.rows


def sent_by_sae_lens(architecture, monkeypatch):
    """Everything that its own `fit` hands to `wandb.log` on the same batches."""
    sent = []
    keep = SimpleNamespace(log=lambda values, step: sent.append((step, values)), Histogram=lambda values: values)
    monkeypatch.setattr(theirs, "wandb", keep)
    one, source = shared(architecture), MemorySource()
    own = one.saes["sae"]
    with Randomness.seeded(own.seed, device="cpu").use():
        sae = training_sae(own, d_in=16, hook=HOOK, device="cpu", n_steps=one.n_steps)
        driven = trainer(sae, own, shared=one, device="cpu")
        driven.data_provider = source.batches(one.batch_size, seed=one.seed)
        driven.fit()
    return sent


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_names_are_these(architecture):
    rows = ours(architecture)
    told = {name for row in rows if "tokens" in row for name in row}
    assert told == {"step", "tokens", "tokens_per_second", *(f"sae/{name}" for name in EVERY | OWN[architecture])}
    counted = [set(row) for row in rows if "tokens" not in row]
    assert counted == [{"step", *(f"sae/{name}" for name in DENSITY)}] * 2


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_numbers_are_those_of_sae_lens(architecture, monkeypatch):
    rows = {}
    for row in ours(architecture):
        rows.setdefault(row["step"], {}).update(row)
    compared = set()
    for step, values in sent_by_sae_lens(architecture, monkeypatch):
        assert values.keys() - SAME.keys() <= THEIRS_ALONE
        own = rows[step if "sparsity/below_1e-5" in values else step + 1]
        for name, value in values.items():
            if name in SAME:
                assert own[f"sae/{SAME[name]}"] == float(value), (step, name)
                compared.add(SAME[name])
    assert compared == (EVERY | OWN[architecture] | DENSITY) - {"density_zero", "density_mean_log10"}
