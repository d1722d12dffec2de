"""Rows of `verify` read true, and their sabotaged twins do not."""

import pytest

from interp_lab.production.counterfactuals.known_answers import rows
from interp_lab.registry import KNOWN_ANSWERS


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.instrument)
def test_reads_true_and_the_sabotage_does_not(row):
    assert row.measure()[0], row.measure()[1]
    assert not row.sabotage()[0], row.sabotage()[1]


def test_is_among_the_rows_of_verify():
    assert "interp_lab.production.counterfactuals.known_answers:rows" in KNOWN_ANSWERS
