"""Every instrument reads true on the compiled models, and its sabotaged twin does not."""

import pytest

from interp_lab.attention.heads import TYPE_NAMES
from interp_lab.attention.known_answers import reads_effects, rows
from interp_lab.organisms.compiled import ATTENTION_TYPES, compiled_names

ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.instrument)
def test_reads_true(row):
    ok, measured = row.measure()
    assert ok, f"expected {row.expected}, measured {measured}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.instrument)
def test_the_sabotaged_twin_does_not(row):
    ok, measured = row.sabotage()
    assert not ok, f"the sabotage went unnoticed: {measured}"


@pytest.mark.parametrize("sabotage", [{"sign": -1}, {"head_offset": 1}], ids=["flipped sign", "wrong head"])
@pytest.mark.parametrize("name", compiled_names())
def test_ablation_notices_every_sabotage(name, sabotage):
    assert not reads_effects(name, **sabotage)[0]


def test_truth_and_scores_speak_of_the_same_types():
    assert set(TYPE_NAMES) == set(ATTENTION_TYPES)
