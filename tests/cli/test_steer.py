"""`interp-lab steer`: continuations side by side with what was touched, or one clear line."""

from dataclasses import replace

import pytest
import torch

from interp_lab.cli.main import main
from interp_lab.decoding import DecodingSettings, Steer, decode
from interp_lab.directions import Directions, save_directions
from interp_lab.identity import WeightProcessing
from interp_lab.interventions import Intervention, Op
from interp_lab.models import identity_of, load_model
from interp_lab.types import Site

HOOKS = ("blocks.1.hook_resid_post", "blocks.2.hook_resid_post")


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


@pytest.fixture(scope="module")
def directions(model):
    vectors = torch.randn(2, 128, generator=torch.Generator().manual_seed(0))
    return Directions(vectors, HOOKS, identity_of(model), "by chance", "anything")


@pytest.fixture
def file(directions, tmp_path):
    save_directions(directions, tmp_path / "d.safetensors")
    return str(tmp_path / "d.safetensors")


@pytest.fixture
def words(model):
    return " ".join(model.tokenizer.decode([number]) for number in (50, 60, 70))


def call(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["steer", *map(str, arguments)])
    return int(stopped.value.code or 0)


def test_shows_what_decode_says(model, directions, file, words, capsys):
    arguments = ("--direction", file, "--prompt", words, "--layer", 1, "--max-new-tokens", 4)
    assert call(*arguments, "--coefficient", -2, "--coefficient", 3) == 0
    out = " ".join(capsys.readouterr().out.split())
    made = Intervention((Site(HOOKS[0]),), Op.ADD, (directions.vectors[0],), "push")
    doses = torch.tensor([0.0, -2.0, 3.0])
    decoded = decode(model, [words] * 3, DecodingSettings(max_new_tokens=4), steers=[Steer(made, coefficients=doses)])
    for text in decoded.texts(model):
        assert text.split()[0] in out
    assert "touched 1 of 4 layers x 2 rows x" in out
    assert f"(length of the vectors {float(directions.norms[0]):.3g})" in out


@pytest.mark.parametrize("how", ["clamp", "ablate"])
@pytest.mark.parametrize("where", ["prompt", "generated", "last"])
def test_every_way_runs_at_all_hook_points(file, words, capsys, how, where):
    assert call("--direction", file, "--prompt", words, "--how", how, "--where", where, "--max-new-tokens", 3) == 0
    assert "touched 2 of 4 layers x 1 rows x" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--layer", "9"], "--layer 9 is out of range: the model has layers 0 to 3"),
        (["--layer", "3"], "directions 'anything' have none in layer 3"),
        (["--hook", "blocks.1.hook_resid_pots"], "have none at 'blocks.1.hook_resid_pots'"),
        (["--coefficient", "nan"], "--coefficient nan must be a finite number"),
        (["--model", "organism-tuned"], "does not belong to this model"),
        (["--processing", "raw"], "does not belong to this model (processing: "),
        (["--max-new-tokens", "80"], "the model's context is 64"),
        (["--where", "generated", "--max-new-tokens", "1"], "touched nothing at"),
    ],
)
def test_errors_are_one_line(file, words, capsys, arguments, told):
    assert call("--direction", file, "--prompt", words, *arguments) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert told in error
    assert "\n" not in error


def test_directions_of_another_width_or_processing(directions, words, tmp_path, capsys):
    narrow = replace(directions, vectors=directions.vectors[:, :64])
    save_directions(narrow, tmp_path / "narrow.safetensors")
    assert call("--direction", tmp_path / "narrow.safetensors", "--prompt", words) == 1
    assert "have 64 entries, and activations at" in capsys.readouterr().err
    raw = replace(directions, model=replace(directions.model, processing=WeightProcessing.named("raw")))
    save_directions(raw, tmp_path / "raw.safetensors")
    assert call("--direction", tmp_path / "raw.safetensors", "--prompt", words, "--processing", "folded") == 1
    assert "does not belong to this model" in capsys.readouterr().err
