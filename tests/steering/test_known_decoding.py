"""Every row about decoding reads true, and its sabotaged twin does not."""

import pytest

from interp_lab.steering.known_decoding import rows

ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=[row.instrument for row in ROWS])
def test_reads_true_and_its_twin_does_not(row):
    ok, measured = row.measure()
    assert ok, measured
    fooled, told = row.sabotage()
    assert not fooled, told


def test_a_slice_hook_under_a_cache_is_told_to_do_nothing():
    (row,) = [row for row in ROWS if "under a cache" in row.instrument]
    assert "the same as without steering" in row.sabotage()[1]
    assert "the same as without steering" not in row.measure()[1]


def test_a_hook_on_the_first_row_is_seen_in_what_the_rows_say():
    (row,) = [row for row in ROWS if "first row" in row.instrument]
    twice = "[[1, 2, 3], [1, 2, 3]]"  # left out by a gate, and by a hook of one's own
    assert row.measure()[1] == f"named as not touched: {twice}; as without steering: {twice}"
    assert row.sabotage()[1] == "named as not touched: [[]]; as without steering: [[1, 2, 3]]"
