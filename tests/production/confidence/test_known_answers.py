"""Every row of `interp-lab verify` reads true, and its sabotaged twin does not."""

import pytest

from interp_lab.production.confidence.known_answers import rows

ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.instrument)
def test_reads_true_and_the_sabotaged_twin_does_not(row):
    ok, measured = row.measure()
    assert ok, f"expected {row.expected}, measured {measured}"
    ok, measured = row.sabotage()
    assert not ok, f"the sabotage went unnoticed: {measured}"
