"""In one fold a run uses nothing that another run may have made from held-out examples: every consumer asks."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import pytest

from interp_lab.circuits.references import HEADS, circuit_of, roles_of
from interp_lab.config import Config, ModelConfig, RunRef
from interp_lab.directions import from_run, load_directions, save_directions
from interp_lab.folds import FoldError, beyond_now, visible
from interp_lab.models import identity_of, load_model
from interp_lab.probes.saved import load_probe
from interp_lab.registry import EXPERIMENTS, entry, resolve
from interp_lab.runs import open_run
from interp_lab.runs.consumed import BUNDLED, artefacts_of, leaks, require_usable_in_fold
from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.features.config import SaeFeaturesConfig
from interp_lab.steering.config import SteeringConfig
from tests.directions.planted import directions
from tests.probes.test_saved import probe
from tests.runs.dice import DiceConfig, throw

SAE = "organism-2-resid-post"
FOLDS = pytest.mark.parametrize("made", ["all", "search", "held_out"])


class FoldedDiceConfig(DiceConfig):
    fold: Literal["all", "search", "held_out"] = "all"
    ablation: str = "zero"
    task: str = "none"


def run_in(folder: Path, made: str, *, experiment: str = "dice") -> Path:
    """A complete run whose config names a fold; older ones, `old`, name none."""
    config = DiceConfig() if made == "old" else FoldedDiceConfig(fold=made)
    open_run(folder, experiment=experiment, config=config).finish(throw(config))
    return folder


def sae_in(folder: Path, made: str) -> Path:
    """An autoencoder's folder whose record says in which fold it was trained."""
    shutil.copytree(BUNDLED / SAE, folder)
    record = json.loads((folder / "interp_lab.json").read_bytes())
    record["training"] |= {} if made == "all" else {"fold": made}
    (folder / "interp_lab.json").write_text(json.dumps(record))
    return folder


def refused(made):
    return nullcontext() if made == "search" else pytest.raises(FoldError, match=rf"was made in fold '{made}'")


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


@FOLDS
class TestEveryConsumer:
    def test_directions_of_a_run(self, model, tmp_path, made):
        folder = run_in(tmp_path / "run", made)
        (folder / "directions").mkdir()
        own = directions([[1.0] + [0.0] * 127], model=identity_of(model))
        with visible("search"):
            save_directions(own, folder / "directions" / "first.safetensors")
        with visible("held_out"), refused(made):
            from_run(RunRef(run=folder, artefact="first"), model)
        from_run(RunRef(run=folder, artefact="first"), model)

    def test_a_directions_file(self, model, tmp_path, made):
        own = directions([[1.0] + [0.0] * 127], model=identity_of(model))
        with visible(made):
            save_directions(own, tmp_path / "own.safetensors")
        with visible("search"), refused(made):
            load_directions(tmp_path / "own.safetensors")
        load_directions(tmp_path / "own.safetensors")

    def test_a_probe_file(self, tmp_path, made):
        with visible(made):
            probe().save(tmp_path / "own.safetensors")
        with visible("held_out"), refused(made):
            load_probe(tmp_path / "own.safetensors")
        load_probe(tmp_path / "own.safetensors")

    def test_an_autoencoder_of_a_run(self, tmp_path, made):
        """What its run says counts."""
        sae_in(run_in(tmp_path / "run", made) / "saes" / "one", "search")
        with visible("held_out"), refused(made):
            load_chosen(SaeChoice(sae=RunRef(run=tmp_path / "run", artefact="one")))

    def test_an_autoencoder_by_its_folder(self, tmp_path, made):
        sae_in(tmp_path / "one", made)
        with visible("held_out"), refused(made):
            load_chosen(SaeChoice(sae=str(tmp_path / "one")))

    def test_what_a_latent_writes(self, model, tmp_path, made):
        sae_in(tmp_path / "one", made)
        with visible("held_out"), refused(made):
            from_run(RunRef(run=tmp_path / "one", artefact="#3"), model)

    def test_circuits_and_roles_of_heads(self, model, tmp_path, made):
        """A run of dice passes for one of circuits until its arrays are read."""
        own = identity_of(model)
        for name, read in (("circuits", circuit_of), (HEADS, roles_of)):
            folder = run_in(tmp_path / name, made, experiment=name)
            file = folder / "provenance.json"
            told = json.loads(file.read_bytes())
            assert told["experiment"] == "dice"
            ref = RunRef(run=folder, artefact="circuit" if read is circuit_of else "throws")
            die = type(own).from_dict(told["model"])
            with visible("held_out"), pytest.raises((FoldError, KeyError, ValueError)) as said:
                read(ref, die)
            assert isinstance(said.value, FoldError) == (made != "search")


class TestWhichFold:
    def test_an_older_run_that_says_nothing_is_of_both(self, tmp_path):
        ref = RunRef(run=run_in(tmp_path / "run", "old"), artefact="throws")
        said = r"artefact 'throws' of the run in .*run was made in fold 'all', and fold 'search' is in force"
        with visible("search"), pytest.raises(FoldError, match=said):
            require_usable_in_fold(ref)
        require_usable_in_fold(ref)

    def test_what_no_run_made_is_used_and_noted(self):
        with visible("held_out"):
            load_chosen(SaeChoice())
            require_usable_in_fold(
                SaeChoice(sae="gpt2-small-res-jb", sae_id="blocks.8.hook_resid_pre").artefact_meant()
            )
            require_usable_in_fold(RunRef(run=Path(SAE), artefact="#3"))
            assert beyond_now() == (
                f"{SAE}, which comes with the package", "gpt2-small-res-jb, which no run of interp_lab made",
            )  # fmt: skip


class TestBeforehand:
    def test_finds_artefacts_wherever_a_config_has_them(self, tmp_path):
        own, other = (RunRef(run=tmp_path / name, artefact="a") for name in ("own", "other"))

        class Inner(Config):
            by_name: dict[str, SaeChoice]

        class Outer(Config):
            several: tuple[RunRef, ...]
            inner: Inner
            none: RunRef | None = None

        config = Outer(several=(own, own), inner=Inner(by_name={"x": SaeChoice(sae=other), "y": SaeChoice()}))
        assert artefacts_of(config) == [own, other, RunRef(run=BUNDLED / SAE, artefact="")]

    def test_says_what_the_run_would_and_nothing_where_all_may_be_seen(self, tmp_path):
        runs = [RunRef(run=run_in(tmp_path / made, made), artefact="a") for made in ("all", "search", "held_out")]
        found = leaks(SteeringConfig(directions=tuple(runs), fold="search"))
        assert len(found) == 2
        for ref, said in zip((runs[0], runs[2]), found, strict=True):
            with visible("search"), pytest.raises(FoldError) as later:
                require_usable_in_fold(ref)
            assert str(later.value) == said
        assert leaks(SteeringConfig(directions=tuple(runs))) == []
        assert leaks(SaeFeaturesConfig(fold="search")) == []

    @pytest.mark.parametrize("name", list(EXPERIMENTS))
    def test_there_is_no_other_way_for_a_config_to_name_what_another_run_made(self, name):
        """Whoever adds a path to a config decides here whether it names something that was made from examples."""
        config = resolve(entry(name).config)
        paths = {field for field, info in config.model_fields.items() if "Path" in str(info.annotation)}
        paths -= {"root", "neutral", "out"}  # stores are told apart by the fold of their text; text is divided itself
        assert not paths or not issubclass(config, ModelConfig), paths
