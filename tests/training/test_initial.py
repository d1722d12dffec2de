"""Initial weights: every parameter, of the right size and spread, from the seed alone."""

import numpy as np
import pytest
import torch

from interp_lab.models import build_hooked
from interp_lab.training.config import AttentionOnlyConfig
from interp_lab.training.initial import attention_only_config, initial_weights, transformer_config, with_words_of
from interp_lab.training.organism_config import TransformerConfig

CONFIG = attention_only_config(AttentionOnlyConfig(), n_symbols=180, name="new")


WITH_MLPS = transformer_config(TransformerConfig(n_layers=2), d_vocab=300, name="new")


class TestInitialWeights:
    @pytest.mark.parametrize("config", [CONFIG, WITH_MLPS], ids=["attention only", "with MLPs"])
    def test_are_the_parameters_of_the_model_that_is_built_from_them(self, config):
        weights = initial_weights(config, seed=0)
        model = build_hooked(config, weights)
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


class TestWithWordsOf:
    def test_what_is_known_of_a_word_goes_to_its_new_id(self):
        start = {
            "embed.W_E": torch.tensor([[1.0], [2.0]]),
            "unembed.W_U": torch.tensor([[3.0, 4.0]]),
            "unembed.b_U": torch.tensor([5.0, 6.0]),
            "ln_final.w": torch.tensor([7.0]),
        }
        fresh = {
            "embed.W_E": torch.full((3, 1), 0.5),
            "unembed.W_U": torch.full((1, 3), 0.5),
            "unembed.b_U": torch.full((3,), 0.5),
            "ln_final.w": torch.tensor([0.5]),
        }
        found = with_words_of(start, {"he": 0, "she": 1}, fresh=fresh, vocabulary=("she", "new", "he"))
        assert found["embed.W_E"].tolist() == [[2.0], [0.5], [1.0]]
        assert found["unembed.W_U"].tolist() == [[4.0, 0.5, 3.0]]
        assert found["unembed.b_U"].tolist() == [6.0, 0.5, 5.0]
        assert found["ln_final.w"].tolist() == [7.0]
        assert fresh["embed.W_E"].tolist() == [[0.5]] * 3

    def test_the_same_words_change_nothing(self):
        weights, other = (initial_weights(WITH_MLPS, seed=seed) for seed in (0, 1))
        words = [f"w{nth}" for nth in range(300)]
        found = with_words_of(weights, {word: nth for nth, word in enumerate(words)}, fresh=other, vocabulary=words)
        assert all(torch.equal(found[name], weights[name]) for name in weights)
