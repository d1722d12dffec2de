import json
from functools import partial
from pathlib import Path

import pytest
import yaml

from interp_lab.sweeps import SweepError, grid_points, read_definition

ORACLE = json.loads((Path(__file__).parent / "fixtures" / "oracle.json").read_text("utf-8"))
COMMAND = ["interp-lab", "run", "c.yaml", "${args}"]


def definition(folder, parameters):
    path = folder / "sweep.yaml"
    raw = {"method": "grid", "metric": {"name": "m"}, "parameters": parameters, "command": COMMAND}
    path.write_text(yaml.safe_dump(raw), "utf-8")
    return read_definition(path)


@pytest.fixture
def grid(tmp_path):
    return partial(definition, tmp_path)


def test_the_last_name_varies_fastest(grid):
    points = grid_points(grid({"b": {"values": [1, 2]}, "a": {"values": ["x", "y"]}, "c": {"value": 0}}))
    assert [(point["a"], point["b"], point["c"]) for point in points] == [
        ("x", 1, 0), ("x", 2, 0), ("y", 1, 0), ("y", 2, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("block", "points"), ORACLE["grids"])
def test_points_and_their_order_are_those_of_wandb(grid, block, points):
    found = grid(block)
    mine = [found.arguments(point) for point in grid_points(found)]
    assert mine == points
    assert [list(map(type, one.values())) for one in mine] == [
        [type(one[name]) for name in mine[0]] for one in points
    ]  # fmt: skip


def test_a_grid_that_nobody_can_run_is_refused_before_it_is_made(grid):
    huge = grid({name: {"min": 1, "max": 100} for name in "abcdef"})
    with pytest.raises(SweepError, match=r"a grid of 1000000000000 points \(a: 100, b: 100.*take method random"):
        grid_points(huge)


def test_what_a_grid_cannot_try_is_refused_by_name(grid):
    with pytest.raises(SweepError) as caught:
        grid({
            "optim": {"parameters": {"lr": {"min": 0.1, "max": 1.0}}},
            "kind": {"values": ["a", "b"], "probabilities": [0.5, 0.5]},
        })  # fmt: skip
    assert "optim.lr: a grid cannot try every number of distribution uniform; list them as" in str(caught.value)
    assert "kind: method grid takes no probabilities" in str(caught.value)
