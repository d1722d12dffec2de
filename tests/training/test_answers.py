"""Reading answers: batches of unequal texts equal single texts, and probabilities by hand."""

import numpy as np
import pytest
import torch

from interp_lab.models import build_hooked
from interp_lab.organisms.grammar.corpus import behaviour, encode, texts
from interp_lab.organisms.grammar.vocabulary import BOS_ID, token_ids, vocabulary
from interp_lab.training.answers import answer_log_probs, is_answered, mass, said, share, word_losses
from interp_lab.training.initial import initial_weights, transformer_config
from interp_lab.training.organism_config import TransformerConfig


@pytest.fixture(scope="module")
def model():
    shape = TransformerConfig(n_layers=1, n_heads=2, d_head=4, d_model=8, d_mlp=8)
    config = transformer_config(shape, d_vocab=len(vocabulary()), name="small")
    return build_hooked(config, initial_weights(config, seed=0))


@pytest.fixture(scope="module")
def examples():
    return texts(300, seed=0)  # more than fit one batch, of many lengths


def test_answers_are_read_where_the_prompt_ends(model, examples):
    found = answer_log_probs(model, examples)
    for nth in (0, 1, 150, 299):
        prompt = torch.tensor([[BOS_ID, *encode(examples[nth])[: examples[nth].answer_at]]])
        expected = model(prompt)[0, -1].log_softmax(-1)
        np.testing.assert_allclose(found[nth], expected.detach().numpy(), atol=1e-5)


def test_word_losses_are_those_of_the_text_alone(model, examples):
    found = word_losses(model, examples)
    assert [len(losses) for losses in found] == [len(example.words) for example in examples]
    for nth in (0, 299):
        tokens = torch.tensor([[BOS_ID, *encode(examples[nth])]])
        expected = model(tokens, return_type="loss", loss_per_token=True)[0]
        np.testing.assert_allclose(found[nth], expected.detach().numpy(), atol=1e-5)


class TestByHand:
    def certain(self, **probabilities: float) -> np.ndarray:
        rest = (1 - sum(probabilities.values())) / (len(vocabulary()) - len(probabilities))
        row = np.full(len(vocabulary()), rest)
        for word, probability in probabilities.items():
            row[token_ids()[word]] = probability
        return np.log(row)[None].astype(np.float32)

    def test_share_is_of_the_two_words_only(self):
        found = self.certain(she=0.3, he=0.1)
        assert share(found, ["she"], ["he"]).tolist() == pytest.approx([0.75])
        assert share(found, ["he"], ["she"]).tolist() == pytest.approx([0.25])
        assert said(found, ["she"]).tolist() == pytest.approx([np.log(0.3)])

    def test_mass_adds_up(self):
        assert mass(self.certain(she=0.3, he=0.1), [("she", "he")]).tolist() == pytest.approx([0.4])
        assert mass(self.certain(she=0.3), [()]).tolist() == [0.0]

    def test_right_is_the_likeliest_of_all_words(self):
        (example,) = behaviour("truth").sample(1, seed=0)
        other = "false" if example.answer == "true" else "true"
        answered = [self.certain(**{example.answer: 0.4, word: p}) for word, p in ((other, 0.3), ("she", 0.5))]
        assert [bool(is_answered(found, [example])[0]) for found in answered] == [True, False]
