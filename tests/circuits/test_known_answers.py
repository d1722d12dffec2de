import pytest

from interp_lab.circuits.known_answers import rows

ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.instrument)
def test_reads_true_and_its_sabotaged_twin_does_not(row):
    right, measured = row.measure()
    assert right, measured
    wrong, told = row.sabotage()
    assert not wrong, told
