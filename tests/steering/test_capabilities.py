"""What else a model can do, with steering and without."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.decoding.where import Prompted
from interp_lab.effects.capabilities import CAPABILITIES, capability_pairs, correctness
from interp_lab.steering.capabilities import capability_of
from interp_lab.steering.setting import intervention_for, selected_tokens
from tests.steering.made import literal_logits, organism, setting, vectors


def pairs_of(right, wrong):
    """Pairs whose answers are these tokens."""
    pairs = capability_pairs(organism(), "facts", len(right), seed=0, part="select")
    answers, wrong = (tuple(tuple((token,) for token in chosen) for chosen in given) for given in (right, wrong))
    return replace(pairs, answers=answers, wrong=wrong)


def scores(logits, *, right=((5,),), wrong=((6,),)):
    pairs = pairs_of(right, wrong)
    whole = torch.zeros(len(right), pairs.clean.shape[1], 599)
    for row, values in enumerate(logits):
        for token, value in values.items():
            whole[row, pairs.answer_position[row], token] = value
    return correctness(pairs)(whole).tolist()


class TestByHand:
    @pytest.mark.parametrize(
        ("logits", "score"),
        [
            ({5: 3.0}, 2.0),
            ({5: 3.0, 6: 2.0, 300: 4.0}, 1.0),
            ({5: 3.0, 6: 2.0, 1: 4.0}, 1.0),
            ({5: 2.0, 6: 3.0}, 0.0),
            ({5: 2.0, 6: 2.0}, 0.0),
            ({}, 0.0),
            ({5: 3.0, 300: 3.0}, 1.0),
        ],
        ids=["likeliest of all", "another one", "another one before", "wrong", "tie", "tie of all", "tie with another"],
    )
    def test_one_answer(self, logits, score):
        assert scores([logits]) == [score]

    def test_an_answer_of_another_example_is_wrong_here(self):
        assert scores([{5: 3.0, 8: 4.0}, {8: 4.0, 9: 1.0}], right=((5,), (8,)), wrong=((6,), (9,))) == [0.0, 2.0]

    def test_any_right_answer_will_do(self):
        assert scores([{8: 3.0, 6: 2.0}, {6: 3.0, 8: 2.0}], right=((5, 8), (5, 8)), wrong=((6, 7), (6,))) == [2.0, 0.0]

    def test_answers_of_several_tokens(self):
        pairs = pairs_of(((5,),), ((6,),))
        with pytest.raises(ValueError, match="several tokens"):
            correctness(replace(pairs, answers=(((5, 6),),)))


class TestExamples:
    @pytest.mark.parametrize("name", CAPABILITIES)
    def test_halves_share_no_prompt(self, name):
        halves = [
            capability_pairs(organism(), name, 24, seed=0, part=half).clean_texts for half in ("select", "report")
        ]
        assert not set(halves[0]) & set(halves[1])
        assert [len(set(texts)) for texts in halves] == [24, 24]

    def test_there_may_be_too_few(self, tmp_path):
        line = {
            "clean": "the film was",
            "corrupted": "the meal was",
            "answer": " slow",
            "wrong": " cold",
            "template": "t",
        }
        path = tmp_path / "own.jsonl"
        path.write_text("\n".join(json.dumps(line) for _ in range(4)))
        with pytest.raises(ValueError, match="has 1 different prompts, and two halves of 2 are asked for"):
            capability_pairs(organism(), str(path), 2, seed=0, part="select")


class TestUnderSteering:
    SETTINGS = (setting(coefficient=0.0), setting(coefficient=4.0), setting("ablate", "last"))

    @pytest.fixture(scope="class")
    def found(self):
        def make(batch):
            return [intervention_for(organism(), one, vectors(), batch) for one in self.SETTINGS]

        return capability_of(organism(), ("facts", "agreement"), make, 16, seed=0, part="report")

    def test_the_organism_knows_its_facts(self, found):
        assert found.clean_top.mean() > 0.9

    def test_a_coefficient_of_zero_loses_nothing(self, found):
        assert (found.loss[:, 0] == 0).all()
        assert (found.top_loss[:, 0] == 0).all()

    def test_is_that_of_a_literal_pass(self, found):
        for nth, name in enumerate(found.names):
            pairs = capability_pairs(organism(), name, 16, seed=0, part="report")
            batch = _batch(pairs)
            every = {t for sets in (*pairs.answers, *pairs.wrong) for (t,) in sets}
            for at, one in enumerate(self.SETTINGS):
                logits = literal_logits(one, vectors(), batch, selected_tokens(organism(), one, batch))
                for row in range(16):
                    own = logits[row, pairs.answer_position[row]]
                    best = max(float(own[token]) for (token,) in pairs.answers[row])
                    among = best > max(float(own[token]) for token in every - {t for (t,) in pairs.answers[row]})
                    assert bool(found.right[nth, at, row]) is among
                    assert bool(found.top[nth, at, row]) is (among and best == float(own.max()))

    def test_random_vectors_that_are_long_cost_something(self, found):
        assert found.top_loss[:, 1].mean() > 0.05
        assert (found.top <= found.right).all()

    def test_nothing_to_measure_but_the_model(self):
        found = capability_of(organism(), ("facts",), lambda batch: [], 8, seed=0, part="select")
        assert found.right.shape == (1, 0, 8)
        assert found.clean_right.mean() > 0.9

    def test_an_unknown_task(self):
        with pytest.raises(ValueError, match="unknown task 'fact'"):
            capability_of(organism(), ("fact",), lambda batch: [], 8, seed=0, part="select")

    def test_shapes(self, found):
        assert found.right.shape == found.top.shape == (2, 3, 16)
        assert [len(names) for names in found.templates] == [16, 16]
        assert np.isin(found.right, (0.0, 1.0)).all()


def _batch(pairs):
    return Prompted(pairs.clean, pairs.mask, pairs.answer_position)
