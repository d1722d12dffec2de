import math

import pytest
import torch

from interp_lab.models.parity import probe_tokens, require_parity

FAIR, BIASED = (torch.tensor([[[p, 1 - p]]], dtype=torch.float64).log() for p in (0.5, 0.9))


class TestRequireParity:
    def test_measures_the_divergence_from_the_original(self):
        by_hand = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
        with pytest.raises(ValueError, match=rf"it does not predict.*{by_hand:.1e} nats over 1 tokens.*; do that"):
            require_parity(BIASED, FAIR, dtype=torch.float32, what="it", remedy="do that")

    def test_lets_rounding_pass_which_is_coarser_in_half_precision(self):
        rounded = FAIR + torch.tensor([0.2, -0.2])  # 0.02 nats, as bfloat16 makes of logits around -100
        rounded = rounded.log_softmax(-1)
        require_parity(rounded, FAIR, dtype=torch.bfloat16, what="it", remedy="")
        with pytest.raises(ValueError, match="it does not predict"):
            require_parity(rounded, FAIR, dtype=torch.float32, what="it", remedy="")

    def test_refuses_nan(self):
        with pytest.raises(ValueError, match="mean divergence nan"):
            require_parity(FAIR * torch.nan, FAIR, dtype=torch.float32, what="it", remedy="")


class TestProbeTokens:
    @pytest.mark.parametrize(("d_vocab", "n_ctx", "length"), [(50257, 1024, 12), (3, 5, 5), (2, 1, 1)])
    def test_fit_the_model_and_do_not_change(self, d_vocab, n_ctx, length):
        tokens = probe_tokens(d_vocab=d_vocab, n_ctx=n_ctx)
        assert tokens.shape == (1, length)
        assert tokens.min() >= 0
        assert tokens.max() < d_vocab
        assert torch.equal(tokens, probe_tokens(d_vocab=d_vocab, n_ctx=n_ctx))
