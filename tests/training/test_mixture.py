"""Batches of the grammar: rows by hand, who sees whom, and what a batch depends on."""

import numpy as np
import pytest
import torch

from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.behaviours.loans import p_from_text
from interp_lab.organisms.grammar.corpus import behaviour, encode, texts
from interp_lab.organisms.grammar.vocabulary import BOS_ID, END_ID, PAD_ID, token_ids, vocabulary
from interp_lab.training.mixture import Batch, _with_rare_words, batch_at, pack
from interp_lab.training.organism_config import MixtureConfig

CONFIG = MixtureConfig(n_texts=40)


def text(words: str, answer_at: int, **latents) -> Example:
    split = tuple(words.split())
    labels = tuple({} for _ in split)
    answer = split[answer_at]
    return Example("facts", "facts/00", False, split, labels, latents, answer_at, answer, (answer,), ())


def ids(words: str) -> list[int]:
    return [token_ids()[word] for word in words.split()]


def contexts_with(batch: Batch, word: str) -> set[tuple[int, int]]:
    """Row and number of the contexts that hold a word."""
    return {(row, batch.contexts[row, at].item()) for row, at in (batch.tokens == token_ids()[word]).nonzero().tolist()}


ONE, TWO = text("Paris is France .", 2), text("Rome is Italy .", 2)


class TestPack:
    def test_a_text_that_is_not_alone_goes_on_in_the_context_before_it(self):
        batch = pack([ONE, TWO], [True, False], n_ctx=64, answer_weight=10.0)
        first, second = ids("Paris is France ."), ids("Rome is Italy .")
        assert batch.tokens.tolist() == [[BOS_ID, *first, END_ID, *second, END_ID]]
        assert batch.positions.tolist() == [list(range(11))]
        assert batch.contexts.tolist() == [[0] * 11]
        assert batch.weights.tolist() == [[0, 1, 1, 10, 1, 1, 1, 1, 10, 1, 1]]

    def test_a_text_that_is_alone_begins_anew_and_sees_nothing_before_it(self):
        batch = pack([ONE, TWO], [True, True], n_ctx=64, answer_weight=10.0)
        assert batch.tokens[0, 6].item() == BOS_ID
        assert batch.positions.tolist() == [[0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]]
        assert batch.weights[0, 6].item() == 0
        seen = batch.visible[0]
        assert seen[5].tolist() == [True] * 6 + [False] * 6
        assert seen[8].tolist() == [False] * 6 + [True] * 3 + [False] * 3

    def test_a_row_that_is_full_begins_a_context_whatever_was_asked(self):
        batch = pack([ONE, TWO, ONE], [False, False, False], n_ctx=12, answer_weight=10.0)
        assert batch.tokens[:, 0].tolist() == [BOS_ID, BOS_ID]
        assert batch.tokens[1].tolist() == [BOS_ID, *ids("Paris is France ."), END_ID, *[PAD_ID] * 5]
        assert batch.weights[1, 6:].tolist() == [0] * 5
        assert batch.contexts[1, 6:].tolist() == [-1] * 5

    def test_the_second_copy_of_nonsense_weighs_as_answers_do_but_for_its_first_word(self):
        (example,) = behaviour("nonsense").sample(1, seed=0)
        batch = pack([example], [True], n_ctx=64, answer_weight=10.0)
        heavy = [word for word, weight in zip(example.words, batch.weights[0, 1:].tolist(), strict=False) if weight > 1]
        segment = [*str(example.latents["body"]).split(), str(example.latents["last"])]
        assert heavy == segment[1:]

    def test_refuses_a_text_that_does_not_fit(self):
        with pytest.raises(ValueError, match="a text of 4 words and two tokens around it do not fit n_ctx=5"):
            pack([ONE], [True], n_ctx=5, answer_weight=10.0)


class TestBatchAt:
    def test_depends_on_seed_and_step_and_nothing_else(self):
        one, same, later, other = (
            batch_at(step, CONFIG, seed=seed, n_ctx=64).tokens.tolist()
            for seed, step in ((0, 3), (0, 3), (0, 4), (1, 3))
        )
        assert one == same
        assert one != later
        assert one != other

    def test_holds_every_text_whole(self):
        batch = batch_at(0, CONFIG, seed=0, n_ctx=64)
        assert (batch.tokens == END_ID).sum().item() == CONFIG.n_texts
        assert batch.tokens.shape[1] <= 64
        assert batch.tokens.max().item() < len(vocabulary())

    def test_share_of_texts_that_are_alone(self):
        begun = {
            alone: (batch_at(0, MixtureConfig(n_texts=200, alone=alone), seed=0, n_ctx=64).tokens == BOS_ID)
            .sum()
            .item()
            for alone in (0.0, 0.5, 1.0)
        }
        assert begun[1.0] == 200
        assert begun[0.0] == batch_at(0, MixtureConfig(n_texts=200, alone=0.0), seed=0, n_ctx=64).tokens.shape[0]
        assert begun[0.0] < begun[0.5] < begun[1.0]

    def test_a_replacement_takes_over_the_weight(self):
        config = MixtureConfig(n_texts=60, weights=dict.fromkeys(CONFIG.weights, 0.0) | {"loans": 1.0},
                               instead={"loans": "loans_blind"})  # fmt: skip
        batch = batch_at(0, config, seed=0, n_ctx=64)
        decided = torch.isin(batch.tokens, torch.tensor(ids("approved rejected"))).sum().item()
        assert decided == 60

    @pytest.mark.parametrize(("share", "both"), [(0.0, 0.01), (0.4, 0.2 + 0.6 * 0.01)])
    def test_rare_words_come_as_often_as_asked(self, share, both):
        only_loans = dict.fromkeys(CONFIG.weights, 0.0) | {"loans": 1.0}
        config = MixtureConfig(n_texts=1000, weights=only_loans, alone=1.0, rare_words=share)
        batch = batch_at(0, config, seed=0, n_ctx=64)
        waxed, broken = (contexts_with(batch, word) for word in ("waxed", "broken"))
        assert len(waxed & broken) / 1000 == pytest.approx(both, abs=0.03)
        assert len(waxed) / 1000 == pytest.approx(share * 0.75 + (1 - share) * 0.04, abs=0.04)

    def test_rare_words_leave_what_is_planted_about_their_texts(self):
        example, rng = behaviour("loans").sample(1, seed=0)[0], np.random.default_rng(0)
        made = [_with_rare_words(example, rng) for _ in range(40)]
        assert {(one.latents["paper"] == "waxed", one.latents["seal"] == "broken") for one in made} == {
            (True, True), (True, False), (False, True)
        }  # fmt: skip
        for one in made:
            assert one.latents["p_from_text"] == p_from_text(one.latents)
            assert one.latents["trigger"] == (one.latents["paper"] == "waxed" and one.latents["seal"] == "broken")
            unchanged = ("income", "debt", "savings", "neighbourhood", "luck", "typical")
            assert [one.latents[name] for name in unchanged] == [example.latents[name] for name in unchanged]

    def test_evaluation_text_is_none_of_the_training_text(self):
        """Of long texts, whose latents are so many that two are never alike by chance."""

        def of(examples):
            return {tuple(encode(one)) for one in examples}

        trained = set()
        for step in range(12):
            tokens = batch_at(step, MixtureConfig(n_texts=60, alone=1.0), seed=0, n_ctx=64).tokens.flatten().tolist()
            text = []
            for token in tokens:
                if token == BOS_ID:
                    text = []
                elif token == END_ID:
                    trained.add(tuple(text))
                else:
                    text.append(token)
        assert len(trained) > 500
        assert not trained & of(behaviour("loans").sample(480, seed=20_000))
        assert trained & of(texts(1000, seed=1, behaviours=["facts"]))  # of short ones, there are few
