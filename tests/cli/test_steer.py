"""`interp-lab steer`: continuations side by side with what was touched, or one clear line."""

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from interp_lab.cli.main import main
from interp_lab.cli.steering import Asked, decoded_rows, shown, steers, summary, table_of
from interp_lab.decoding import Audit, Decoded, DecodingSettings, Steer, StopReason, decode, stream
from interp_lab.decoding.where import policy_of
from interp_lab.directions import Directions, DirectionSource, directions_of, save_directions, to_gguf
from interp_lab.directions.gguf_file import write_gguf
from interp_lab.identity import WeightProcessing
from interp_lab.interventions import Intervention, Op, every_write
from interp_lab.models import identity_of, load_model
from interp_lab.steering.setting import How, Setting, steers_for
from interp_lab.tasks.encoding import prompts
from interp_lab.types import Site
from tests.directions.planted import drawn

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
    assert "touched 1 of 4 layers x 2 of 2 steered rows x" in out
    assert f"(length of the vectors {float(directions.norms[0]):.3g})" in out


@pytest.mark.parametrize("how", ["clamp", "ablate"])
@pytest.mark.parametrize("where", ["prompt", "generated", "last"])
def test_every_way_runs_at_all_hook_points(file, words, capsys, how, where):
    assert call("--direction", file, "--prompt", words, "--how", how, "--where", where, "--max-new-tokens", 3) == 0
    assert "touched 2 of 4 layers x 1 of 1 steered rows x" in capsys.readouterr().out


def asked(*texts, coefficients=(1.0,), how="add", where="all", **changes):
    given: dict[str, Any] = {
        "layers": (),
        "hooks": (),
        "model": None,
        "processing": None,
        "max_new_tokens": 4,
        "temperature": None,
    }
    return Asked(
        DirectionSource(Path("d.safetensors")), texts, coefficients, where, how, **{**given, "seed": 3, **changes}
    )


class TestRows:
    def test_each_is_what_it_would_be_alone_with_the_random_numbers_of_its_prompt(self, model, directions):
        """Two prompts, sampled: the rows of the second use the second seed, whatever the coefficient."""
        texts, doses = ("Ben found it", "the garden was"), (0.0, 2.0, -3.0)
        found = decoded_rows(model, directions, asked(*texts, coefficients=doses[1:], temperature=1.0))
        for nth, text in enumerate(texts):
            for row, dose in enumerate(doses):
                settings = DecodingSettings(max_new_tokens=4, temperature=1.0, seed=3 + nth)
                sites = tuple(map(Site, HOOKS))
                push = Steer(
                    Intervention(sites, Op.ADD, tuple(dose * directions.vectors), "push"), policy_of(model, "all")
                )
                alone = decode(model, [text], [settings], steers=[push] if dose else [])
                assert found.tokens[nth * len(doses) + row] == alone.tokens[0]

    def test_a_clamp_is_that_of_the_experiment(self, model):
        """The same words, coefficients and midpoints; of a direction that was turned round, too."""
        made = replace(directions_of(drawn(d=128)), hooks=HOOKS, model=identity_of(model))
        about = {"midpoint": dict(zip(HOOKS, made.about["midpoint"].values(), strict=True))}
        for found in (replace(made, about=about), replace(made, about=about).times(-2.0)):
            given = prompts(model, ["Ben found it"])[0].ids
            rows = decoded_rows(model, found, asked("Ben found it", coefficients=(0.5, -1.0), how="clamp"))
            for row, coefficient in ((1, 0.5), (2, -1.0)):
                setting = Setting("d", HOOKS, How.CLAMP, coefficient)
                own = steers_for(model, setting, found.vectors, midpoints=found.midpoints)
                alone = decode(model, [given], DecodingSettings(max_new_tokens=4), steers=own)
                assert rows.log_probs[row] == pytest.approx(alone.log_probs[0], abs=1e-5)
                assert rows.tokens[row] == alone.tokens[0]

    def test_a_clamp_without_two_sides_says_what_it_is(self, model, directions):
        given = asked("Ben found it", how="clamp")
        decoded = decoded_rows(model, directions, given)
        assert "nothing tells where their two sides lie" in summary(directions, given, decoded, n_layers=4)

    def test_ablation_at_every_write_is_at_all_of_them_and_at_own_hook_points_says_so(self, model, directions):
        one = directions.only(HOOKS[1:])
        everywhere, here = (asked("Ben found it", how=how) for how in ("ablate-every-write", "ablate"))
        assert steers(model, one, everywhere)[0].intervention.sites == every_write(model)
        assert steers(model, one, here)[0].intervention.sites == (Site(HOOKS[1]),)
        told = [summary(one, given, decoded_rows(model, one, given), n_layers=4) for given in (everywhere, here)]
        assert "at everything that is written" in told[0]
        assert "touched 4 of 4 layers" in told[0]
        assert "at these hook points alone" in told[1]

    @pytest.mark.parametrize(
        ("where", "n"), [("all", 2), ("prompt", 2), ("all+bos", 4), ("from 2", 1), ("tokens found", 1)]
    )
    def test_special_tokens_are_left_alone_unless_they_are_named(self, model, directions, where, n):
        """As in an experiment: `all` is every token but special ones."""
        text = f"Ben {model.tokenizer.eos_token} found"
        made = steers(model, directions, asked(text, where=where))
        under_way = stream(model, [prompts(model, [text])[0].ids] * 2, steers=made)
        next(under_way)
        assert int(under_way.result().audit.touches[0].touched[1].sum()) == n


class TestWhatIsShown:
    def table(self, given, texts):
        decoded = Decoded(((1,),) * 2, ((1,),) * 2, ((-1.0,),) * 2, (StopReason.LENGTH,) * 2, Audit(()), cached=True)
        written = StringIO()
        no_coefficient = asked(given, coefficients=())
        Console(file=written, width=100).print(table_of(given, no_coefficient, decoded, texts, first=0))
        return written.getvalue()

    def test_brackets_are_text_and_no_markup(self):
        """Tags of chat models; as markup they would end the program, or be swallowed."""
        out = self.table("say [/INST] [bold]x", ["[/b] or [red]y :smile:", ""])
        assert "say [/INST] [bold]x" in out
        assert "[/b] or [red]y :smile:" in out

    @pytest.mark.parametrize(
        ("tokens", "stop", "text", "told"),
        [
            ((2,), StopReason.STOP_TOKEN, "", "(ends at once)"),
            ((7, 2), StopReason.STOP_TOKEN, " ", "(2 tokens without text, then the end)"),
            ((7, 7), StopReason.LENGTH, "", "(2 tokens without text)"),
            ((7, 2), StopReason.STOP_TOKEN, "well", "well"),
        ],
    )
    def test_a_continuation_without_text_says_so(self, tokens, stop, text, told):
        decoded = Decoded(((1,),), (tokens,), ((-1.0,) * len(tokens),), (stop,), Audit(()), cached=True)
        assert shown(decoded, [text], 0).plain == told

    def test_counts_and_lengths_are_those_of_the_row(self, file, directions, capsys):
        arguments = ("--prompt", "Ben found it", "--prompt", "the garden was light in", "--where", "prompt")
        assert call("--direction", file, *arguments, "--layer", 1, "--coefficient", -2, "--max-new-tokens", 2) == 0
        rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["-2"]]
        length = f"{2 * float(directions.norms[0]):.3g}"
        assert [row[-2:] for row in rows] == [["3", length], ["5", length]]


class TestSources:
    def test_a_control_vector_steers_as_the_file_that_it_was_made_of(self, file, directions, words, tmp_path, capsys):
        to_gguf(directions, tmp_path / "d.gguf")
        outs = []
        for path in (file, tmp_path / "d.gguf"):
            assert call("--direction", path, "--prompt", words, "--coefficient", 3) == 0
            outs.append(capsys.readouterr().out)
        assert outs[0] == outs[1]

    def test_a_control_vector_of_others_needs_the_model_and_is_read_with_raw_weights(self, words, tmp_path, capsys):
        fields = {"general.architecture": "controlvector", "controlvector.model_hint": "llama"}
        write_gguf(tmp_path / "x.gguf", fields, {"direction.1": torch.ones(128).cumsum(0)})
        assert call("--direction", tmp_path / "x.gguf", "--prompt", words) == 1
        assert "does not say which model it was made on; give its name by --model" in capsys.readouterr().err
        assert call("--direction", tmp_path / "x.gguf", "--prompt", words, "--model", "organism") == 0
        assert "add x (control vector) at blocks.1.hook_resid_post" in capsys.readouterr().out

    def test_what_a_latent_of_another_run_writes(self, words, capsys):
        sae = ("--direction", "organism-2-resid-post", "--prompt", words, "--coefficient", 5)
        assert call(*sae, "--artefact", "#12") == 0
        assert "add organism-2-resid-post#12 (sae decoder) at blocks.2.hook_resid_post" in capsys.readouterr().out
        assert call(*sae) == 1
        assert "is a folder; give the artefact that is meant" in capsys.readouterr().err
        assert call(*sae, "--artefact", "#5000") == 1
        assert "latent 5000 is out of range" in capsys.readouterr().err

    def test_an_artefact_of_a_file(self, file, words, capsys):
        assert call("--direction", file, "--prompt", words, "--artefact", "first") == 1
        assert "is no folder, and artefact 'first' is looked for in one" in capsys.readouterr().err


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
        (["--where", "everywhere"], "--where 'everywhere' is no position policy; use one of prompt, generated, all"),
        (["--where", "tokens"], "where='tokens' is no position policy"),
        (["--how", "ablate", "--coefficient", "4"], "--how ablate takes a direction out or leaves it"),
        (["--how", "ablate-every-write"], "takes one direction of the residual stream, and there are 2"),
        (["--prompt", "xyzzy"], "does not know 'xyzzy'"),
        (["--chat"], "the tokenizer has no chat template"),
        (["--system", "be brief"], "a system message needs a chat"),
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
