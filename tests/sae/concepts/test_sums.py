"""One pass over a dictionary, and what is kept of it."""

import numpy as np
import pytest
import torch

from interp_lab.sae.concepts import sums as sums_module
from interp_lab.sae.concepts.choosing import choose_units, readings, shuffled_among_texts
from interp_lab.sae.concepts.sums import candidates, columns, sums_by_kind
from interp_lab.stats.auroc import auroc


@pytest.fixture(scope="module")
def values():
    """Tokens of a sparse dictionary: unit 7 is high for the first kind, unit 2 low, unit 11 fires for it alone."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(300, 40, generator=generator) * (torch.rand(300, 40, generator=generator) < 0.2)
    member = torch.stack([torch.arange(300) % 3 == 0, torch.arange(300) % 2 == 0])
    x[member[0], 7] += 1.0
    x[member[0], 2] = 0.0
    x[:, 11] = 1e-3 * member[0]
    x[:, 5] = 4.0
    return x, member


class TestSums:
    def test_in_pieces_are_those_of_the_whole(self, values, monkeypatch):
        x, member = values
        monkeypatch.setattr(sums_module, "ROWS_AT_ONCE", 64)
        seen = []

        def encode(rows):
            seen.append(len(rows))
            return x[rows]

        found = sums_by_kind(encode, torch.arange(300), member)
        assert max(seen) <= 64
        assert sum(seen) == 300
        for kind, own in enumerate(member):
            difference = x[own].mean(0) - x[~own].mean(0)
            torch.testing.assert_close(found.difference()[kind].float(), difference)
            firing = (x[own] != 0).float().mean(0) - (x[~own] != 0).float().mean(0)
            torch.testing.assert_close(found.firing()[kind].float(), firing)
            moving = torch.arange(40) != 5
            in_spreads = (difference / x.std(0, correction=0))[moving]
            torch.testing.assert_close(found.in_spreads()[kind, moving].float(), in_spreads)

    def test_a_unit_that_never_changes_tells_nothing(self, values):
        x, member = values
        assert sums_by_kind(lambda rows: x[rows], torch.arange(300), member).in_spreads()[:, 5].tolist() == [0.0, 0.0]

    @pytest.mark.parametrize("kind", [True, False])
    def test_a_kind_of_all_or_none_is_refused(self, values, kind):
        x, _ = values
        with pytest.raises(ValueError, match="each needs some, and not all"):
            sums_by_kind(lambda rows: x[rows], torch.arange(300), torch.full((1, 300), kind))


class TestChoosing:
    def test_candidates_hold_units_that_differ_and_units_that_fire(self, values):
        x, member = values
        found = sums_by_kind(lambda rows: x[rows], torch.arange(300), member)
        few = candidates(found, 0, n=4).tolist()
        assert len(few) == 4
        assert {7, 11} <= set(few)
        assert candidates(found, 0, n=40).tolist() == list(range(40))

    def test_few_candidates_choose_what_all_would(self, values):
        x, member = values
        every, rows = (lambda at: x[at]), torch.arange(300)
        found = sums_by_kind(every, rows, member)
        few = choose_units(every, rows, member, found, n_candidates=6)
        assert few == choose_units(every, rows, member, found, n_candidates=40)
        areas = auroc(x.T.numpy(), member[0].numpy())
        assert few[0].score == pytest.approx(np.abs(areas - 0.5).max() + 0.5)
        assert few[0].unit in (7, 11)

    def test_a_unit_that_is_low_is_turned(self):
        x = torch.tensor([[0.0, 3.0], [1.0, 1.0], [0.0, 4.0], [0.0, 0.5]])
        member = torch.tensor([[False, True, False, True]])
        every, rows = (lambda at: x[at]), torch.arange(4)
        (found,) = choose_units(every, rows, member, sums_by_kind(every, rows, member), n_candidates=2)
        assert (found.unit, found.sign, found.score) == (1, -1.0, 1.0)
        assert readings(every, rows, [found]).tolist() == [[-3.0, -1.0, -4.0, -0.5]]

    def test_columns_are_those_asked_for(self, values):
        x, _ = values
        at = torch.tensor([4, 9, 250])
        assert torch.equal(columns(lambda rows: x[rows], at, torch.tensor([7, 2])), x[at][:, [7, 2]])

    def test_shuffling_keeps_texts_whole_and_concepts_together(self):
        documents = np.repeat(np.arange(30), 4)
        first = (np.arange(30) < 10)[documents]
        shuffled = shuffled_among_texts(np.stack([first, ~first]), documents, n=3, seed=0)
        assert shuffled.shape == (6, 120)
        for own, other in zip(shuffled[::2], shuffled[1::2], strict=True):
            assert np.array_equal(own, ~other)
            assert np.array_equal(own.reshape(30, 4).all(1), own.reshape(30, 4).any(1))
            assert own.sum() == first.sum()
            assert not np.array_equal(own, first)
