"""Attention through all layers, by hand."""

import torch

from interp_lab.attention_rollout import rollout


def test_the_last_layer_is_looked_through_first():
    """The third token looks at the first above, and below at the second: of the first it has 1/2, of the second 1/4.

    With the layers in the other order it would be 1/4 and 1/2.
    """
    below = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    above = torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 0, 0]])
    (found,) = rollout(torch.stack([below, above])[:, None])
    assert found.tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0.5, 0.25, 0.25]]


def test_rows_are_shares_whatever_the_layers():
    layers = torch.rand(5, 2, 4, 4, generator=torch.Generator().manual_seed(0)).softmax(-1)
    torch.testing.assert_close(rollout(layers).sum(-1), torch.ones(2, 4))
