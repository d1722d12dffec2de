"""Measuring a two-layer model: on one whose circuit was written by hand, and on one that learned nothing."""

import numpy as np
import pytest

from interp_lab.models import build_hooked
from interp_lab.organisms.compiled import compile_model
from interp_lab.training.anatomy import Anatomy, dissect
from interp_lab.training.config import AttentionOnlyConfig, CardConfig
from interp_lab.training.initial import attention_only_config, initial_weights

CARD = CardConfig(conditions=((6, 0), (4, 3)), n_examples=40)


@pytest.fixture(scope="module")
def written() -> Anatomy:
    """Of `compiled/induction`: 0.0 writes the previous token, 1.0 reads it in its keys, six heads do nothing."""
    compiled = compile_model("compiled/induction")
    symbols = range(min(compiled.symbols), max(compiled.symbols) + 1)
    return dissect(build_hooked(compiled.config, compiled.state_dict), CARD, symbols=symbols)


class TestOnACircuitWrittenByHand:
    def test_finds_the_heads(self, written):
        assert written.previous_head == (0, 0)
        assert written.induction_head == (1, 0)
        np.testing.assert_allclose(written.previous_token[:, 0, 0], 1.0, atol=1e-6)
        np.testing.assert_allclose(written.induction[:, 1, 0], 1.0, atol=1e-6)

    def test_the_second_copy_is_known_and_the_first_is_guessed(self, written):
        # A logit of 10 against 0 for the 23 other tokens; before the second copy all 24 logits are 0.
        np.testing.assert_allclose(written.second_copy_loss, np.log1p(23 * np.exp(-10.0)), atol=1e-5)
        np.testing.assert_allclose(written.first_copy_loss, np.log(24), atol=1e-5)

    def test_only_the_previous_token_head_is_read_by_the_keys(self, written):
        assert written.induction_without[0].max() < 0.25  # the key of another sequence: a match by chance
        np.testing.assert_allclose(written.induction_without[1:], 1.0, atol=1e-6)

    def test_only_the_previous_token_head_composes(self, written):
        assert written.composition[0, 0] > 2 * written.random_composition.max()
        others = np.ones((4, 4), dtype=bool)
        others[0, 0] = False
        assert (written.composition[others] == 0).all()

    def test_heads_are_chosen_on_other_sequences_than_they_are_scored_on(self, written):
        assert written.induction.shape == (20, 2, 4)
        assert written.second_copy_loss.shape == (2, 40)

    def test_survives_the_run_folder(self, written):
        again = Anatomy.from_arrays({**written.arrays(), "losses": np.zeros(3)})
        assert all(np.array_equal(again.arrays()[key], value) for key, value in written.arrays().items())


class TestOnAnUntrainedModel:
    def test_attention_is_close_to_even(self):
        config = attention_only_config(AttentionOnlyConfig(), n_symbols=180, name="new")
        found = dissect(build_hooked(config, initial_weights(config, seed=0)), CARD, symbols=range(1, 181))
        even = np.mean([1 / (query + 1) for query in range(7, 13)])  # the second copy's queries
        np.testing.assert_allclose(found.induction.mean(0), even, rtol=0.25)
        assert found.induction_without.mean(1) == pytest.approx(even, rel=0.25)

    def test_a_deeper_model_is_refused(self):
        config = attention_only_config(AttentionOnlyConfig(), n_symbols=30, name="deep") | {"n_layers": 3}
        with pytest.raises(ValueError, match="looked for in 2 layers, the model has 3"):
            dissect(build_hooked(config, initial_weights(config, seed=0)), CARD, symbols=range(1, 31))
