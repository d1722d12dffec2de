"""The sweeps that ship: W&B's schema takes them, so do we, and the experiments have what they ask for."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from interp_lab.sweeps import grid_points, read_definition, require_usable

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted((ROOT / "experiments" / "sweeps").glob("*.yaml"))
RECORDED = json.loads((Path(__file__).parent / "fixtures" / "examples.json").read_text("utf-8"))

by_name = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_there_is_one_for_every_kind_of_experiment():
    experiments = {read_definition(path).base.experiment for path in EXAMPLES}
    assert experiments >= {"sae_training", "steering", "patching", "probes"}
    assert {read_definition(path).method for path in EXAMPLES} >= {"grid", "bayes"}


@by_name
def test_the_schema_of_wandb_took_this_very_file(path):
    recorded = RECORDED[path.name]
    assert recorded["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest(), (
        f"{path.name} was changed: validate it with tests/sweeps/fixtures/record.py --run, and commit examples.json"
    )
    assert recorded["violations"] == []


@by_name
def test_a_trial_of_it_had_the_metric(path):
    definition = read_definition(path)
    assert definition.metric in RECORDED[path.name]["metrics"]


@by_name
def test_the_experiment_takes_every_value(path):
    require_usable(read_definition(path))


@by_name
def test_trials_keep_to_the_fold_for_searching(path):
    base = read_definition(path).base
    assert base.config().fold == "search"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@by_name  # W&B's reader leaves the file open
def test_wandb_reads_the_file_and_would_run_the_same_command(path):
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args, load_sweep_config

    raw = load_sweep_config(str(path))
    definition = read_definition(path)
    assert raw == definition.raw == yaml.safe_load(path.read_text("utf-8"))
    values = {name: one.value_at(0.4) for name, one in definition.parameters.items()}
    given = {name: {"value": value} for name, value in definition.arguments(values).items()}
    line = create_sweep_command(list(raw["command"]))
    args = create_sweep_command_args({"args": given})["args"]
    words = [word for part in line for word in (args if part == "${args}" else [part])]
    assert definition.argv(values, out=Path("o")) == (*words, "--out", "o", "--resume")


@by_name
def test_sixteen_trials_are_the_whole_of_it(path):
    definition = read_definition(path)
    n_trials = len(grid_points(definition)) if definition.method == "grid" else definition.run_cap
    assert n_trials == 16


@by_name
def test_it_logs_to_the_sweep_that_it_belongs_to(path):
    """Under an agent a trial without `--wandb` would leave the sweep without a single number."""
    command = read_definition(path).command
    assert command[command.index("--wandb") + 1] == "auto"
