"""`interp-lab report`: runs of any experiments into one page, or one clear line and nothing written."""

import json
import shutil
from pathlib import Path

import pytest

from interp_lab.attention import AttentionHeads, AttentionHeadsConfig
from interp_lab.cli.main import main
from interp_lab.patching import Patching, PatchingConfig


def call(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["report", *map(str, arguments)])
    return stopped.value.code or 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    heads = AttentionHeadsConfig(
        model="compiled/induction", period=8, second_period=10, held_out_period=None, n_sequences=32
    )
    AttentionHeads(heads).run(run_dir=folder / "heads")
    Patching(PatchingConfig(n_pairs=16, n_held_out=None, sites=("z",), n_random_sets=5)).run(run_dir=folder / "patched")
    return folder


@pytest.fixture
def damaged(runs, tmp_path) -> Path:
    """A copy of a run, to be damaged."""
    shutil.copytree(runs / "heads", tmp_path / "run")
    return tmp_path / "run"


def change_record(run: Path, **values: object) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | values))


class TestJoins:
    def test_runs_of_two_experiments_into_one_page(self, runs, tmp_path, capsys):
        page = tmp_path / "new" / "page.html"
        assert call(runs / "heads", runs / "patched", "--out", page, "--title", "Mine & ours") == 0
        assert capsys.readouterr().out.strip() == f"wrote {page}"
        text = page.read_text("utf-8")
        assert "<h1>Mine &amp; ours</h1>" in text
        assert "1. attention heads: compiled/induction" in text
        assert "2. patching: grammar/indirect_objects in organism" in text
        assert "Which activations carry the difference" in text
        assert f"interp-lab report {runs / 'heads'} {runs / 'patched'} --out {page} --title" in text


class TestRefuses:
    def refused(self, capsys, out: Path, *arguments: str | Path) -> str:
        before = sorted(out.parent.rglob("*"))
        assert call(*arguments, "--out", out) == 1
        assert sorted(out.parent.rglob("*")) == before, "nothing is written"
        told = capsys.readouterr().err.strip()
        assert told.startswith("error: ")
        assert "\n" not in told
        return told

    def test_no_run_at_all(self, capsys):
        assert call() == 2
        assert "RUN..." in capsys.readouterr().err

    def test_the_same_folder_twice(self, runs, tmp_path, capsys):
        twice = runs / "patched" / ".." / "heads"
        told = self.refused(capsys, tmp_path / "p.html", runs / "heads", twice)
        assert f"{twice} is named twice (also as {runs / 'heads'})" in told
        assert "name it once" in told

    def test_a_copy_of_a_run(self, runs, damaged, tmp_path, capsys):
        told = self.refused(capsys, tmp_path / "p.html", runs / "heads", damaged)
        assert f"{damaged} is a copy of {runs / 'heads'}" in told

    def test_an_incomplete_run(self, damaged, tmp_path, capsys):
        change_record(damaged, status="running", files={})
        assert f"{damaged} holds an incomplete run" in (told := self.refused(capsys, tmp_path / "p.html", damaged))
        assert "resume it" in told

    @pytest.mark.parametrize("name", ["arrays.safetensors", "provenance.json", "config.yaml", "run.json"])
    def test_a_damaged_file(self, name, damaged, tmp_path, capsys):
        file = damaged / name
        file.write_bytes(file.read_bytes()[:-9])
        told = self.refused(capsys, tmp_path / "p.html", damaged)
        assert str(file) in told
        assert "run again" in told

    def test_a_run_of_an_experiment_of_another_version(self, damaged, tmp_path, capsys):
        change_record(damaged, experiment="attention_tails")
        told = self.refused(capsys, tmp_path / "p.html", damaged)
        assert f"{damaged} holds a run of 'attention_tails', which is no experiment of this interp_lab" in told
        assert "leave it out" in told

    def test_a_run_that_another_version_wrote(self, damaged, tmp_path, capsys):
        change_record(damaged, experiment="patching")
        told = self.refused(capsys, tmp_path / "p.html", damaged)
        assert f"{damaged} holds a run of patching that this version cannot read" in told
        assert "run it again" in told

    def test_a_folder_of_another_kind_and_one_that_is_not_there(self, runs, tmp_path, capsys):
        (tmp_path / "other").mkdir()
        told = self.refused(capsys, tmp_path / "p.html", tmp_path / "other", runs / "heads", tmp_path / "none")
        assert f"{tmp_path / 'other'} is no run folder: it has no run.json" in told
        assert f"there is no run folder {tmp_path / 'none'}" in told

    def test_a_folder_of_runs_and_a_file_in_one(self, runs, tmp_path, capsys):
        told = self.refused(capsys, tmp_path / "p.html", runs, runs / "heads" / "run.json")
        assert f"{runs} is no run folder but holds 2; name those, such as {runs / 'heads'}" in told
        assert "run.json is a file; name the run folder that it is in" in told

    def test_a_page_that_would_overwrite_a_run(self, runs, capsys):
        told = self.refused(capsys, runs / "heads" / "config.yaml", runs / "heads")
        assert "must end in .html" in told
        assert "is a folder; name the page itself" in self.refused(capsys, runs / "heads", runs / "heads")
