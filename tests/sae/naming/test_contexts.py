"""Contexts read from a model: the same values as asking the codec directly, heads flattened, first tokens left out."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from interp_lab.hooks import capture
from interp_lab.sae.naming import read_contexts
from tests.tiny import tiny_model, tokens

WORDS = {number: f"t{number}" for number in range(24)}


@dataclass(frozen=True)
class Projection:
    """A codec of rectified random directions."""

    weight: Tensor

    def encode(self, activation: Tensor) -> Tensor:
        return torch.relu(activation @ self.weight)

    def decode(self, latents: Tensor) -> Tensor:
        return latents @ self.weight.T


@pytest.fixture(scope="module")
def codec() -> Projection:
    return Projection(torch.randn(16, 40, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("hook", ["blocks.1.hook_resid_post", "blocks.1.attn.hook_z"])
def test_values_are_those_of_the_codec_at_every_token_kept(codec, hook):
    model, windows = tiny_model(), tokens(n=7, length=9)
    found = read_contexts(model, codec, windows, hook=hook, latents=[30, 4], texts=WORDS, at_once=3)
    direct = codec.encode(capture(model, windows, [hook])[hook].flatten(2))[:, 1:, [30, 4]]
    np.testing.assert_allclose(found.values, direct.permute(2, 0, 1).numpy(), atol=1e-5)
    assert found.texts[2] == tuple(f"t{number}" for number in windows[2, 1:].tolist())
    assert (found.latents, found.documents.tolist()) == ((30, 4), list(range(7)))
    np.testing.assert_array_equal(found.of(4), found.values[1])


def test_windows_of_one_document_keep_its_number(codec):
    model, hook = tiny_model(), "blocks.0.hook_resid_post"
    found = read_contexts(
        model, codec, tokens(n=4), hook=hook, latents=[0], texts=WORDS, documents=[8, 8, 9, 9], skipped=0
    )
    assert (found.documents.tolist(), len(found.texts[0])) == ([8, 8, 9, 9], 9)
