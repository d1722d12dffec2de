"""The script that trains, and the configs that come with it."""

import re
import runpy

import pytest

from interp_lab.registry import load_experiment


def test_the_script_and_its_config_are_short_and_there(request):
    root = request.config.rootpath / "experiments"
    script = (root / "train_sae.py").read_text()
    assert len(script.splitlines()) < 40
    for name in ("sae_train_organism.yaml", "sae_train_gpt2_small.yaml", "sae_frontier_organism.yaml"):
        assert load_experiment(root / "configs" / name).config.all_trained.saes
        named = re.findall(r"[\w-]+\.yaml", (root / "configs" / name).read_text())
        assert all((root / "configs" / other).is_file() for other in named)


class TestTheScript:
    @pytest.fixture(scope="class")
    def main(self, request):
        return runpy.run_path(str(request.config.rootpath / "experiments/train_sae.py"))["main"]

    def test_wants_to_know_what_to_resume(self, main):
        with pytest.raises(SystemExit, match="--resume needs the folder of the run: --resume=FOLDER"):
            main(["--resume"])

    def test_says_that_there_is_nothing_to_resume(self, main, tmp_path, capsys):
        with pytest.raises(ValueError, match="nowhere"):
            main([f"--resume={tmp_path / 'typo'}", "--model=nowhere"])
        assert capsys.readouterr().out == f"nothing to resume, training anew into {tmp_path / 'typo'}\n"
