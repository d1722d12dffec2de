"""Bare tokens are what they are: no leading id is taken for padding because it doubles as the pad token."""

import pytest
import torch

from interp_lab.hooks import device_of, ready_tokens
from interp_lab.models import load_model
from tests.models.fixtures import D_VOCAB, hugging_face_log_probs, save_directory, word_tokenizer
from tests.tiny import tiny_model


def left_padding_tokenizer():
    """As many chat models have it: pads on the left, and pad is the token that text begins with."""
    tokenizer = word_tokenizer()
    tokenizer.pad_token = tokenizer.bos_token
    tokenizer.padding_side = "left"
    return tokenizer


@pytest.mark.parametrize("backend", ["hooked", "bridge"])
@pytest.mark.parametrize("shape", ["gpt2", "llama", "qwen2"])
def test_a_leading_token_that_doubles_as_pad_is_read_like_any_other(tmp_path, shape, backend):
    directory = save_directory(tmp_path / f"tiny-{shape}", shape, tokenizer=left_padding_tokenizer())
    tokens = torch.randint(4, D_VOCAB, (3, 12), generator=torch.Generator().manual_seed(0))
    tokens[:, 0] = 0
    tokens[1, 1] = 0
    model = load_model(directory, "cpu", backend=backend)
    with torch.inference_mode():
        log_probs = model(tokens).log_softmax(-1)
    assert torch.allclose(log_probs, hugging_face_log_probs(directory, tokens), atol=1e-5)


def test_prompts_go_to_the_device_of_the_model():
    model = tiny_model().to("meta", print_details=False)
    assert device_of(model).type == "meta"
    assert ready_tokens(model, torch.zeros(2, 3, dtype=torch.long)).device.type == "meta"
