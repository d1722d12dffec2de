"""Shuffled answers: chance is one half, kinds are kept apart, and what stands in the prompt is no evidence."""

import numpy as np
import pytest
import torch

from interp_lab.lenses import Asked, asked, asked_tokens, model_errors, outranked, read_lens
from interp_lab.lenses.known_answers import recall_asked
from interp_lab.lenses.known_models import recall_model, recall_prompts
from interp_lab.tasks import pairs_for
from tests.lenses.models import named_tiny, organism, tiny_asked
from tests.tiny import tokens


class TestShuffledAnswers:
    def test_they_are_right_answers_of_other_prompts(self):
        found = asked(np.array([1, 2, 3, 4] * 4), np.array([2, 3, 4, 1] * 4), n_shuffled=5)
        for right, wrong, row in zip(found.right, found.wrong, found.shuffled, strict=True):
            assert set(row) <= {1, 2, 3, 4} - {right, wrong}

    def test_of_another_kind_none_are_drawn(self):
        """Capitals (1, 2, 3) are never right or wrong where languages (11, 12, 13) are."""
        right = np.array([1, 2, 3, 11, 12, 13] * 3)
        wrong = np.array([2, 3, 1, 12, 13, 11] * 3)
        found = asked(right, wrong)
        assert ((found.shuffled > 10) == (right > 10)[:, None]).all()

    def test_of_two_answers_the_other_one_is_the_wrong_one(self):
        found = asked(np.array([5, 6] * 8), np.array([6, 5] * 8), n_shuffled=3)
        assert (found.shuffled == found.wrong[:, None]).all()

    def test_of_pairs_the_answers_of_the_clean_prompts(self):
        pairs = pairs_for(organism(), "grammar/facts", 24, seed=0)
        found = asked_tokens(pairs)
        assert found.right.tolist() == [sets[0][0] for sets in pairs.answers]
        assert found.targets().shape == (24, 18)

    def test_another_wrong_token_is_taken_out_of_the_shuffled_ones(self):
        found = asked(np.array([1, 2, 3, 4] * 4), np.array([2, 3, 4, 1] * 4)).with_wrong(np.full(16, 3))
        assert not (found.shuffled == 3)[found.right != 3].all()
        assert not (found.shuffled[found.right == 1] == 3).any()

    def test_same_seed_same_answers(self):
        right, wrong = np.arange(20), np.roll(np.arange(20), 1)
        one, again, other = (asked(right, wrong, seed=seed).shuffled for seed in (0, 0, 1))
        np.testing.assert_array_equal(one, again)
        assert (one != other).any()

    @pytest.mark.parametrize(
        ("right", "wrong", "says"),
        [
            ([1, 1, 1], [2, 2, 2], "of 3 prompts 3 have no other right answer of their kind"),
            ([1, 2], [2, 2], "token 2 is both right and wrong in prompt 1"),
            ([], [], "0 right tokens"),
            ([1, 2], [3], "2 right tokens and 1 wrong"),
        ],
    )
    def test_bad_input(self, right, wrong, says):
        with pytest.raises(ValueError, match=says):
            asked(np.array(right, dtype=int), np.array(wrong, dtype=int))


class TestOutranked:
    def test_where_the_answer_is_told_apart_it_is_one(self):
        prompts = recall_asked(recall_prompts(24, seed=0))
        reading = read_lens(recall_model(), prompts.tokens, prompts.answers.targets(), positions=prompts.positions)
        shares = outranked(reading).mean(1)
        subject, end = list(prompts.places).index("subject"), list(prompts.places).index("end")
        np.testing.assert_allclose(shares[:, subject], [0.5, 1, 1, 1])
        np.testing.assert_allclose(shares[:, end], [0.5, 0.5, 1, 1])

    def test_a_lens_that_knows_nothing_of_the_prompt_outranks_half(self):
        """Whatever tokens a model prefers: over prompts, every answer is right as often as it is a shuffled one."""
        model = named_tiny()
        with torch.no_grad():
            model.unembed.W_U.zero_()
            model.unembed.b_U.copy_(torch.arange(24.0))
        prompts = tiny_asked(600)
        reading = read_lens(model, prompts.tokens, prompts.answers.targets(), positions=prompts.positions)
        assert abs(outranked(reading).mean() - 0.5) < 0.03

    def test_logits_within_rounding_are_ties(self):
        model = named_tiny()
        with torch.no_grad():
            model.unembed.W_U.zero_()
            model.unembed.b_U.copy_(torch.arange(24.0) * 1e-9)
        prompts = tiny_asked()
        reading = read_lens(model, prompts.tokens, prompts.answers.targets(), positions=prompts.positions)
        assert (outranked(reading) == 0.5).all()


class TestAsked:
    def test_places_of_pairs_are_roles_that_differ(self):
        prompts = Asked.of_pairs(pairs_for(organism(), "grammar/facts", 24, seed=0))
        assert set(prompts.places) == {"start", "country", "end"}  # `changed` is where the country is

    def test_a_place_where_the_answer_stands_gives_it_away(self):
        ids = torch.tensor([[1, 5, 2, 9], [1, 6, 2, 9], [1, 7, 2, 9]])
        places = {"name": torch.tensor([1, 1, 1]), "other": torch.tensor([2, 2, 2]), "end": torch.tensor([3, 3, 3])}
        prompts = Asked(ids, asked(np.array([5, 8, 9]), np.array([8, 9, 5])), places, ("a", "a", "a"))
        assert prompts.gives_away().tolist() == [True, False, True]

    def test_rows_keep_their_shuffled_answers(self):
        prompts = tiny_asked()
        some = prompts.rows(np.array([4, 2]))
        np.testing.assert_array_equal(some.answers.shuffled, prompts.answers.shuffled[[4, 2]])
        assert some.clusters == (prompts.clusters[4], prompts.clusters[2])

    def test_halves_joined_are_the_whole(self):
        prompts = tiny_asked()
        both = prompts.rows(np.arange(20)).joined(prompts.rows(np.arange(20, 32)))
        assert torch.equal(both.tokens, prompts.tokens)
        np.testing.assert_array_equal(both.answers.shuffled, prompts.answers.shuffled)
        assert torch.equal(both.positions, prompts.positions)

    def test_errors_are_the_prompts_whose_likeliest_token_is_another(self):
        model, prompts = named_tiny(), tiny_asked(64)
        said = model(prompts.tokens)[:, -1].argmax(-1).numpy()
        found = model_errors(model, prompts)
        assert found is not None
        failing = said != prompts.answers.right
        assert torch.equal(found.tokens, prompts.tokens[torch.from_numpy(failing)])
        np.testing.assert_array_equal(found.answers.wrong, said[failing])

    def test_a_model_that_errs_nowhere_has_no_errors(self):
        assert model_errors(recall_model(), recall_asked(recall_prompts(16, seed=0))) is None

    @pytest.mark.parametrize(
        ("places", "says"),
        [
            ({"name": torch.zeros(2, dtype=torch.long)}, "no place 'end'"),
            ({"end": torch.tensor([3, 9])}, "place 'end' needs a position from 0 to 8"),
            ({"end": torch.tensor([3])}, "for each prompt"),
        ],
    )
    def test_bad_places(self, places, says):
        with pytest.raises(ValueError, match=says):
            Asked(tokens(2), asked(np.array([1, 2]), np.array([2, 1])), places, ("a", "b"))
