"""The command line as a user meets it: real processes for start-up and exit codes, in-process for the rest."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from interp_lab.cli.main import main

QUICK = ["--model=compiled/induction", "--period=8", "--held-out-period=6", "--n-sequences=32", "--ablations=[zero]"]
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
        for command in (
            "list",
            "run",
            "verify",
            "investigate",
            "view",
            "serve",
            "report",
            "cite",
            "train-organism",
            "model-card",
        ):
            assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE)


class TestRun:
    def test_runs_a_config_with_overrides_and_keeps_the_result(self, tmp_path, capsys):
        out = tmp_path / "run"
        assert call("run", CONFIG, "--out", str(out), *QUICK) == 0
        printed = capsys.readouterr().out
        assert "the second copy (3.17" in printed
        assert "look like a type: 0.0 previous_token, 0.1 first_token, 1.0 induction" in printed
        assert {path.name for path in out.iterdir()} >= {"config.yaml", "run.json", "provenance.json", "metrics.jsonl"}

        assert call("cite", str(out)) == 0
        assert "2209.11895" in capsys.readouterr().out

        assert call("report", str(out), "--out", str(tmp_path / "page.html")) == 0
        assert "1.0 of compiled/induction attends like an induction head" in (tmp_path / "page.html").read_text()

        assert call("run", CONFIG, "--out", str(out), *QUICK) == 1
        assert "error: " in capsys.readouterr().err
        assert call("run", CONFIG, "--out", str(out), "--resume", *QUICK) == 0
        told = capsys.readouterr()
        assert (told.out, "nothing to resume" in told.err) == (printed, False)


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
            (["cite", "nowhere"], "error: there is no run folder nowhere"),
            (["train-organism", "atn"], "error: no organism 'atn' to train; did you mean 'attn'?"),
        ],
    )  # fmt: skip
    def test_are_one_line_on_standard_error(self, arguments, message, capsys, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert call(*arguments) == 1
        told = capsys.readouterr().err.strip()
        assert message in told
        assert "\n" not in told
        assert "Traceback" not in told

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_traceback_on_request_wherever_it_stands(self, place):
        arguments = ["run", "nowhere.yaml"]
        arguments.insert(place, "--traceback")
        with pytest.raises(ValueError, match="no config file"):
            main(arguments)

    def test_resume_needs_a_folder(self, capsys):
        assert call("run", CONFIG, "--resume") == 2
        assert "--out" in capsys.readouterr().err

    def test_resume_says_that_there_is_nothing_to_go_on_with(self, tmp_path, capsys):
        out = str(tmp_path / "typo")
        assert call("run", CONFIG, "--out", out, "--resume", *QUICK, "--model=compiled/nothing") == 1
        assert capsys.readouterr().err.startswith(f"nothing to resume in {out}: starting anew\n")

    def test_a_wrong_name_leaves_the_folder_free_for_the_right_one(self, tmp_path, capsys):
        out = str(tmp_path / "run")
        assert call("run", CONFIG, "--out", out, *QUICK, "--model=compiled/nothing") == 1
        assert call("run", CONFIG, "--out", out, *QUICK) == 0

    def test_a_misspelt_command_names_the_nearest(self, capsys):
        assert call("verfy") == 2
        assert "verify" in capsys.readouterr().err


class TestList:
    def test_names_experiments_configs_and_models(self, capsys, monkeypatch):
        monkeypatch.chdir(Path(CONFIG).parents[2])
        assert call("list") == 0
        printed = capsys.readouterr().out
        for name in ("attention_heads", "attention_organism.yaml", "organism-attn", "compiled/look-alike"):
            assert name in printed


class TestWandb:
    def test_numbers_go_to_an_offline_run_and_a_refused_run_leaves_none(self, tmp_path, monkeypatch):
        from interp_lab.wandb_bridge import read_wandb_run

        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            monkeypatch.delenv(name)
        for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
            monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
        out = tmp_path / "run"
        assert call("run", CONFIG, "--out", str(out), "--wandb", "offline", *QUICK, "--model=compiled/nothing") == 1
        assert not (tmp_path / "wandb").exists()
        assert call("run", CONFIG, "--out", str(out), "--wandb", "offline", *QUICK) == 0
        (folder,) = (tmp_path / "wandb").glob("offline-run-*")
        run = read_wandb_run(folder)
        assert run.config["period"] == 8
        assert run.summary["n_causal_claims"] == 2


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
