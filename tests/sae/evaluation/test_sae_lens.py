"""SAE Lens measures the same on the same tokens."""

import numpy as np
import pytest
import torch
from sae_lens.evals import get_eval_everything_config, run_evals
from sae_lens.training.activation_scaler import ActivationScaler

from tests.sae.evaluation.small import bundled, measured, model, read


def value(found, name, metric):
    return found.interval(name, metric).estimate


class TestSaeLensAgrees:
    @staticmethod
    def run_evals(sae, windows, *, exclude):
        class Store:
            store_batch_size_prompts, context_size = windows.shape

            def get_batch_tokens(self, n):
                return windows

            def reset_input_dataset(self):
                pass

        return run_evals(
            sae.sae, Store(), model(), ActivationScaler(), get_eval_everything_config(len(windows), 1, 1),
            exclude_special_tokens=exclude,
        )  # fmt: skip

    @pytest.mark.parametrize("exclude", [True, False])
    def test_on_the_same_tokens(self, exclude):
        sae = bundled()
        windows = torch.cat([piece.tokens.long() for piece in read(sae.hook, n_tokens=1200)])
        tokenizer = model().tokenizer
        special = torch.tensor([tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id])
        n_tokens = int((~torch.isin(windows, special)).sum()) if exclude else windows.numel()
        theirs, features = self.run_evals(sae, windows, exclude=exclude)
        flat = {name: number for group in theirs.values() for name, number in group.items()}
        found = measured({"sae": sae}, sae.hook, n_tokens=n_tokens, baselines=(), exclude_special=exclude)
        same = {"l0": "l0", "r2": "explained_variance", "mse": "mse", "cosine": "cossim", "l2_ratio": "l2_ratio"}
        same |= {"relative_bias": "relative_reconstruction_bias", "ce": "ce_loss_with_sae", "kl": "kl_div_with_sae"}
        if not exclude:  # SAE Lens sets BOS to zero in its zero ablation, whatever it excludes
            same |= {"ce_recovered_zero": "ce_loss_score", "kl_recovered_zero": "kl_div_score"}
        for ours, name in same.items():
            assert value(found, "sae", ours) == pytest.approx(flat[name], rel=2e-4), ours
        assert found.clean_loss().estimate == pytest.approx(flat["ce_loss_without_sae"], rel=1e-4)
        np.testing.assert_allclose(found.density("sae"), features["feature_density"], rtol=1e-4, atol=1e-6)
