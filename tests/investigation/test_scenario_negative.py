"""Where there is nothing to find, nothing is claimed: an untrained model, and labels that say nothing."""

import pytest

from tests.investigation.scenarios import carried_out, scenario


@pytest.mark.parametrize(
    ("name", "steps"), [("negative_untrained", ("audit", "patch")), ("negative_swapped", ("behaviour", "patch"))]
)
def test_nothing_is_claimed(name, steps, tmp_path):
    config = scenario(name, *steps, seed=1)
    found = carried_out(config, tmp_path / "out")
    assert found.stopped is None, "the gate is off"
    assert [one.hypothesis.statement for one in found.decided if one.holds] == []
