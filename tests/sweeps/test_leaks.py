"""A sweep that would use what was made from held-out examples is refused before its first trial."""

from functools import partial

import pytest
import yaml

from interp_lab.sweeps import SweepError, read_definition, require_usable
from interp_lab.sweeps.driver import run_sweep
from interp_lab.sweeps.settings import SweepSettings
from tests.runs.test_consumed import run_in


def definition(folder, base, parameters, *, fold="search"):
    """A sweep of steering whose base config is given."""
    (folder / "base.yaml").write_text(yaml.safe_dump({"experiment": "steering", **base}))
    given = {
        "method": "grid",
        "metric": {"name": "effect", "goal": "maximize"},
        "parameters": {name: {"values": values} for name, values in parameters.items()},
        "command": ["interp-lab", "run", str(folder / "base.yaml"), f"--fold={fold}", "${args}"],
    }
    (folder / "sweep.yaml").write_text(yaml.safe_dump(given))
    return read_definition(folder / "sweep.yaml")


@pytest.fixture
def ref(tmp_path):
    """Names a direction that was made in a fold."""

    def made(fold):
        folder = tmp_path / f"made_in_{fold}"
        return {"run": str(folder if folder.is_dir() else run_in(folder, fold)), "artefact": "first"}

    return made


@pytest.fixture
def of(tmp_path):
    return partial(definition, tmp_path)


def test_by_its_base_config_told_once_and_nothing_is_begun(ref, of, tmp_path):
    base = {"directions": [ref("all"), ref("search"), ref("held_out")]}
    sweep = of(base, {"n_prompts": [32, 64], "target": ["share", "log_odds"]})
    with pytest.raises(SweepError) as refused:
        run_sweep(sweep, SweepSettings(), tmp_path / "out")
    said = str(refused.value)
    assert "command and config, whatever the sweep sets: artefact 'first' of the run in" in said
    assert said.count("made_in_all was made in fold 'all', and fold 'search' is in force") == 1
    assert said.count("made_in_held_out was made in fold 'held_out', and fold 'search' is in force") == 1
    assert "made_in_search" not in said
    assert "make it again with --fold=search" in said
    assert not (tmp_path / "out").exists()


def test_by_a_value_of_the_sweep(ref, of):
    with pytest.raises(SweepError, match=r"directions = .*made_in_held_out.* was made in fold 'held_out'") as refused:
        require_usable(of({}, {"directions": [[ref("search")], [ref("held_out")]]}))
    assert "whatever the sweep sets" not in str(refused.value)


def test_by_a_base_that_no_trial_uses_for_it_is_measured_beside_the_winner(ref, of):
    with pytest.raises(SweepError, match=r"command and config, whatever the sweep sets: .*made_in_all"):
        require_usable(of({"directions": [ref("all")]}, {"directions": [[ref("search")], []]}))


def test_what_was_made_in_the_search_passes_and_anything_where_nothing_is_held_out(ref, of):
    require_usable(of({"directions": [ref("search")]}, {"n_prompts": [32, 64]}))
    require_usable(of({"directions": [ref("all")]}, {"n_prompts": [32, 64]}, fold="all"))
