from pathlib import Path

import pytest
import yaml

from interp_lab.sweeps import Choice, Hyperband, Range, SweepError, read_definition
from tests.sweeps.shapes import sweep_of

FULL = """
name: my sweep
description: what for
project: p
entity: e
method: bayes
metric: {name: loss.total, goal: maximize}
run_cap: 12
early_terminate: {type: hyperband, min_iter: 3, eta: 2}
parameters:
  seed: {value: 3}
  optim:
    parameters:
      lr: {min: 0.1, max: 1.0}
      betas: {parameters: {first: {values: [0.9, 0.99]}}}
  optim.kind: {values: [adam]}
  n: {min: 1, max: 4}
command: ["${env}", interp-lab, run, c.yaml, --fold=search, "${args}"]
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text):
        path = tmp_path / "sweep.yaml"
        path.write_text(text, "utf-8")
        return path

    return to_file


@pytest.fixture
def problems(tmp_path):
    """What is said of a sound sweep after some changes to it."""

    def of(parameters=None, **changes):
        with pytest.raises(SweepError) as caught:
            read_definition(sweep_of(tmp_path, {"n": {"values": [1]}} if parameters is None else parameters, **changes))
        return str(caught.value)

    return of


class TestReadDefinition:
    def test_reads_what_wandb_takes(self, write):
        path = write(FULL)
        found = read_definition(path)
        assert (found.path, found.name, found.method, found.run_cap) == (path, "my sweep", "bayes", 12)
        assert (found.metric, found.goal) == ("loss.total", "maximize")
        assert found.raw == yaml.safe_load(FULL)
        assert (found.early.bands[:3], found.early.goal) == ((3, 6, 12), "maximize")
        assert isinstance(found.early, Hyperband)

    def test_names_are_dotted_and_in_the_order_of_wandb(self, write):
        found = read_definition(write(FULL)).parameters
        assert list(found) == ["n", "optim.betas.first", "optim.lr", "optim.kind", "seed"]
        assert found["optim.lr"] == Range("uniform", {"min": 0.1, "max": 1.0}, ("optim", "lr"))
        assert found["optim.kind"] == Choice(("adam",), None, ("optim.kind",))
        assert found["n"].kind == "int_uniform"

    def test_the_name_is_that_of_the_file_and_the_goal_to_minimize_as_wandb_has_it(self, tmp_path):
        found = read_definition(sweep_of(tmp_path, {"n": {"values": [1]}}, metric={"name": "loss"}))
        assert (found.name, found.goal, found.run_cap, found.early) == ("sweep", "minimize", None, None)

    def test_a_trial_is_the_command_of_wandb_and_its_folder(self, write):
        values = {"seed": 3, "optim.lr": 0.5, "optim.betas.first": 0.9, "optim.kind": "adam", "n": 2}
        assert read_definition(write(FULL)).argv(values, out=Path("o/0007"), extra=("--fold=held_out",)) == (
            "interp-lab", "run", "c.yaml", "--fold=search",
            "--n=2", "--optim={'betas': {'first': 0.9}, 'lr': 0.5}", "--optim.kind=adam", "--seed=3",
            "--out", "o/0007", "--resume", "--fold=held_out",
        )  # fmt: skip

    def test_the_unswept_run_has_none_of_the_values(self, write):
        assert read_definition(write(FULL)).argv({}, out=Path("o")) == (
            "interp-lab", "run", "c.yaml", "--fold=search", "--out", "o", "--resume",
        )  # fmt: skip


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"method": "gird"}, "method: 'gird' is none of grid, random, bayes; did you mean 'grid'?"),
            ({"method": None}, "method: None is none of grid, random, bayes"),
            ({"metric": None}, "metric: None names none; by what is the best trial known?"),
            ({"metric": {"goal": "minimize"}}, "names none; by what is the best trial known?"),
            (
                {"metric": {"name": "m", "goal": "maximise"}},
                "metric.goal: 'maximise' is none of minimize, maximize",
            ),
            ({"metric": {"name": "m", "gaol": "minimize"}}, "metric.gaol: no such key; did you mean 'goal'?"),
            ({"metric": {"name": "m", "target": 3}}, "metric.target: a sweep here ends with run_cap or its grid"),
            ({"metric": {"name": "m", "impute": "best"}}, "metric.impute: the search takes a failed trial"),
            ({"metrics": [{"name": "m"}], "metric": None}, "metrics: several objectives need a scheduler of W&B's"),
            ({"scheduler": {"engine": "optuna"}}, "scheduler: W&B's server or this command proposes values"),
            ({"controller": {"type": "local"}}, "controller: the local controller of W&B is `interp-lab sweep"),
            ({"parmeters": {}}, "parmeters: no such key in a sweep; did you mean 'parameters'?"),
            ({"run_cap": 0}, "run_cap: 0 must be a whole number from 1"),
            ({"run_cap": True}, "run_cap: True must be a whole number from 1"),
            ({"name": 3}, "name: 3 must be text; put it in quotes"),
            ({"command": "interp-lab run"}, "command: 'interp-lab run' must be a list"),
            ({"command": ["interp-lab", "run", "c.yaml"]}, "command: has 0 of ${args}"),
            ({"early_terminate": {"type": "x", "min_iter": 1}}, "early_terminate.type: 'x' is none of hyperband"),
        ],
        ids=str,
    )
    def test_message_names_value_rule_and_way_out(self, problems, changes, said):
        assert said in problems(**changes)

    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ({}, "parameters: {} names nothing to vary"),
            ({"n": {"min": 0.1, "max": 1.0}}, "n: a grid cannot try every number of distribution uniform; list them"),
            ({"a b": {"values": [1]}}, "parameters: 'a b' is no name that W&B takes"),
            ({3: {"values": [1]}}, "parameters: 3 is no name that W&B takes"),
            ({"a": {"parameters": {}}}, "a: a nested block has the one key parameters, a mapping of names"),
            ({"a": {"parameters": {"b": {"value": 1}}, "values": [1]}}, "a: a nested block has the one key parameters"),
            (
                {"a.b": {"value": 1}, "a": {"parameters": {"b": {"value": 1}}}},
                "a.b: given twice, with dots and as a nested block; leave one out",
            ),
            (
                {"a": {"values": [{"b": 1}]}, "a.b": {"value": 1}},
                "a: would be set as a whole, and a.b inside it; leave one out",
            ),
        ],
        ids=str,
    )
    def test_of_parameters(self, problems, parameters, said):
        assert said in problems(parameters)

    @pytest.mark.parametrize("method", ["grid", "bayes"])
    def test_probabilities_are_for_random_search(self, problems, method):
        block = {"n": {"values": [1, 2], "probabilities": [0.1, 0.9]}}
        assert f"n: method {method} takes no probabilities" in problems(block, method=method)

    def test_cloud_is_the_controller_that_wandb_has_anyway(self, tmp_path):
        assert read_definition(sweep_of(tmp_path, {"n": {"values": [1]}}, controller={"type": "cloud"}))

    def test_everything_at_once(self, problems):
        said = problems(
            {"n": {"min": 3, "max": 1}, "m": {"distribution": "unifrom"}},
            method="gird", metric={"name": "m", "goal": "up"}, run_cap=-1, comand=[], command=["python", "x.py"],
        )  # fmt: skip
        assert " has 8 problems:\n" in said
        for key in (
            "n: min 3",
            "m.distribution",
            "method",
            "metric.goal",
            "run_cap",
            "comand",
            "command: has 0",
            "runs",
        ):
            assert key in said

    @pytest.mark.parametrize(
        ("text", "said"),
        [("a: [", "is not valid YAML"), ("- a", "holds a list, a sweep must be a mapping"), ("", "holds a NoneType")],
    )
    def test_of_files(self, write, text, said):
        with pytest.raises(SweepError, match=said):
            read_definition(write(text))

    def test_no_file(self):
        with pytest.raises(SweepError, match=r"no sweep file at nowhere\.yaml; see experiments/sweeps/ for examples"):
            read_definition("nowhere.yaml")
