import numpy as np
import pytest

from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.drawn import TRAIN, draw
from interp_lab.probes.prompts import unseen_pairs, varied_with
from interp_lab.tasks.labels import LabelName

MISLEADING = LabelName("sycophancy", "is_misleading")


@pytest.fixture(scope="module")
def model():
    from interp_lab import load_model

    return load_model("organism")


@pytest.mark.parametrize(
    ("label", "varied"),
    [
        (LabelName("truth", "is_true"), "is_true"),
        (MISLEADING, "opinion"),  # cannot be varied by itself
        (LabelName("sycophancy", "wording"), "opinion"),  # can, and changes no answer
    ],
    ids=str,
)
def test_pairs_vary_the_label_where_it_can_be_varied_and_an_answer_hangs_on_it(label, varied):
    assert varied_with(label, reserved=False) == varied


def test_the_corrupted_text_of_each_pair_has_the_other_label(model):
    train = draw(model, MISLEADING, ProbesConfig(n_documents=320, n_held_out=None)).part(TRAIN)
    unseen = unseen_pairs(model, MISLEADING, train, 48, reserved=False, seed=2)
    pairs = unseen.pairs
    assert unseen.changes_label.all()
    for text, latents in zip(pairs.corrupted_texts, pairs.latents, strict=True):
        words = text.replace(",", " ").split()
        is_misleading = latents["right"] not in words and "it" not in words
        assert is_misleading != latents["is_misleading"]


def test_where_too_few_texts_turn_the_label_all_are_taken_and_it_says_so(model):
    label = LabelName("sycophancy", "wording")
    train = draw(model, label, ProbesConfig(n_documents=320, n_held_out=None)).part(TRAIN)
    unseen = unseen_pairs(model, label, train, 32, reserved=False, seed=2)
    assert not unseen.changes_label.any()
    assert len(unseen.pairs) == 32
    assert np.unique(unseen.pairs.clean_texts).size == 32
