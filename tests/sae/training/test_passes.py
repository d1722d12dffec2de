"""Every architecture at every kind of hook point; and however many there are, the model reads once."""

import pytest
import torch

from interp_lab import load_model
from interp_lab.sae.activations import ActivationsConfig, hold_activations, stream_activations
from interp_lab.sae.training import HeldOut, grid, load_sae, save_sae, train_saes
from tests.sae.training.test_loop import ARCHITECTURES, config, sae_config

HOOKS = ("blocks.1.hook_resid_post", "blocks.1.hook_mlp_out", "blocks.1.attn.hook_z")
N_TOKENS = 600


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


@pytest.fixture(scope="module")
def held(model):
    return hold_activations(model, ActivationsConfig(hooks=HOOKS, n_tokens=N_TOKENS))


class TestHookPoints:
    @pytest.mark.parametrize("hook", HOOKS)
    def test_every_architecture_reconstructs_what_it_read_there_after_a_round_trip(self, hook, model, held, tmp_path):
        source = held.source(hook)
        saes = {name: sae_config(name, width=96, scale="mean_norm") for name in ARCHITECTURES}
        shared = config(saes, n_tokens=40 * 60, batch_size=60, epochs=4)
        trained = train_saes(source, shared, held_out=HeldOut(source, n_tokens=300))
        batch = next(source.batches(N_TOKENS, seed=1))
        total = (batch - batch.mean(0)).square().sum()
        for name, one in trained.items():
            save_sae(one, tmp_path / name)
            loaded = load_sae(tmp_path / name)
            loaded.require_fits(model, hook=hook)
            with torch.no_grad():
                left = (loaded.decode(loaded.encode(batch)) - batch).square().sum()
            assert 1 - left / total > 0.3, name


class TestOnePass:
    def test_the_model_reads_as_often_for_six_as_for_one(self, model, monkeypatch):
        stream = stream_activations(model, ActivationsConfig(hooks=HOOKS[:1], n_tokens=N_TOKENS), mixed=4)
        forward, calls = type(model).forward, []

        def counted(self, *args, **kwargs):
            calls.append(len(args[0]))
            return forward(self, *args, **kwargs)

        monkeypatch.setattr(type(model), "forward", counted)
        read = {}
        for ks in ([4], [1, 2, 3, 4, 5, 6]):
            calls.clear()
            saes = grid(sae_config("topk"), {"architecture.k": ks})
            train_saes(stream.source(HOOKS[0]), config(saes, n_tokens=N_TOKENS, batch_size=60))
            read[len(ks)] = list(calls)
        windows = len(stream.tokens)
        assert (sum(read[1]), len(read[1])) == (windows, -(-windows // 4)), "each block of windows is read once"
        assert read[6] == read[1]
