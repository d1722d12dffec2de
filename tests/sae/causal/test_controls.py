"""Controls: as long as what they stand beside, and active where it is."""

import numpy as np
import torch

from interp_lab.sae.causal.controls import borrowed_rows, closeness, matched, random_rows


class TestRows:
    def test_are_as_long_as_the_latents_own(self):
        own = torch.tensor([3.0, 4.0, 0.0])
        drawn = random_rows(own, 50, seed=0)
        torch.testing.assert_close(drawn.norm(dim=-1), torch.full((50,), 5.0))
        assert torch.equal(drawn, random_rows(own, 50, seed=0))
        assert not torch.equal(drawn, random_rows(own, 50, seed=1))

    def test_of_other_latents_keep_their_direction(self):
        rows = torch.tensor([[2.0, 0, 0], [0, 7, 0], [0, 0, 1]])
        found = borrowed_rows(rows, 0, np.array([1, 2]), n=5, seed=0)
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
