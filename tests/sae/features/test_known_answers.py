"""The rows of `verify` read true, and their sabotaged twins do not."""

import pytest

from interp_lab.sae.features.known_answers import rows


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.instrument)
class TestRows:
    def test_reads_true(self, row):
        ok, measured = row.measure()
        assert ok, measured

    def test_sabotage_reads_wrong(self, row):
        ok, measured = row.sabotage()
        assert not ok, measured
