"""The command line as a user meets it: real processes for start-up and exit codes, in-process for the rest."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from interp_lab.cli.main import main

QUICK = ["--model=compiled/induction", "--period=8", "--held-out-period=6", "--n-sequences=16", "--ablation=zero"]
CONFIG = str(Path(__file__).parents[2] / "experiments/configs/attention_look_alike.yaml")


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code or 0


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


class TestStartUp:
    def test_help_imports_nothing_heavy(self):
        code = (
            "import sys\nfrom interp_lab.cli.main import main\n"
            "try: main(['--help'])\nexcept SystemExit: pass\n"
            "heavy = {'torch', 'transformer_lens', 'sae_lens', 'transformers', 'plotly', 'pandas', 'scipy', 'wandb'}\n"
            "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
        )
        done = python(code)
        assert done.stderr.strip() == "[]"
        for command in ("list", "run", "verify", "demo", "report", "cite", "train-organism", "model-card"):
            assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE)


class TestRun:
    def test_runs_a_config_with_overrides_and_keeps_the_result(self, tmp_path, capsys):
        out = tmp_path / "run"
        assert call("run", CONFIG, "--out", str(out), *QUICK) == 0
        printed = capsys.readouterr().out
        assert "compiled/induction: loss 3.17" in printed
        assert "look like a type: 0.0 previous_token, 0.1 first_token, 1.0 induction" in printed
        assert {path.name for path in out.iterdir()} >= {"config.yaml", "run.json", "provenance.json", "metrics.jsonl"}

        assert call("cite", str(out)) == 0
        assert "2209.11895" in capsys.readouterr().out

        assert call("report", str(out), "--out", str(tmp_path / "page.html")) == 0
        assert "1.0 of compiled/induction attends like an induction head" in (tmp_path / "page.html").read_text()

        assert call("run", CONFIG, "--out", str(out), *QUICK) == 1
        assert "error: " in capsys.readouterr().err
        assert call("run", CONFIG, "--out", str(out), "--resume", *QUICK) == 0
        assert capsys.readouterr().out == printed


class TestOverrides:
    """Every form that W&B's `${args}` and friends can take reaches the config."""

    @pytest.mark.parametrize(
        "given",
        [
            ["--seed=3", "--held_out_period=None", "--looks_like=0.5"],
            ["--seed", "3", "--held-out-period", "None", "--looks-like", "5e-1"],
        ],
        ids=["equals", "spaced"],
    )
    def test_reach_the_config(self, given, tmp_path, monkeypatch):
        seen = []

        def remember(self, *arguments, **options):
            seen.append(self.config)
            raise ValueError("far enough")

        monkeypatch.setattr("interp_lab.attention.experiment.AttentionHeads.run", remember)
        assert call("run", CONFIG, "--out", str(tmp_path / "x"), *given) == 1
        assert (seen[0].seed, seen[0].held_out_period, seen[0].looks_like) == (3, None, 0.5)

    def test_a_negative_number_is_a_value(self, capsys):
        assert call("run", CONFIG, "--seed", "-1") == 1
        assert "seed: Input should be greater than or equal to 0, got -1" in capsys.readouterr().err


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["run", "nowhere.yaml"], "error: no config file at nowhere.yaml"),
            (["run", CONFIG, "--perod=3"], "error: perod: no such field in AttentionHeadsConfig; did you mean"),
            (["run", CONFIG, "--period=many"], "error: period: Input should be a valid integer"),
            (["run", CONFIG, "--model=compiled/inductoin"], "compiled/induction"),
            (["cite", "nowhere"], "error: "),
            (["train-organism", "atn"], "error: "),
        ],
    )  # fmt: skip
    def test_are_one_line_on_standard_error(self, arguments, message, capsys, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert call(*arguments) == 1
        told = capsys.readouterr().err.strip()
        assert message in told
        assert "\n" not in told
        assert "Traceback" not in told

    def test_traceback_on_request(self):
        with pytest.raises(ValueError, match="no config file"):
            main(["--traceback", "run", "nowhere.yaml"])

    def test_a_misspelt_command_names_the_nearest(self, capsys):
        assert call("verfy") == 2
        assert "verify" in capsys.readouterr().err


class TestVerify:
    def test_exits_with_one_if_any_instrument_reads_wrong(self, monkeypatch, capsys):
        from interp_lab.experiment import KnownAnswer

        def row(ok: bool) -> KnownAnswer:
            return KnownAnswer("ruler", "1 m", lambda: (ok, "1 m" if ok else "2 m"), lambda: (False, "-"))

        monkeypatch.setattr("interp_lab.verify.known_answers", lambda: [row(True), row(True)])
        assert call("verify") == 0
        assert "2 of 2 instruments read true" in capsys.readouterr().out
        monkeypatch.setattr("interp_lab.verify.known_answers", lambda: [row(True), row(False)])
        assert call("verify") == 1
        assert "1 of 2" in capsys.readouterr().out
