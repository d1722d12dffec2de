"""Controls: as long as what they stand beside, and active where it is."""

from itertools import product

import numpy as np
import torch

from interp_lab.sae.causal.controls import as_long, borrowed_rows, closeness, matched, random_rows, reach


class TestRows:
    def test_are_as_long_as_the_latents_own(self):
        own = torch.tensor([3.0, 4.0, 0.0])
        drawn = random_rows(own, 50, key=(0, 1, 2))
        torch.testing.assert_close(drawn.norm(dim=-1), torch.full((50,), 5.0))
        assert torch.equal(drawn, random_rows(own, 50, key=(0, 1, 2)))
        assert torch.equal(drawn[:20], random_rows(own, 20, key=(0, 1, 2))), "more draws leave the first as they are"

    def test_of_different_keys_share_no_draw(self):
        """Seeds that add up would: draw 1 of seed 0 is draw 0 of seed 1."""
        own = torch.ones(8)
        drawn = torch.cat([random_rows(own, 3, key=key) for key in product((0, 1), repeat=3)])
        cosines = (drawn @ drawn.T / 8).fill_diagonal_(0)
        assert cosines.abs().max() < 0.999

    def test_of_other_latents_keep_their_direction(self):
        rows = torch.tensor([[2.0, 0, 0], [0, 7, 0], [0, 0, 1]])
        found = borrowed_rows(rows, 0, np.array([1, 2]), n=5, key=(0,))
        assert sorted(map(tuple, found.tolist())) == [(0, 0, 2), (0, 2, 0)]


class TestMatched:
    lengths = np.array(
        [
            [4.0, 0, 4, 0],  # chosen
            [0.0, 4, 0, 4],  # as dense and as strong, on the other prompts
            [3.0, 0, 3, 0],  # weaker, on the same prompts
            [1.0, 1, 1, 1],
        ]
    )

    def test_prefers_the_same_prompts_to_the_same_density(self):
        """By density and mean the second latent is the better match; silencing it does nothing where the first acts."""
        found = matched(self.lengths, np.array([0]), np.array([1, 2, 3]), n=2)
        assert found.tolist() == [[2, 3]]

    def test_says_how_much_the_matches_write(self):
        assert closeness(self.lengths, np.array([0]), np.array([[2]])).tolist() == [0.75]

    def test_prefers_all_the_prompts_to_the_same_length_on_some(self):
        """It is brought to the same length anyway, but nothing can be where it does not change."""
        lengths = np.array([[4.0, 4, 4, 4], [4.0, 4, 0, 0], [1.0, 1, 1, 1]])
        assert matched(lengths, np.array([0]), np.array([1, 2]), n=1).tolist() == [[2]]
        assert reach(lengths, np.array([0]), np.array([[1, 2]])).tolist() == [0.75]


class TestAsLong:
    def test_brings_changes_to_a_length_prompt_by_prompt(self):
        changes = torch.tensor([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]])
        found = as_long(changes, changes.norm(dim=-1), torch.tensor([10.0, 10.0, 5.0]))
        assert found.tolist() == [[6, 8], [0, 0], [3, 4]]

    def test_blows_nothing_up_that_is_faint(self):
        changes = torch.tensor([[1e-6, 0.0], [0.5, 0.0]])
        found = as_long(changes, changes.norm(dim=-1), torch.tensor([10.0, 10.0]))
        assert found.tolist() == [[0, 0], [10, 0]]
