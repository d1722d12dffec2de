"""Repeated tokens for real models: what they begin with, what they are drawn from, and the loss of each copy."""

import pytest
import torch

from interp_lab.metrics import next_token_loss
from interp_lab.models import build_hooked, load_model
from interp_lab.organisms.repeats import repeated_twice
from interp_lab.tasks.repeats import beginning_token, first_copy_loss, ordinary_tokens, repeats_for, second_copy_loss
from tests.models.fixtures import hooked_parts, save_directory, word_tokenizer
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def with_tokenizer():
    """Ids 0 to 3 are special (BOS, EOS, pad, unknown), 4 to 12 are words."""
    config, state_dict = hooked_parts()
    return build_hooked(config, state_dict, tokenizer=word_tokenizer())


class TestSymbols:
    def test_special_tokens_are_never_shown(self, with_tokenizer):
        assert ordinary_tokens(with_tokenizer, bos=0) == range(4, 13)
        tokens = repeats_for(with_tokenizer, 50, 4, seed=0).tokens
        assert set(tokens[:, 0].tolist()) == {0}
        assert set(tokens[:, 1:].flatten().tolist()) == set(range(4, 13))

    def test_ids_that_only_pad_the_vocabulary_are_never_shown(self):
        config, state_dict = hooked_parts(d_vocab=64)
        assert ordinary_tokens(build_hooked(config, state_dict, tokenizer=word_tokenizer()), bos=0) == range(4, 13)

    def test_without_a_tokenizer_everything_but_bos_is_ordinary(self):
        assert ordinary_tokens(tiny_model(), bos=0) == range(1, 24)
        assert ordinary_tokens(tiny_model(), bos=20) == range(20)


class TestBeginning:
    def test_is_the_tokenizers_bos(self, with_tokenizer):
        assert beginning_token(with_tokenizer) == 0

    def test_is_zero_without_a_tokenizer(self):
        assert beginning_token(tiny_model()) == 0

    def test_a_model_trained_without_bos_does_not_silently_begin_with_eos(self, tmp_path):
        directory = save_directory(tmp_path / "tiny-qwen2", "qwen2", tokenizer=word_tokenizer(bos=False))
        model = load_model(directory, "cpu")
        with pytest.raises(ValueError, match=r"not trained to start with BOS .*'<eos>'.*bos_token="):
            repeats_for(model, 4, 3, seed=0)
        assert repeats_for(model, 4, 3, seed=0, bos_token=1).tokens[:, 0].tolist() == [1] * 4

    def test_a_beginning_outside_the_vocabulary(self):
        with pytest.raises(ValueError, match=r"bos_token=99 is outside the model's vocabulary \(0 to 23\)"):
            repeats_for(tiny_model(), 4, 3, seed=0, bos_token=99)


class TestCopyLoss:
    """`[BOS, prefix, x, x]`, prefix 2 and period 3: copies at 3..5 and 6..8; the first token of each is free."""

    text = repeated_twice(5, 3, seed=0, offset=2, symbols=range(1, 24))
    logits = torch.randn(5, 9, 24, generator=torch.Generator().manual_seed(0))

    def test_second_copy_is_predicted_from_its_second_token_on(self):
        expected = next_token_loss(self.text.tokens, first=7, last=8)(self.logits)
        assert torch.allclose(second_copy_loss(self.text)(self.logits), expected)

    def test_first_copy_likewise(self):
        expected = next_token_loss(self.text.tokens, first=4, last=5)(self.logits)
        assert torch.allclose(first_copy_loss(self.text)(self.logits), expected)

    def test_by_hand(self):
        """A model that always expects what came three tokens ago loses nothing on the second copy."""
        sure = torch.full((5, 9, 24), -50.0)
        for row, tokens in enumerate(self.text.tokens.tolist()):
            for position in range(5, 8):
                sure[row, position, tokens[position - 2]] = 50.0
        assert second_copy_loss(self.text)(sure).max() < 1e-6
        assert first_copy_loss(self.text)(sure).min() > 1
