"""Random segments that come back: where the copies lie, and what is refused."""

import pytest
import torch

from interp_lab.organisms.repeats import RepeatedTokens, repeated_segments, repeated_twice, varied_repeats

VARIED = {"n_pos": 64, "periods": (12, 31)}


def varied(n_sequences: int = 400, seed: int = 0, **changes: object) -> RepeatedTokens:
    return varied_repeats(n_sequences, torch.Generator().manual_seed(seed), **{**VARIED, **changes})


class TestRepeatedTwice:
    def test_is_bos_then_prefix_then_the_segment_twice(self):
        text = repeated_twice(50, 7, seed=0, offset=3)
        assert text.tokens.shape == (50, 1 + 3 + 7 + 7)
        assert (text.tokens[:, 0] == 0).all()
        assert torch.equal(text.tokens[:, 4:11], text.tokens[:, 11:18])

    def test_no_symbol_comes_twice_before_the_second_copy(self):
        text = repeated_twice(200, 25, seed=0, offset=10)
        assert all(len(row.unique()) == 35 for row in text.tokens[:, 1:36])

    def test_every_symbol_is_as_likely_everywhere(self):
        tokens = repeated_twice(4000, 2, seed=0, symbols=range(1, 5)).tokens
        for place in (1, 2):
            share = torch.bincount(tokens[:, place], minlength=5)[1:] / 4000
            assert (share - 0.25).abs().max() < 0.03  # four standard errors

    def test_draws_with_replacement_when_told(self):
        tokens = repeated_twice(100, 8, seed=0, symbols=range(1, 4), distinct=False).tokens
        assert set(tokens[:, 1:].unique().tolist()) == {1, 2, 3}
        assert torch.equal(tokens[:, 1:9], tokens[:, 9:])

    def test_the_seed_decides_and_the_global_generator_is_left_alone(self):
        before = torch.get_rng_state()
        assert torch.equal(repeated_twice(8, 5, seed=1).tokens, repeated_twice(8, 5, seed=1).tokens)
        assert not torch.equal(repeated_twice(8, 5, seed=1).tokens, repeated_twice(8, 5, seed=2).tokens)
        assert torch.equal(torch.get_rng_state(), before)

    def test_symbols_and_bos_are_the_callers(self):
        tokens = repeated_twice(20, 4, seed=0, symbols=range(100, 140), bos=7).tokens
        assert (tokens[:, 0] == 7).all()
        assert (tokens[:, 1:] >= 100).all()
        assert (tokens[:, 1:] < 140).all()

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"n_sequences": 0}, "n_sequences=0 makes an empty data set"),
            ({"period": 0}, "shortest period is 0"),
            ({"offset": -1}, "smallest offset -1"),
            ({"n_ctx": 16}, "need 17 positions, there are 16; use a period of at most 7"),
            ({"n_ctx": 18, "offset": 2}, "a prefix of 2 .* need 19 positions"),
            ({"symbols": range(1, 8)}, "need 8 distinct symbols and there are 7.*distinct=False"),
            ({"symbols": range(100)}, "bos=0 is one of the symbols"),
            ({"symbols": range(1, 1), "distinct": False}, "need 1 distinct symbols and there are 0"),
        ],
    )
    def test_refuses_what_cannot_be_drawn(self, changes, message):
        given = {"n_sequences": 4, "period": 8, "seed": 0} | changes
        with pytest.raises(ValueError, match=message):
            repeated_twice(given.pop("n_sequences"), given.pop("period"), **given)


class TestVariedRepeats:
    def test_every_token_repeats_the_one_a_period_earlier(self):
        text = varied()
        source = text.previous_occurrence()
        repeats = source >= 0
        assert torch.equal(text.tokens[repeats], text.tokens.gather(1, source.clamp(min=0))[repeats])

    def test_the_segment_fills_the_context_at_least_twice(self):
        text = varied()
        assert text.tokens.shape == (400, 64)
        assert ((text.previous_occurrence() >= 0).sum(1) == 63 - text.offset - text.period).all()
        assert (63 - text.offset >= 2 * text.period).all()

    def test_nothing_else_repeats(self):
        text = varied()
        first_time = text.previous_occurrence() < 0
        assert all(len(row[new].unique()) == int(new.sum()) for row, new in zip(text.tokens, first_time, strict=True))

    def test_periods_and_offsets_vary_over_their_whole_range(self):
        text = varied(4000)
        assert sorted(text.period.unique().tolist()) == list(range(12, 32))
        room = 63 - 2 * text.period
        assert (text.offset <= room).all()
        assert set((text.offset - room)[text.period == 20].tolist()) == set(range(-23, 1))

    def test_short_prefixes_are_preferred(self):
        offset = varied(4000, periods=(16, 16)).offset  # room for prefixes of 0 to 31
        assert (offset == 0).float().mean() == pytest.approx((1 / 32) ** 0.5, abs=0.03)

    def test_a_period_of_one_is_a_run_of_one_symbol(self):
        text = varied_repeats(10, torch.Generator().manual_seed(0), n_pos=3, periods=(1, 1), symbols=range(1, 3))
        assert (text.offset == 0).all()
        assert torch.equal(text.tokens[:, 1], text.tokens[:, 2])

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"n_sequences": 0}, "empty data set"),
            ({"periods": (0, 5)}, r"periods=\(0, 5\) must be"),
            ({"periods": (9, 5)}, r"periods=\(9, 5\) must be"),
            ({"periods": (12, 32)}, "need 65 positions, there are 64; use a period of at most 31"),
            ({"symbols": range(1, 20)}, "distinct symbols and there are 19"),
        ],
    )
    def test_refuses_what_cannot_be_drawn(self, changes, message):
        with pytest.raises(ValueError, match=message):
            varied(**changes)


class TestRepeatedSegments:
    def test_cuts_the_last_copy_at_the_end_of_the_context(self):
        text = repeated_segments(
            torch.tensor([3, 2]), torch.tensor([0, 1]), n_pos=9, generator=torch.Generator().manual_seed(0)
        )
        first, second = text.tokens[:, 1:].tolist()
        assert first == [*first[:3], *first[:3], *first[:2]]
        assert second == [second[0], *(second[1:3] * 4)[:7]]

    def test_previous_occurrence_by_hand(self):
        text = RepeatedTokens(torch.tensor([[0, 9, 5, 6, 5, 6, 5]]), torch.tensor([2]), torch.tensor([1]))
        assert text.previous_occurrence().tolist() == [[-1, -1, -1, -1, 2, 3, 4]]


class TestRepeatedTokens:
    def test_split_shares_the_sequences_out_without_overlap(self):
        text = repeated_twice(21, 12, seed=0)
        halves = text.split(3)
        assert [len(half) for half in halves] == [11, 10]
        rows = [tuple(row) for half in halves for row in half.tokens.tolist()]
        assert sorted(rows) == sorted(tuple(row) for row in text.tokens.tolist())

    def test_split_depends_on_its_seed_alone(self):
        text = repeated_twice(20, 12, seed=0)
        assert torch.equal(text.split(3)[0].tokens, text.split(3)[0].tokens)
        assert not torch.equal(text.split(3)[0].tokens, text.split(4)[0].tokens)

    def test_subset_keeps_each_sequence_with_its_layout(self):
        text = varied(10)
        taken = text.subset([7, 2])
        assert torch.equal(taken.tokens, text.tokens[[7, 2]])
        assert taken.period.tolist() == text.period[[7, 2]].tolist()
        assert taken.offset.tolist() == text.offset[[7, 2]].tolist()

    def test_one_sequence_cannot_be_split(self):
        with pytest.raises(ValueError, match="1 sequence cannot be split"):
            repeated_twice(1, 5, seed=0).split(0)
