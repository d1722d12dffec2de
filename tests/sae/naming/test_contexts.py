"""Contexts read from a model: the same values as asking the codec directly, heads flattened, first tokens left out."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from interp_lab.hooks import capture
from interp_lab.sae.activations.documents import digest
from interp_lab.sae.naming import Contexts, described_documents, judged_labels, read_contexts
from interp_lab.tasks import grammar_documents
from tests.sae.dashboard.folders import made_folder
from tests.sae.naming.made import judging
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
    found = read_contexts(model, codec, windows, hook=hook, latents=[30, 4], texts=WORDS, documents=range(7), at_once=3)
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


def test_every_window_needs_its_document(codec):
    with pytest.raises(ValueError, match="3 documents for 4 windows"):
        read_contexts(
            tiny_model(), codec, tokens(n=4), hook="blocks.0.hook_resid_post", latents=[0], texts=WORDS,
            documents=[1, 2, 3],
        )  # fmt: skip


class TestFoldersOfFeatures:
    """Heuristic labels are made of a folder's counts, so they are not judged on its documents."""

    @pytest.fixture(scope="class")
    def store(self, tmp_path_factory):
        return made_folder(
            tmp_path_factory.mktemp("features"), n_latents=2, about={"text": {"seed": 3}, "n_documents": 5}
        )

    def contexts(self, *digests: int) -> Contexts:
        words = tuple((f"word{nth}", "the") for nth in range(len(digests)))
        return Contexts(words, np.array(digests), (0, 1), np.ones((2, len(digests), 2)))

    def test_the_documents_of_a_folder_are_those_its_text_begins_with(self, store):
        (seed,) = np.random.SeedSequence([3, 0]).generate_state(1)
        drawn = [digest(one.text) for one in grammar_documents(64, seed=int(seed))]
        assert described_documents(store) == set(drawn[:5])

    def test_contexts_of_its_documents_are_refused_and_others_are_not(self, store):
        inside = sorted(described_documents(store))
        with pytest.raises(ValueError, match="2 of 3 documents to judge labels on are also those the features"):
            judged_labels(
                self.contexts(*inside[:2], 17), {0: "a", 1: "b"}, judging, task="detection", written_from=store
            )
        scores = judged_labels(self.contexts(17, 18), {0: "a", 1: "b"}, judging, task="detection", written_from=store)
        assert scores.too_few == (0, 1)
        assert scores.summary() == "detection: no feature judged; 2 features with too few contexts"

    def test_how_far_it_was_read_is_not_guessed(self, tmp_path):
        store = made_folder(tmp_path, n_latents=2, about={"text": {"packed": False}})
        with pytest.raises(ValueError, match="leaves unknown how far it was read"):
            described_documents(store)
