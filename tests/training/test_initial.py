"""Initial weights: every parameter, of the right size and spread, from the seed alone."""

import numpy as np
import pytest
import torch

from interp_lab.models import build_hooked
from interp_lab.training.config import AttentionOnlyConfig
from interp_lab.training.initial import attention_only_config, initial_weights

CONFIG = attention_only_config(AttentionOnlyConfig(), n_symbols=180, name="new")


class TestInitialWeights:
    def test_are_the_parameters_of_the_model_that_is_built_from_them(self):
        weights = initial_weights(CONFIG, seed=0)
        model = build_hooked(CONFIG, weights)
        built = dict(model.named_parameters())
        assert built.keys() == weights.keys()
        assert all(torch.equal(built[name], weights[name]) for name in weights)

    def test_matrices_are_normal_and_the_rest_does_nothing(self):
        weights = initial_weights(CONFIG, seed=0)
        matrices = torch.cat([value.flatten() for name, value in weights.items() if ".W_" in name])
        assert matrices.std().item() == pytest.approx(0.8 / 64**0.5, rel=0.01)
        assert abs(matrices.mean().item()) < 1e-3
        assert all((value == 0).all() for name, value in weights.items() if name.endswith((".b", "b_Q", "b_O", "b_U")))
        assert all((value == 1).all() for name, value in weights.items() if name.endswith(".w"))

    def test_an_untrained_model_guesses(self):
        model = build_hooked(CONFIG, initial_weights(CONFIG, seed=0))
        tokens = torch.randint(1, 181, (64, 40), generator=torch.Generator().manual_seed(0))
        assert model(tokens, return_type="loss").item() == pytest.approx(np.log(181), abs=0.4)

    def test_come_from_the_seed_and_leave_the_global_generators_alone(self):
        states = torch.get_rng_state(), np.random.get_state()[1].copy()
        one, same, other = (initial_weights(CONFIG, seed=seed)["embed.W_E"] for seed in (1, 1, 2))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
        assert torch.equal(torch.get_rng_state(), states[0])
        assert np.array_equal(np.random.get_state()[1], states[1])
