"""Operations on latents, with numbers worked by hand."""

import pytest
import torch

from interp_lab.sae.causal.config import Operation
from interp_lab.sae.causal.operations import Reference, changed_by, lengths, written

LATENTS = torch.tensor([[[1.0, 0.0], [2.0, 4.0], [9.0, 9.0]]])
"""One prompt of three tokens, two latents; the last token is not asked about."""
ASKED = torch.tensor([[True, True, False]])
REFERENCE = Reference(torch.tensor([0.5, 2.0]), torch.tensor([3.0, 4.0]))
OTHER = torch.tensor([[[4.0, 4.0], [2.0, 0.0], [1.0, 1.0]]])


class TestChangedBy:
    @pytest.mark.parametrize(
        ("operation", "first", "second"),
        [
            (Operation.ZERO, [-1, -2], [0, -4]),
            (Operation.MEAN, [-0.5, -1.5], [2, -2]),
            (Operation.RESAMPLE, [3, 0], [4, -4]),
            (Operation.CORRUPTED, [3, 0], [4, -4]),
            (Operation.SCALE, [2, 4], [0, 8]),
            (Operation.CLAMP, [0.5, -0.5], [2, -2]),
        ],
    )
    def test_says_by_how_much_each_latent_changes_where_it_is_asked_about(self, operation, first, second):
        change = changed_by(operation, LATENTS, asked=ASKED, reference=REFERENCE, other=OTHER, scale=3.0, clamp=0.5)
        assert change[0, :, 0].tolist() == [*first, 0]
        assert change[0, :, 1].tolist() == [*second, 0]

    def test_needs_other_prompts_to_take_values_from(self):
        with pytest.raises(ValueError, match=r"corrupted takes values from other prompts.*use zero or mean"):
            changed_by(Operation.CORRUPTED, LATENTS, asked=ASKED, reference=REFERENCE)


def test_the_reference_counts_only_tokens_that_are_asked_about():
    reference = Reference.of(LATENTS, ASKED)
    assert reference.mean.tolist() == [1.5, 2.0]
    assert reference.largest.tolist() == [2.0, 4.0]


def test_the_length_of_a_change_is_that_of_what_it_writes():
    """3 and 4 along a row of length 2, on two tokens: 10."""
    change = torch.tensor([[[3.0], [4.0]]])
    row = torch.tensor([[0.0, 2.0]])
    assert lengths(change, row).tolist() == [[10.0]]
    assert written(change, row).norm() == 10.0
