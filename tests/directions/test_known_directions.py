import pytest

from interp_lab.steering.known_directions import rows

ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=[row.instrument for row in ROWS])
def test_reads_true_and_its_sabotaged_twin_does_not(row):
    right, read = row.measure()
    assert right, read
    wrong, read = row.sabotage()
    assert not wrong, read
