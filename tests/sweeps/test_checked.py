import re
from functools import partial

import pytest

from interp_lab.registry import EXPERIMENTS
from interp_lab.sweeps import SweepError, require_usable
from interp_lab.sweeps.checked import draw, proposals
from tests.sweeps import shapes


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "shape", shapes.ENTRY)
    return partial(shapes.definition_of, tmp_path)


def problems(definition):
    with pytest.raises(SweepError) as caught:
        require_usable(definition)
    return str(caught.value).removeprefix(f"{definition.path}: ")


class TestUsable:
    def test_what_the_experiment_takes_passes(self, sweep):
        require_usable(sweep({
            "optim": {"parameters": {"lr": {"values": [0.1, 1]}, "kind": {"values": ["adam", "sgd"]}}},
            "label": {"values": ["a b", None, "x=1"]},
            "layers": {"values": [[0], [0, 1]]},
            "flag": {"values": [True, False]},
            "n": {"min": 2, "max": 5},
        }))  # fmt: skip

    def test_a_value_that_only_goes_with_others_passes(self, sweep):
        """`n_top` of 6 is too many for the config alone, not for the sweep."""
        require_usable(sweep({"n": {"values": [6, 8]}, "n_top": {"values": [5, 6]}}))

    def test_a_key_that_the_config_makes_up_as_it_goes(self, sweep):
        require_usable(sweep({"options.anything": {"values": [1, 2]}}))


class TestRefused:
    def test_an_unknown_key_with_the_nearest(self, sweep):
        assert problems(sweep({"optim.lrr": {"values": [0.1, 0.2]}})) == (
            "optim.lrr: no such field in ShapeConfig; did you mean 'optim.lr'?"
        )

    def test_the_same_in_a_nested_block(self, sweep):
        block = {"optim": {"parameters": {"lrr": {"values": [0.1]}}}}
        assert problems(sweep(block)).startswith("optim.lrr: no such field in ShapeConfig; did you mean 'optim.lr'?")

    def test_every_choice_is_tried(self, sweep):
        said = problems(sweep({"optim.kind": {"values": ["adam", "sdg", "adma"]}}))
        assert "optim.kind: 'sdg' is none of adam, sgd; did you mean 'sgd'?" in said
        assert "optim.kind: 'adma' is none of adam, sgd; did you mean 'adam'?" in said

    @pytest.mark.parametrize(
        ("block", "said"),
        [
            ({"min": 0.0, "max": 1.0}, "optim.lr: Input should be greater than 0, got 0.0"),
            ({"min": 0.1, "max": 1.5}, "optim.lr: Input should be less than or equal to 1, got 1.5"),
            ({"distribution": "normal", "mu": 0.5, "sigma": 0.2}, "optim.lr: Input should be"),
        ],
    )
    def test_both_ends_of_a_range_are_tried(self, sweep, block, said):
        assert said in problems(sweep({"optim.lr": block}, method="random"))

    def test_points_of_the_grid_are_tried_together(self, sweep):
        said = problems(sweep({"n": {"values": [4, 6]}, "n_top": {"values": [2, 5]}, "optim.lr": {"value": 0.5}}))
        assert "n_top=5 of n=4: choose no more than there are, with n=4, n_top=5, optim.lr=0.5" in said
        assert "(1 of 4 proposals that were tried)" in said

    def test_and_so_are_the_first_random_proposals(self, sweep):
        block = {"n": {"min": 2, "max": 8}, "n_top": {"min": 1, "max": 8}}
        definition = sweep(block, method="random")
        refused = [point for point in proposals(definition, seed=0) if point["n_top"] > point["n"]]
        assert f"({len(refused)} of 32 proposals that were tried)" in problems(definition)

    @pytest.mark.parametrize(
        ("parameters", "command", "said"),
        [
            ({"label": {"values": ["None"]}}, "${args}", "label = 'None': label would be read as None"),
            (
                {"flag": {"values": [True, False]}},
                "${args_no_boolean_flags}",
                "flag = False: flag would be read as",
            ),
        ],
        ids=["the text None", "a macro that leaves False out"],
    )
    def test_what_the_command_line_cannot_tell(self, sweep, tmp_path, parameters, command, said):
        line = ["interp-lab", "run", str(tmp_path / "shape.yaml"), command]
        assert said in problems(sweep(parameters, command=line))

    def test_a_key_that_the_command_sets_too(self, sweep):
        assert "fold: set by the command as well as by the sweep" in problems(sweep({"fold": {"values": ["all"]}}))

    def test_a_config_that_is_wrong_by_itself_is_told_once(self, sweep):
        said = problems(sweep({"n": {"values": [1, 2]}, "flag": {"values": [True]}}, base={"lable": "x"}))
        assert said == (
            "command and config, whatever the sweep sets: lable: no such field in ShapeConfig; did you mean 'label'?"
        )

    def test_everything_at_once(self, sweep):
        said = problems(sweep({
            "optim.lrr": {"values": [0.1]},
            "optim.kind": {"values": ["sdg"]},
            "n": {"values": [0, 3]},
            "fold": {"values": ["search"]},
        }))  # fmt: skip
        assert " has 4 problems:\n" in said
        assert len(re.findall("^  - ", said, re.MULTILINE)) == 4

    def test_a_config_that_is_not_there(self, sweep):
        definition = sweep({"n": {"values": [1]}}, command=["interp-lab", "run", "nowhere.yaml", "${args}"])
        assert "command: no config file at nowhere.yaml" in problems(definition)


class TestDraw:
    def test_depends_on_seed_and_number_alone(self, sweep):
        definition = sweep({"optim.lr": {"min": 0.1, "max": 1.0}, "n": {"min": 1, "max": 9}}, method="random")
        drawn = [draw(definition, seed=3, number=number) for number in range(4)]
        assert drawn[2] == draw(definition, seed=3, number=2)
        assert drawn[2] != draw(definition, seed=4, number=2)
        assert len({one["optim.lr"] for one in drawn}) == 4
        assert drawn == proposals(definition, seed=3, n=4)
