"""`interp-lab investigate` as a user meets it; what it is made of is tested in tests/investigation."""

import re

import pytest
import yaml

from interp_lab.cli.main import main
from interp_lab.investigation import read_investigation
from tests.investigation.coins import RUNS, Coins, asked, coins, register

STEP = {"search": {"a": 1.0, "b": -2.0}, "held_out": {"a": 1.0, "b": 1.5}}
WHOLE = (coins("toss", **STEP), "hypotheses", "confirm")


@pytest.fixture(autouse=True)
def _coins(monkeypatch):
    register(monkeypatch)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("interp_lab.investigation.page.write_investigation", lambda found, *, reproduce: reproduce)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "coins.yaml"
    path.write_text(yaml.safe_dump(asked(*WHOLE)))
    return path


def call(*arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert isinstance(stopped.value.code, int | None)
    return stopped.value.code or 0


def test_tells_what_holds_what_is_refuted_and_where_it_is_kept(file, tmp_path, capsys):
    out = tmp_path / "out"
    assert call("investigate", file, "--out", out, "--quick") == 0
    said = capsys.readouterr().out
    assert re.search(r"H2 +toss +a +1.00 \(0.90 1.10\) +0.002 +R", said), "of two, p = 0.001 doubles"
    assert re.search(r"H1 +toss +b +refuted", said)
    assert "H1: The effect turned its sign: 1.5 [1.4, 1.6] logits." in said
    assert "tested on held-out examples: 1 holds, 1 of these also on held-out templates; 1 refuted." in said
    assert f"sha256 {read_investigation(out).hypotheses_hash}" in said
    assert f"its page: interp-lab investigate {file} --quick --out {out}" in said.replace("\n", " ")


def test_plan_shows_the_steps_and_runs_nothing(file, tmp_path, capsys):
    assert call("investigate", file, "--out", tmp_path / "out", "--plan", "--steps.toss.n_pairs=30") == 0
    said = capsys.readouterr().out
    assert re.search(r"toss.*coins.*search.*n_pairs=30", said)
    assert re.search(r"hypotheses(.|\n)*confirm", said)
    assert RUNS == []
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_is_one_line_and_nothing_runs(file, tmp_path, capsys):
    assert call("investigate", file, "--out", tmp_path / "out", "--steps.toss.n_pair=30", "--task=nothing") == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: coins cannot begin: ")
    assert len(said.splitlines()) == 1
    assert "did you mean 'n_pairs'" in said
    assert "unknown task 'nothing'" in said
    assert not (tmp_path / "out").exists()


def test_stopped_it_says_how_to_go_on_and_goes_on(file, tmp_path, monkeypatch, capsys):
    out, carry_out = tmp_path / "out", Coins.carry_out

    def stopped(self, *given, **named):
        if self.config.fold == "held_out":
            raise KeyboardInterrupt
        return carry_out(self, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Coins, "carry_out", stopped)
        assert call("investigate", file, "--out", out) == 130
    said = capsys.readouterr().out
    assert f"stopped; interp-lab investigate {file} --out {out} --resume goes on" in said.replace("\n", " ")
    assert call("investigate", file, "--out", out, "--resume") == 0
    assert [fold for _, fold, _ in RUNS] == ["search", "held_out"]


def test_resume_without_a_folder_and_two_efforts_are_refused(file, capsys):
    assert call("investigate", file, "--resume") == 2
    assert "say which folder" in capsys.readouterr().err
    assert call("investigate", file, "--quick", "--thorough") == 2


def test_says_when_there_is_nothing_to_go_on_with(file, tmp_path, capsys):
    assert call("investigate", file, "--out", tmp_path / "out", "--resume") == 0
    assert "nothing to resume" in capsys.readouterr().err


def test_run_names_the_command_for_it(file, capsys):
    assert call("run", file) == 1
    said = capsys.readouterr().err.replace("\n", " ")
    assert f"describes an investigation, of several experiments: interp-lab investigate {file}" in said


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            (coins("toss", gate=True, lacks="the corruption costs nothing"), *WHOLE[1:]),
            "There is nothing to explain: .*The investigation ended there",
        ),
        (WHOLE[:1], "Exploratory: this list of steps puts nothing to a test"),
        ((coins("toss", search={"c": 0.01}), *WHOLE[1:]), "Nothing is claimed: no step came to a claim"),
    ],
    ids=["gate", "exploration", "nothing found"],
)  # fmt: skip
def test_what_ends_without_a_claim_says_so(tmp_path, steps, said, capsys):
    path = tmp_path / "coins.yaml"
    path.write_text(yaml.safe_dump(asked(*steps)))
    assert call("investigate", path, "--out", tmp_path / "out") == 0
    assert re.search(said, capsys.readouterr().out)


def test_a_page_that_fails_costs_no_result(file, tmp_path, monkeypatch):
    def broken(found, *, reproduce):
        raise ValueError("no page today")

    monkeypatch.setattr("interp_lab.investigation.page.write_investigation", broken)
    assert call("investigate", file, "--out", tmp_path / "out") == 1
    assert len(read_investigation(tmp_path / "out").decided) == 2
