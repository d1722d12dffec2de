import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from interp_lab.experiment import Provenance
from interp_lab.runs import RunError, open_run, read_run, save_result
from tests.runs.dice import ORIGIN, DiceConfig, Loading, throw

CONFIG = DiceConfig(n_throws=8, loading=Loading(heavy=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A complete run with two logged rows."""
    writer = open_run(tmp_path / "run", experiment="dice", config=CONFIG)
    writer.tracker.log({"eyes": 3}, step=1)
    writer.tracker.log({"eyes": float("inf")}, step=2)
    writer.finish(throw(CONFIG))
    return tmp_path / "run"


class TestReadRun:
    def test_returns_all_that_was_written(self, folder):
        run, result = read_run(folder), throw(CONFIG)
        assert run.is_complete
        assert run.experiment == "dice"
        assert DiceConfig.from_mapping(run.config) == CONFIG
        assert Provenance.from_dict(run.provenance) == ORIGIN
        assert run.rows == ({"step": 1, "eyes": 3}, {"step": 2, "eyes": float("inf")})
        assert {k: v for k, v in run.metrics().items() if k != "undefined"} == {"mean": 3.25, "sixes": 1}
        assert np.isnan(run.metrics()["undefined"])
        assert np.array_equal(run.arrays()["throws"], result.throws)
        assert run.table_names == ("throws",)
        pd.testing.assert_frame_equal(run.tables()["throws"], result.tables()["throws"])

    def test_takes_a_path_as_text(self, folder):
        assert read_run(str(folder)).config == read_run(folder).config

    def test_the_config_file_names_the_experiment_first(self, folder):
        values = yaml.safe_load((folder / "config.yaml").read_text())
        assert next(iter(values.items())) == ("experiment", "dice")
        assert values == {"experiment": "dice", **CONFIG.as_dict()}

    def test_nothing_but_the_documented_files_is_there(self, folder):
        names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert names == {
            "run.json", "config.yaml", "provenance.json", "metrics.jsonl",
            "arrays.safetensors", "tables/throws.parquet",
        }  # fmt: skip

    def test_an_unknown_table_or_array_is_told_with_the_nearest(self, folder):
        run = read_run(folder)
        assert np.array_equal(run.array("throws"), throw(CONFIG).throws)
        with pytest.raises(RunError, match=r"no table 'trows' .*did you mean 'throws'"):
            run.table("trows")
        with pytest.raises(RunError, match=r"no array 'trows' .*did you mean 'throws'"):
            run.array("trows")


class TestWhatIsNoCompleteRun:
    def test_no_folder(self, tmp_path):
        with pytest.raises(RunError, match=r"there is no run folder .*absent"):
            read_run(tmp_path / "absent")

    def test_another_folder(self, tmp_path):
        with pytest.raises(RunError, match=r"is no run folder: it has no run\.json"):
            read_run(tmp_path)

    def test_a_run_that_was_killed_or_still_goes_on(self, tmp_path):
        writer = open_run(tmp_path / "run", experiment="dice", config=CONFIG)
        writer.tracker.log({"eyes": 3})
        with pytest.raises(RunError, match=r"incomplete run of dice .*resume=True"):
            read_run(tmp_path / "run")
        run = read_run(tmp_path / "run", allow_incomplete=True)
        assert not run.is_complete
        assert run.rows == ({"eyes": 3},)
        assert DiceConfig.from_mapping(run.config) == CONFIG
        for read in (run.arrays, run.tables, run.metrics, lambda: run.provenance, lambda: run.table("throws")):
            with pytest.raises(RunError, match="no result yet"):
                read()

    def test_a_newer_format_names_both_versions(self, folder):
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**record, "format": 7, "novel": []}))
        with pytest.raises(RunError, match=r"run format 7, .* up to 1; upgrade"):
            read_run(folder)

    @pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', '{"format": "one"}'])
    def test_a_damaged_record(self, folder, content):
        (folder / "run.json").write_text(content)
        with pytest.raises(RunError, match=r"run\.json is damaged"):
            read_run(folder)


FILES = ["config.yaml", "metrics.jsonl", "provenance.json", "arrays.safetensors", "tables/throws.parquet"]


def read_everything(folder: Path) -> None:
    run = read_run(folder)
    _ = run.rows, run.metrics(), run.provenance, run.tables(), run.arrays()


@pytest.mark.parametrize("name", FILES)
class TestDamage:
    def test_a_missing_file_is_noticed_when_the_run_is_opened(self, folder, name):
        (folder / name).unlink()
        with pytest.raises(RunError, match=f"{name} is missing"):
            read_run(folder)

    def test_a_truncated_file_is_noticed_when_the_run_is_opened(self, folder, name):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-1])
        with pytest.raises(RunError, match=f"{name} has {len(data) - 1} bytes, not the {len(data)}"):
            read_run(folder)

    def test_one_flipped_bit_is_noticed_wherever_it_is(self, folder, name):
        data = (folder / name).read_bytes()
        read_everything(folder)
        for at in np.linspace(0, len(data) - 1, num=12, dtype=int):
            (folder / name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            with pytest.raises(RunError, match=f"{name} was changed"):
                read_everything(folder)


class TestSaveResult:
    def test_writes_a_run_named_by_its_provenance(self, tmp_path):
        run = save_result(throw(CONFIG), tmp_path / "a" / "b")
        assert run.experiment == "dice"
        assert read_run(tmp_path / "a" / "b").metrics().keys() == throw(CONFIG).metrics().keys()

    def test_never_changes_a_run_that_is_there(self, tmp_path):
        save_result(throw(CONFIG), tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with pytest.raises(RunError, match="already holds a complete run of dice"):
            save_result(throw(DiceConfig(n_throws=1)), tmp_path)
        assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
