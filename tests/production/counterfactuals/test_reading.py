"""Reading texts: what one forward pass tells, counted; and what the gradient foretells."""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
import torch

from interp_lab.hooks import edited
from interp_lab.production.counterfactuals.cases import grammar_cases, own_case
from interp_lab.production.counterfactuals.proposals import (
    Lexicon,
    deletions,
    swaps,
    token_edits,
    vocabulary_edits,
)
from interp_lab.production.counterfactuals.reading import Read, Reader, Slopes, first_order
from interp_lab.production.counterfactuals.search import Problem, Reach, searched
from interp_lab.production.counterfactuals.tested import fairness
from interp_lab.production.counterfactuals.words import written
from interp_lab.tasks.encoding import encode
from tests.tasks.reading import grammar_reader, piece_reader


@pytest.fixture(scope="module")
def cases():
    return grammar_cases("loans", 5, seed=[0], reserved=False, without=set())


@pytest.fixture(scope="module")
def reader():
    return Reader(grammar_reader(), batch_size=3)


def test_the_turn_is_that_of_the_best_other_answer():
    read = Read((1.0, 4.0, 3.5), 0.0)
    assert read.answer == 1
    assert read.turn(1) == -0.5
    assert read.turn(0) == 3.0


class TestReader:
    def test_reads_in_batches_what_one_text_alone_reads(self, cases):
        model, reader = grammar_reader(), Reader(grammar_reader(), batch_size=3)
        for case, read in zip(cases, reader.read([(case, case.words.text) for case in cases]), strict=True):
            (ids,) = encode(model, [case.words.text])
            logits = model(torch.tensor([ids]))[0]
            answers = [encode(model, [case.words.text + answer])[0][-1] for answer in case.answers]
            assert list(read.logits) == pytest.approx(logits[-1, answers].tolist(), rel=1e-4, abs=1e-4)
            own = logits[:-1].log_softmax(-1)[torch.arange(len(ids) - 1), list(ids[1:])]
            assert read.fluency == pytest.approx(own.mean().item(), rel=1e-4)

    def test_each_text_is_read_once_and_as_many_at_a_time_as_asked(self, cases):
        reader = Reader(grammar_reader(), batch_size=3)
        asked = [(case, case.words.text) for case in (*cases, *cases)]
        reader.read(asked)
        assert (reader.n_texts, reader.n_passes) == (5, 2)
        reader.read(asked)
        assert (reader.n_texts, reader.n_passes) == (5, 2)

    def test_many_texts_are_searched_and_tested_in_common_batches(self, cases):
        """As few passes as the number of texts allows, whatever text they are made of; none twice."""
        reader = Reader(grammar_reader(), batch_size=64)
        reads = reader.read([(case, case.words.text) for case in cases])
        problems = [
            Problem(case, case.vocabulary, np.zeros(len(case.vocabulary)), read.answer, read.turn(read.answer))
            for case, read in zip(cases, reads, strict=True)
        ]
        searched(reader, problems, Reach(most_edits=1))
        assert reader.n_texts == 5 + sum(len(case.vocabulary) for case in cases)
        assert reader.n_passes == 1 + ceil((reader.n_texts - 5) / 64)
        before = reader.n_passes
        fairness(reader, None, cases, ("neighbourhood",), name="loans", hidden="group")
        assert reader.n_passes == before  # all of that was read already
        fresh = Reader(grammar_reader(), batch_size=64)
        fairness(fresh, None, cases, ("neighbourhood",), name="loans", hidden="group")
        assert (fresh.n_texts, fresh.n_passes) == (5 + 5 * 5, 2)

    def test_answers_that_begin_alike_are_refused(self):
        with pytest.raises(ValueError, match="two begin with the same token"):
            Reader(grammar_reader()).read(
                [(own_case("the loan was", [" approved", " approved ."], {}), "the loan was")]
            )


class TestSlopes:
    def test_are_what_a_small_step_does(self, cases, reader):
        """The turn, with the embeddings a thousandth of the way towards an edited text, moves by so much."""
        case, model, step = cases[0], grammar_reader(), 1e-2
        (slopes,) = reader.slopes([case])
        answer = reader.read([(case, case.words.text)])[0].answer
        tokens = reader.answer_tokens(case)
        (ids,) = encode(model, [case.words.text])

        def turn(toward, share):
            moved = share * (reader.embedding[list(toward)] - reader.embedding[list(ids)])
            with torch.inference_mode(), edited(model, {"hook_embed": lambda at: at + moved}):
                at = model(torch.tensor([ids]))[0, -1].double()
            return float(at[tokens[1 - answer]] - at[tokens[answer]])

        edits = [case.vocabulary[nth] for nth in (0, 20, 40)]
        for edit, estimate in zip(edits, reader.estimates(case, edits, slopes), strict=True):
            (row,) = encode(model, [written(case.words, [edit])])
            slope = (turn(row, step) - turn(row, -step)) / (2 * step)
            assert estimate == pytest.approx(slope, rel=2e-2, abs=2e-3)

    def test_of_many_texts_at_once_are_those_of_each(self, cases, reader):
        for together, case in zip(reader.slopes(cases), cases, strict=True):
            (alone,) = Reader(grammar_reader()).slopes([case])
            assert together.ids == alone.ids
            torch.testing.assert_close(together.gradient, alone.gradient, rtol=1e-3, atol=1e-5)
            torch.testing.assert_close(together.log_probs, alone.log_probs, rtol=1e-3, atol=1e-4)

    def test_what_is_likely_at_a_place_is_given_what_stands_before_it(self, cases, reader):
        """Of the tokens that stand there, the mean is how likely the text was read to be."""
        for slopes, read in zip(reader.slopes(cases), reader.read([(c, c.words.text) for c in cases]), strict=True):
            own = slopes.log_probs[torch.arange(len(slopes.ids)), list(slopes.ids)]
            assert own[0] == 0
            assert float(own[1:].mean()) == pytest.approx(read.fluency, rel=1e-4)

    @pytest.mark.parametrize(
        ("new", "estimate"),
        [
            ((7, 1, 2, 3), 0.0),
            ((7, 4, 2, 5), (10 - 1) * 1 + (20 - 3) * 100),
            ((7, 1, 3), -2 * 10),
            ((7, 1, 4, 5, 3), (15 - 2) * 10),
            ((7, 4, 3), (10 - 1) * 1 + (10 - 2) * 10),
        ],
        ids=["the same", "two replaced", "one left out", "one by two: their mean", "two by one"],
    )
    def test_first_order_by_hand(self, new, estimate):
        """Token t puts in the number t, but 4 puts in 10 and 5 puts in 20; the places weigh 0, 1, 10 and 100."""
        embedding = torch.tensor([0.0, 1, 2, 3, 10, 20, 6, 7])[:, None]
        slopes = Slopes((7, 1, 2, 3), torch.tensor([[0.0], [1], [10], [100]]), torch.zeros(4, 8))
        assert first_order(slopes, new, embedding) == estimate


class TestProposals:
    def test_every_word_may_go_and_marks_stay(self, cases):
        text = cases[0].words.text
        made = [written(cases[0].words, [edit]) for edit in deletions(cases[0])]
        assert all(len(one.split()) == len(text.split()) - 1 for one in made)
        assert len(made) == sum(word.isalnum() for word in text.split())

    def test_words_are_swapped_that_may_stand_in_each_others_place(self):
        slots = {"income": ["low income", "high income"], "debt": ["low debt", "high debt"], "town": ["York", "Rome"]}
        case = own_case("low income , high debt , York", [" a", " b"], slots)
        assert [written(case.words, [edit]) for edit in swaps(case)] == ["high income , low debt , York"]

    def test_of_loans_two_levels_are_swapped(self, cases):
        for edit in swaps(cases[0]):
            (one, new), (other, old) = edit.places
            words = cases[0].words.words
            assert (words[one], words[other]) == (old, new)
            assert {old, new} <= {"low", "medium", "high"}

    @pytest.mark.parametrize("by", ["gradient", "fillers", "random"])
    def test_words_of_the_tokenizer_take_one_place_each(self, by, cases, reader):
        case, (slopes,) = cases[0], reader.slopes(cases[:1])
        made = token_edits(reader, case, slopes, Lexicon.of(reader), by=by, n=20, rng=np.random.default_rng(0))
        assert len(made) == 20
        for edit in made:
            ((nth, new),) = edit.places
            assert new not in ("approved", "rejected", case.words.words[nth])
            (row,) = encode(reader.model, [written(case.words, [edit])])
            assert sum(a != b for a, b in zip(row, slopes.ids, strict=True)) == 1

    def test_the_gradient_ranks_first_what_it_foretells_most_of(self, cases, reader):
        """No word of the vocabulary at its place is foretold more of than the last of those that are ranked first."""
        case, (slopes,) = cases[0], reader.slopes(cases[:1])
        made = token_edits(reader, case, slopes, Lexicon.of(reader), by="gradient", n=8, rng=np.random.default_rng(0))
        foretold = reader.estimates(case, made, slopes)
        assert list(foretold) == sorted(foretold, reverse=True)
        single = {edit.places for edit in made}
        others = [edit for edit in vocabulary_edits(case) if len(edit.places) == 1 and edit.places not in single]
        assert max(reader.estimates(case, others, slopes)) <= foretold[-1] * (1 + 1e-4)

    def test_fillers_come_as_often_as_the_model_would_write_them(self, cases, reader):
        """Red three times as likely as blue at every place, and all else impossible."""
        case, (slopes,) = cases[0], reader.slopes(cases[:1])
        lexicon, rng = Lexicon.of(reader), np.random.default_rng(0)
        token = {text: one for one, text in lexicon.spelt.items()}
        log_probs = torch.full_like(slopes.log_probs, -1e9)
        log_probs[:, token["red"]], log_probs[:, token["blue"]] = np.log(0.75), np.log(0.25)
        told = replace(slopes, log_probs=log_probs)
        drawn = [
            token_edits(reader, case, told, lexicon, by="fillers", n=1, rng=rng)[0].places[0][1] for _ in range(80)
        ]
        assert set(drawn) == {"red", "blue"}
        assert 0.6 < drawn.count("red") / 80 < 0.9

    def test_tokens_with_a_space_before_them_stand_where_such_a_token_stands(self):
        """Byte pairs: what is put in has the same space before it, or the text would be read otherwise."""
        reader = Reader(piece_reader())
        case = own_case("Paul and Mary went to the store", [" Paul", " Mary"], {})
        (slopes,) = reader.slopes([case])
        made = token_edits(reader, case, slopes, Lexicon.of(reader), by="random", n=30, rng=np.random.default_rng(0))
        assert made
        for edit in made:
            (row,) = encode(reader.model, [written(case.words, [edit])])
            assert sum(a != b for a, b in zip(row, slopes.ids, strict=True)) == 1
