"""Where heads of each type would look, drawn by hand."""

from functools import partial

import pytest
import torch

from interp_lab.attention.masks import (
    HEAD_TYPES,
    checked_mask,
    current_token_mask,
    delimiter_mask,
    duplicate_token_mask,
    first_token_mask,
    induction_mask,
    local_window_mask,
    previous_token_mask,
    require_targets,
    visible,
)
from interp_lab.attention.scores import attention_to

EVERY_MASK = {
    **HEAD_TYPES,
    "current_token": current_token_mask,
    "local_window": partial(local_window_mask, width=3),
    "delimiter": partial(delimiter_mask, delimiters=[1, 2]),
    "visible": visible,
}


def drawn(mask: torch.Tensor) -> list[str]:
    """The first sequence's mask, a row per query."""
    return ["".join("x" if at else "." for at in row) for row in mask[0].tolist()]


class TestMasks:
    """Rows are queries, columns keys; True where a head of the type would look."""

    def test_previous_token(self):
        assert previous_token_mask(torch.tensor([[3, 3, 3]]))[0].long().tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]

    def test_first_token_leaves_out_the_query_that_can_look_nowhere_else(self):
        assert first_token_mask(torch.tensor([[3, 3, 3]]))[0].long().tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0]]

    def test_duplicate_token_is_every_earlier_occurrence(self):
        mask = duplicate_token_mask(torch.tensor([[4, 9, 4, 4]]))[0].long().tolist()
        assert mask == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0]]

    def test_induction_is_what_followed_an_earlier_occurrence(self):
        mask = induction_mask(torch.tensor([[4, 9, 4, 4]]))[0].long().tolist()
        assert mask == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 1]]

    def test_current_token_leaves_out_the_query_that_can_look_nowhere_else(self):
        assert drawn(current_token_mask(torch.tensor([[3, 3, 3]]))) == ["...", ".x.", "..x"]

    def test_a_local_window_is_the_tokens_before_the_query(self):
        assert drawn(local_window_mask(torch.tensor([[3, 3, 3, 3]]), width=2)) == ["....", "x...", "xx..", ".xx."]

    def test_a_window_of_one_is_the_previous_token(self):
        tokens = torch.tensor([[3, 1, 4, 1, 5]])
        assert torch.equal(local_window_mask(tokens, width=1), previous_token_mask(tokens))

    def test_delimiters_before_the_query(self):
        mask = delimiter_mask(torch.tensor([[1, 7, 2, 7, 2]]), delimiters={1, 2})
        assert drawn(mask) == [".....", "x....", "x....", "x.x..", "x.x.."]

    @pytest.mark.parametrize("kind", EVERY_MASK)
    def test_no_type_looks_ahead(self, kind):
        tokens = torch.randint(4, (3, 12), generator=torch.Generator().manual_seed(0))
        assert EVERY_MASK[kind](tokens).any()
        assert not EVERY_MASK[kind](tokens).triu(1).any()

    def test_on_repeated_tokens_induction_is_the_stripe_of_the_literature(self):
        """Second copy: attention from q to q - period + 1 (TransformerLens: diagonal at offset 1 - period)."""
        pattern = torch.rand(1, 1, 7, 7, generator=torch.Generator().manual_seed(0)).tril()
        stripe = pattern[0, 0].diagonal(offset=1 - 3)[-3:].mean()
        bos_x_x = torch.tensor([[0, 5, 6, 7, 5, 6, 7]])
        assert float(attention_to(pattern, induction_mask(bos_x_x)[None])) == pytest.approx(float(stripe))


class TestPadding:
    """Padded prompts hold token 0, which is also a token of the prompts: only `real` tells them apart."""

    prompt = torch.randint(3, (1, 8), generator=torch.Generator().manual_seed(2))

    @pytest.mark.parametrize("kind", EVERY_MASK)
    @pytest.mark.parametrize("before", [0, 2, 3])
    def test_masks_are_those_of_the_prompt_alone(self, kind, before):
        padded = torch.nn.functional.pad(self.prompt, (before, 3 - before))
        real = torch.zeros(1, 11, dtype=torch.bool)
        real[:, before : before + 8] = True
        expected = torch.zeros(1, 11, 11, dtype=torch.bool)
        expected[:, before : before + 8, before : before + 8] = EVERY_MASK[kind](self.prompt)
        assert torch.equal(EVERY_MASK[kind](padded, real), expected)

    def test_the_first_token_is_the_first_real_one(self):
        real = torch.tensor([[False, True, True, True]])
        assert drawn(first_token_mask(torch.tensor([[9, 5, 6, 7]]), real)) == ["....", "....", ".x..", ".x.."]

    def test_of_another_shape_is_refused(self):
        with pytest.raises(ValueError, match=r"real has shape \(1, 3\), and the tokens \(1, 8\)"):
            induction_mask(self.prompt, torch.ones(1, 3, dtype=torch.bool))


class TestCallersMask:
    tokens = torch.tensor([[1, 2, 3], [4, 5, 6]])

    def test_serves_all_sequences_alike(self):
        mask = checked_mask(torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 1]]), self.tokens)
        assert mask.dtype == torch.bool
        assert mask.long().tolist() == [[[0, 0, 0], [1, 0, 0], [0, 1, 1]]] * 2

    def test_leaves_padding_out(self):
        real = torch.tensor([[True, True, True], [False, True, True]])
        mask = checked_mask(torch.ones(3, 3).tril(), self.tokens, real)
        assert drawn(mask[1:]) == ["...", ".x.", ".xx"]

    @pytest.mark.parametrize(
        ("mask", "message"),
        [
            (torch.ones(4, 4).tril(), r"shape \(4, 4\) does not fit 2 sequences of 3 tokens; give \(3, 3\)"),
            (torch.ones(3, 3, 3).tril(), r"shape \(3, 3, 3\) does not fit 2 sequences"),
            (torch.full((3, 3), 0.5).tril(), "0 and 1 only, and this one 0.5; threshold"),
            (torch.full((3, 3), torch.nan), "0 and 1 only, and this one nan"),
            (-torch.eye(3), "0 and 1 only, and this one -1"),
            (torch.eye(3).roll(1, 1), "query 0 of sequence 0 to look ahead to 1.*transposed"),
        ],
        ids=["another length", "another batch", "a half", "NaN", "negative", "looks ahead"],
    )
    def test_refuses(self, mask, message):
        with pytest.raises(ValueError, match=message):
            checked_mask(mask, self.tokens)


class TestNothingToLookAt:
    def test_is_refused_by_name(self):
        tokens = torch.tensor([[1, 2, 1, 2], [1, 2, 3, 4]])
        masks = torch.stack([previous_token_mask(tokens), induction_mask(tokens)])
        with pytest.raises(ValueError, match=r"1 of 2 sequences \(first: 1\) hold nothing for induction to look at"):
            require_targets(masks, ["previous_token", "induction"])

    def test_a_single_token_is_too_short_for_every_type(self):
        tokens = torch.tensor([[1]])
        for kind, mask in HEAD_TYPES.items():
            with pytest.raises(ValueError, match=f"nothing for {kind} to look at; use longer text"):
                require_targets(mask(tokens)[None], [kind])

    def test_repeats_have_targets_for_every_type(self):
        tokens = torch.tensor([[0, 5, 6, 5, 6]])
        require_targets(torch.stack([mask(tokens) for mask in HEAD_TYPES.values()]), list(HEAD_TYPES))

    def test_no_window_and_no_delimiters(self):
        with pytest.raises(ValueError, match="width=0 is no window"):
            local_window_mask(torch.tensor([[1, 2]]), width=0)
        with pytest.raises(ValueError, match="no delimiters are given"):
            delimiter_mask(torch.tensor([[1, 2]]), delimiters=[])
