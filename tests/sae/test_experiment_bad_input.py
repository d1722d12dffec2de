"""What cannot be trained is refused before anything is left behind, and says what to change."""

import pytest
import torch

from interp_lab import load_model
from interp_lab.config import ConfigError, RunRef
from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.evaluation import evaluate
from interp_lab.sae.training import SaeConfig, grid
from tests.sae.trainings import BRIEF, HOOK, NAMES, small, training


def refused(tmp_path, told, kind=ValueError, **changes):
    """Run into a folder, and see that it is as free as before for the corrected run."""
    with pytest.raises(kind, match=told):
        training(**changes).run(run_dir=tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    training(**BRIEF).run(run_dir=folder)
    return folder


def chosen(run):
    return load_chosen(SaeChoice(sae=RunRef(run=run, artefact="topk-k_4")))


@pytest.fixture
def words(tmp_path):
    """Ninety short documents of words that the organism knows, each with a line of its own."""
    from interp_lab.tasks import grammar_documents

    path = tmp_path / "own.txt"
    path.write_text("\n".join(one.text.replace("\n", " ") for one in grammar_documents(90, seed=5)))
    return path


class TestRefusedBeforeAnythingIsWritten:
    @pytest.mark.parametrize("where", ["streamed", "memory", "disk"])
    def test_a_hook_point_that_there_is_not(self, tmp_path, where):
        told = r"blocks.1.hook_resid_pots.*did you mean 'blocks.1.hook_resid_post'"
        refused(tmp_path, told, **{"hook": "blocks.1.hook_resid_pots", "activations.where": where})

    def test_a_hook_point_without_an_activation_per_token(self, tmp_path):
        refused(tmp_path, "'blocks.1.attn.hook_pattern' has no activation per token", hook="blocks.1.attn.hook_pattern")

    def test_more_latents_to_fire_than_there_are(self, tmp_path):
        told = r"k=64 latents of 48 cannot fire; lower k or raise width"
        refused(tmp_path, told, **{"grids.topk": {"architecture.k": [8, 64]}})

    def test_levels_that_cannot_be_told_apart(self, tmp_path):
        kind = {"kind": "matryoshka_batchtopk", "k": 2}
        refused(tmp_path, r"of 4 latents are .*: some coincide",
                **{"training.saes.batch": {"architecture": kind, "width": 4}})  # fmt: skip

    @pytest.mark.parametrize("where", ["streamed", "memory", "disk"])
    def test_too_little_text_to_train_on(self, tmp_path, words, where):
        """On disk there are whole shards by then; they are of no use, and taken back."""
        own = {"text.source": str(words), "text.unit": "line", "activations.where": where, "n_calibrated": 64}
        told = r"the text has \d+ tokens to keep, and n_tokens asks for 1920; give more text.*lower n_tokens; or read "
        told += (
            r"it more often: training.n_tokens=1920 with training.epochs=1 needs 1920 tokens, with more epochs fewer"
        )
        refused(tmp_path, told, **own, **{"activations.shard_bytes": 20_000})

    def test_too_little_text_to_calibrate_on(self, tmp_path, words):
        own = {"text.source": str(words), "text.unit": "line", "n_calibrated": 50_000}
        told = r"text to calibrate on: \d+ documents with \d+ tokens are put aside, and n_calibrated=50000; raise calib"
        refused(tmp_path, told, **own)

    def test_too_little_text_to_judge_on(self, tmp_path, words):
        own = {"evaluation.text.source": str(words), "evaluation.text.unit": "line", "evaluation.n_tokens": 50_000}
        refused(tmp_path, r"text to judge on \(evaluation\): the text has \d+ tokens to keep", **own)

    def test_text_that_is_not_there(self, tmp_path):
        refused(tmp_path, "there is no /nowhere/at/all.txt; give a file", **{"text.source": "/nowhere/at/all.txt"})

    def test_text_that_is_both_trained_and_judged_on(self, tmp_path, words):
        """The same file in two places: documents are the same if their texts are."""
        copy = tmp_path / "copy.txt"
        copy.write_text(words.read_text())
        own = {"text.source": str(words), "text.unit": "line", "training.n_tokens": 320, "n_calibrated": 64}
        judged = {"source": str(copy), "unit": "line", "part": "all", "length": 32}
        told = r"\d+ of the \d+ held-out documents were trained on as well; make the two with text.part='train'"
        refused(tmp_path, told, **own, **{"evaluation.text": judged, "evaluation.fit_text": {"part": "train"}})

    def test_a_model_without_a_name_that_is_known(self, tmp_path):
        refused(tmp_path, "organisme.*did you mean 'organism", model="organisme")


class TestAnAutoencoderOfARun:
    def test_does_not_take_activations_of_another_length(self, run):
        with pytest.raises(ValueError, match=rf"activations of 64 entries do not fit .*trained on 128 at {HOOK}"):
            chosen(run).encode(torch.zeros(3, 64))

    def test_is_not_for_another_hook_point(self, run):
        with pytest.raises(ValueError, match=rf"was trained at {HOOK}, not at blocks.2.hook_resid_post"):
            chosen(run).require_fits(load_model("organism", device="cpu"), hook="blocks.2.hook_resid_post")

    def test_is_not_for_another_model(self, run):
        with pytest.raises(ValueError, match="organism-tuned"):
            chosen(run).require_fits(load_model("organism-tuned", device="cpu"))

    def test_is_not_for_other_weight_processing(self, run):
        raw = load_model("organism", device="cpu", processing="raw")
        with pytest.raises(ValueError, match=r"processing 'folded'.*center_writing_weights.*processing='folded'"):
            chosen(run).require_fits(raw)

    def test_is_not_judged_on_what_it_was_trained_on(self, run):
        """The record in its folder says on which side of which text it was trained."""
        judged = small().evaluation.overlaid({"text.held_out_share": 0.5})
        with pytest.raises(ValueError, match="trained on part 'train' of 'grammar'"):
            evaluate(load_model("organism", device="cpu"), {"own": chosen(run)}, HOOK, config=judged)

    def test_in_the_folder_of_a_run_that_is_resumed_must_be_its_own(self, run, tmp_path):
        """Somebody put another model's autoencoders where a stopped run would look for its own."""
        other = training(model="organism-tuned")
        folder = tmp_path / "run"
        folder.mkdir()
        (run / "saes").rename(folder / "saes")
        try:
            with pytest.raises(ValueError, match="organism"):
                other._into(folder, load_model("organism-tuned", device="cpu"), tracker=_silent(folder), progress=_no)
        finally:
            (folder / "saes").rename(run / "saes")


def _no(*args): ...


def _silent(folder):
    from interp_lab.runs import JsonlTracker

    return JsonlTracker(folder)


class TestConfig:
    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"text.part": "all"}, r"text.part='all': the rest is for judging; set 'train'"),
            ({"text.held_out_share": 0.2}, r"evaluation.text.held_out_share=0.3 reaches into what is trained on"),
            ({"calibration_share": 0.49, "text.held_out_share": 0.6}, "leave nothing to train on"),
            ({"grids": {"other": {"seed": [0]}}}, r"grids of other: training.saes has topk, batch"),
            ({"grids.topk": {"architecture.kk": [0]}}, r"architecture.*kk"),
            ({"grids.topk": {"architecture.k": []}}, r"grids.topk.architecture.k"),
            ({"grids.topk": {"architecture.k": 3}}, r"give a list, \[3\], not 3"),
            ({"n_calibrated": 63}, r"n_calibrated=63 is less than a batch of 64"),
            (
                {"evaluation.stability": [["batch", "topk"]]},
                r"evaluation.stability names topk; there are topk-k_4",
            ),
            ({"training.saes.random_1": {}}, r"training.saes.random_1: the name of a baseline"),
            ({"activations.root": "x"}, r"root='x' is where activations are on disk, and where='streamed'"),
            ({"hok": "x"}, r"hok: no such field in SaeTrainingConfig; did you mean 'hook'"),
        ],
    )
    def test_refuses_and_says_why(self, changes, told):
        with pytest.raises(ConfigError, match=told) as refusal:
            small(**changes)
        assert len(str(refusal.value)) < 400, "a config is not told as a whole"

    @pytest.mark.parametrize("key", ["architecture.k", "width", "seed"])
    def test_refuses_a_value_that_a_grid_would_replace_silently(self, key):
        """As `--training.saes.topk.architecture.k=5000` would be, for whoever forgets the grid in the file."""
        grids = {"grids": {"topk": {key: [4, 8]}}}
        told = rf"training.saes.topk.{key}=40 and grids.topk.{key}=\[4, 8\] set the same: leave out the first, or"
        plain = small(**{"training.saes.topk.width": None})
        with pytest.raises(ConfigError, match=told):
            plain.overlaid({**grids, f"training.saes.topk.{key}": 40})
        assert any(f"{key.rpartition('.')[2]}_8" in name for name in plain.overlaid(grids).all_trained.saes)

    @pytest.mark.parametrize(("column", "unit"), [("body", "paragraph"), ("text", "line")])
    def test_refuses_to_judge_on_the_same_file_cut_otherwise(self, column, unit):
        """Its documents have other digests, so that what is in both would not be noticed."""
        own = {"text.source": "mine.txt", "evaluation.text.source": "mine.txt"}
        assert small(**own, **{"text.seed": 1, "evaluation.text.seed": 2}), "of no matter: what a document says decides"
        other = {"evaluation.text.column": column, "evaluation.text.unit": unit}
        with pytest.raises(ConfigError, match=r"evaluation.text cuts 'mine.txt' into other documents .*unit"):
            small(**own, **other)
        assert small(**{**own, "evaluation.text.source": "other.txt"}, **other)

    def test_a_grid_is_every_combination_in_place_of_its_base(self):
        axes = {"architecture.k": [4, 8], "width": [32, 64], "seed": [0, 1]}
        one = small(**{"training.saes.topk.width": None, "grids.topk": axes}).all_trained
        assert len(one.saes) == 9
        assert one.saes["topk-k_8-width_64-seed_1"] == one.saes["topk-k_4-width_32-seed_0"].overlaid(
            {"architecture.k": 8, "width": 64, "seed": 1}
        )
        assert one.saes["batch"] == small().training.saes["batch"]
        assert list(grid(SaeConfig(), {"seed": [0, 1]})) == ["seed_0", "seed_1"]

    def test_an_axis_can_be_overridden_from_the_command_line(self):
        """`--grids.topk.architecture.k=[2]` arrives as nested mappings."""
        nested = small().overlaid({"grids": {"topk": {"architecture": {"k": [2]}}}})
        assert list(nested.all_trained.saes) == ["topk-k_2", "batch"]
        assert nested.flat()["grids.topk.architecture.k"] == [2]

    def test_yaml_round_trip(self, tmp_path):
        (tmp_path / "c.yaml").write_text(small().to_yaml())
        assert small().from_yaml(tmp_path / "c.yaml") == small()
        assert list(small().all_trained.saes) == NAMES

    def test_what_is_read_is_enough_for_every_epoch(self):
        assert small().n_read == 1920
        assert small(**{"training.epochs": 7}).n_read == 275
        assert 275 * 7 >= 1920
