"""Each row reads true, and its sabotaged twin does not."""

import pytest

from interp_lab.production.monitors.known_answers import rows


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.instrument)
def test_reads_true_and_the_sabotaged_one_does_not(row):
    assert row.measure()[0], row.measure()[1]
    assert not row.sabotage()[0], row.sabotage()[1]
