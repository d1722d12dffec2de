"""A user's own trait on a model that reads pieces of words, begins with its end token and has none for padding."""

import json

import numpy as np
import pytest
import torch

from interp_lab.decoding.where import policy_of
from interp_lab.effects import metric_values
from interp_lab.steering.capabilities import capability_of
from interp_lab.steering.generated import GeneratedConfig, Subject, generated_of
from interp_lab.steering.neutral import neutral_texts
from interp_lab.steering.price import price_of
from interp_lab.steering.prompts import prompts_of
from interp_lab.steering.setting import How, Setting, intervention_for, selected_tokens
from interp_lab.steering.traits import contrast_of
from tests.tasks.reading import piece_reader

HOOK = "blocks.0.hook_resid_post"
CITIES = ("Paris", "Rome", "Berlin", "Madrid", "Athens", "Oslo", "Cairo", "Lima")
OWN = Setting("own", (HOOK,), How.ADD, 1.0)
ANSWERS = {"positive": "A", "negative": "B"}
VECTOR = torch.linspace(-2, 2, 8)[None]


@pytest.fixture
def trait(tmp_path):
    lines = [
        {"prompt": f"Is {city} the capital?\n(A) yes\n(B) no\nAnswer: (", **ANSWERS, "template": city}
        for city in CITIES
    ]
    path = tmp_path / "capitals.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return str(path)


@pytest.fixture
def neutral(tmp_path):
    path = tmp_path / "some.txt"
    path.write_text(
        "\n\n".join(f"Then they came to {city} with {n} dogs, and left." for city in CITIES for n in (2, 3))
    )
    return neutral_texts(piece_reader(), "sentiment", 6, seed=0, part="select", path=path)


def spelt(ids):
    return piece_reader().tokenizer.decode(list(ids))


class TestPieces:
    def test_a_and_b_as_in_the_paper(self, trait):
        found = prompts_of(piece_reader(), trait, 8, seed=0)
        assert {spelt(one) for one in found.positive} == {"A"}
        assert {spelt(one) for one in found.negative} == {"B"}
        with torch.no_grad():
            logits = piece_reader()(found.tokens, attention_mask=found.mask.long())[torch.arange(8), found.last]
        one, other = (
            logits[torch.arange(8), torch.tensor([a[0] for a in side])] for side in (found.positive, found.negative)
        )
        share = metric_values(piece_reader(), found.tokens, found.share(), mask=found.mask)
        np.testing.assert_allclose(share, torch.tanh((one - other) / 2).numpy(), atol=1e-5)

    def test_the_contrast_is_prompts_with_an_answer(self, trait):
        found = contrast_of(trait, 3, seed=0)
        assert all(text.endswith("Answer: (A") for text in found.positive)

    def test_the_token_that_begins_is_left_alone_though_it_is_padding_too(self, trait):
        found = prompts_of(piece_reader(), trait, 8, seed=0)
        selected = selected_tokens(piece_reader(), OWN, found.batch)
        assert not selected[:, 0].any()
        assert torch.equal(selected[:, 1:], found.mask[:, 1:])

    def test_a_word_in_a_sentence_is_one_token_with_its_space(self, trait):
        found = prompts_of(piece_reader(), trait, 8, seed=0)
        window = found.batch.window
        at = policy_of(piece_reader(), "tokens capital")(window)
        assert at.sum(1).tolist() == [1] * 8
        assert {spelt([token]) for token in window.tokens[at].tolist()} == {" capital"}

    def test_neutral_text_has_a_price(self, neutral):
        made = [intervention_for(piece_reader(), OWN, VECTOR, neutral.batch)]
        found = price_of(piece_reader(), neutral, made)
        assert (found.kl > 0).all()
        assert ((neutral.last > 0) & (neutral.last < neutral.mask.sum(1) - 1)).all()

    def test_a_task_for_any_tokenizer_is_a_capability(self):
        found = capability_of(
            piece_reader(), ("country_facts",), lambda batch: [intervention_for(piece_reader(), OWN, VECTOR, batch)],
            8, seed=0, part="select",
        )  # fmt: skip
        assert found.right.shape == (1, 1, 8)

    def test_what_is_written(self, trait):
        own = Subject(OWN, VECTOR, VECTOR[None].repeat(20, 1, 1))
        config = GeneratedConfig(n_prompts=4, opening=None, max_new_tokens=4, positive_words=("dogs",))
        found = generated_of(piece_reader(), prompts_of(piece_reader(), trait, 8, seed=0), [own], config)
        assert len(found.openings) == 4
        assert found.openings[0].endswith("Answer: (")
        np.testing.assert_array_equal(
            found.values["fluency"][1], found.values["fluency"][2], "the same direction again"
        )
