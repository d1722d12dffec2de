"""The whole of a training run: what it leaves, what it finds, what a second look makes of it."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from sae_lens import SAE

import interp_lab.sae.experiment as module
from interp_lab import load_model
from interp_lab.config import RunRef
from interp_lab.registry import load_result
from interp_lab.runs import read_run
from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.evaluation import evaluate
from interp_lab.sae.texts import table_suggests, training_suggests
from interp_lab.sae.training import TrainedSae
from tests.sae.trainings import BRIEF, HOOK, NAMES, Notes, small, training, values


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tmp_path_factory.mktemp("runs") / "run"


@pytest.fixture(scope="module")
def told():
    return Notes()


@pytest.fixture(scope="module")
def result(run, told):
    return training().run(told, run)


@pytest.fixture(scope="module")
def model():
    return load_model("organism", device="cpu")


class TestWhatARunLeaves:
    def test_autoencoders_that_sae_lens_reads_and_nothing_that_only_training_needs(self, run, result):
        assert {path.name for path in run.iterdir()} == {
            "run.json", "config.yaml", "provenance.json", "metrics.jsonl", "tables", "arrays.safetensors",
            "artefacts.json", "saes",
        }  # fmt: skip
        assert sorted(path.name for path in (run / "saes").iterdir()) == sorted(NAMES)
        with pytest.warns(UserWarning, match="load the model like so"):
            sae = SAE.load_from_disk(run / "saes" / "topk-k_4")
        assert (sae.cfg.d_in, sae.cfg.d_sae, sae.cfg.k) == (128, 48, 4)
        assert (sae.cfg.metadata.hook_name, sae.cfg.metadata.context_size) == (HOOK, 32)

    def test_the_fold_that_was_read_is_told_to_whoever_saves(self, tmp_path, monkeypatch):
        told = {}
        monkeypatch.setattr(module, "save_sae", lambda trained, folder, **given: told.update(given))
        training(fold="search")._save(object.__new__(TrainedSae), tmp_path / "sae", length=8)
        assert told["fold"] == "search"

    def test_autoencoders_that_other_experiments_name_by_the_run(self, run, result, model):
        sae = load_chosen(SaeChoice(sae=RunRef(run=run, artefact="topk-k_8")))
        sae.require_fits(model, hook=HOOK)
        activation = torch.randn(5, 128, generator=torch.Generator().manual_seed(0))
        assert torch.equal((sae.encode(activation) != 0).sum(-1), torch.full((5,), 8))
        with pytest.raises(ValueError, match=r"has no autoencoder 'k_8'; it has batch, topk-k_4, topk-k_8"):
            load_chosen(SaeChoice(sae=RunRef(run=run, artefact="k_8")))

    def test_a_threshold_that_lets_as_many_fire_as_were_asked_for(self, result):
        (batch,) = (one for one in result.made if one.name == "batch")
        assert batch.calibration["n_tokens"] == 256
        assert batch.calibration["l0_after"] == pytest.approx(6, abs=0.1)
        assert [one.calibration is None for one in result.made] == [True, True, False]

    def test_a_note_of_what_was_made(self, run, result):
        noted = json.loads((run / "artefacts.json").read_text())
        assert noted == {f"organism/{HOOK}/{name}": {"kind": "sae", "folder": f"saes/{name}"} for name in NAMES}
        assert "artefacts.json" in read_run(run).record.files


class TestWhatIsFound:
    def test_is_what_the_evaluation_finds_of_the_saved_autoencoders(self, run, result, model):
        saes = {name: load_chosen(SaeChoice(sae=RunRef(run=run, artefact=name))) for name in NAMES}
        again = evaluate(model, saes, HOOK, config=small().evaluation)
        assert values(again).items() <= values(result).items()

    def test_a_row_per_autoencoder_with_intervals_and_no_time(self, result):
        table = result.tables()["autoencoders"]
        assert table["name"].tolist() == NAMES
        assert table["sparsity"].tolist() == ["k=4", "k=8", "k=6.0"]
        assert table["latents"].tolist() == [48, 48, 32]
        assert (table["tokens"] == 1920).all()
        for metric in ("r2", "ce_recovered_mean"):
            assert (table[f"{metric}_low"] < table[metric]).all()
            assert (table[metric] < table[f"{metric}_high"]).all()
        assert table["l0"].tolist()[:2] == [4, 8]
        assert set(table["dead_criterion"]) == {
            "no activation in more than 10 batches of 64 tokens",
            "no activation in more than 100 batches of 64 tokens",
        }
        assert table["dead"].isna().tolist() == [False, False, True], "thirty batches are too few for a hundred"
        assert "dead unknown (no activation in more than 100" in result.summary().splitlines()[-1]
        everything = [*result.metrics(), *result.arrays(), *(name for one in result.tables().values() for name in one)]
        assert not any("second" in name or "time" in name for name in everything)

    def test_more_latents_explain_more(self, result):
        first, second = result.tables()["autoencoders"]["r2"].iloc[:2]
        assert second > first

    def test_the_curves_are_the_rows_that_were_logged(self, result, told):
        logged = [row for row in told.rows if "tokens" in row]
        assert result.curves.steps.tolist() == list(range(3, 31, 3)) == [row["step"] for row in logged]
        for name in NAMES:
            assert result.curves.of(name, "loss").tolist() == [row[f"{name}/loss"] for row in logged]
        table = result.tables()["curves"]
        assert table["topk-k_4/l0"].tolist() == [4.0] * 10

    def test_the_auxiliary_loss_is_drawn_apart_from_reconstruction(self, result):
        """In their sum the first looks like a divergence, when it begins with the first latents that count as dead."""
        squared, added, l0, r2 = (result.figures()["training"].data[nth * 3] for nth in range(4))
        of = {
            metric: result.curves.of("topk-k_4", metric) for metric in ("loss", "loss_mse", "l0", "explained_variance")
        }
        assert squared.y.tolist() == of["loss_mse"].tolist()
        assert added.y.tolist() == (of["loss"] - of["loss_mse"]).tolist()
        assert (added.y[:3] == 0).all(), "nothing is dead before ten batches are over"
        assert added.y[-1] > 0
        assert (l0.y.tolist(), r2.y.tolist()) == (of["l0"].tolist(), of["explained_variance"].tolist())
        assert squared.yaxis != added.yaxis
        (row,) = result.tables()["autoencoders"].iloc[:1].to_dict("records")
        assert (row["final_mse"], row["final_loss"]) == (of["loss_mse"][-1], of["loss"][-1])
        assert result.metrics()["topk-k_4.final_mse"] == of["loss_mse"][-1]
        assert result.metrics()["topk-k_4.final_loss"] == of["loss"][-1]

    def test_activations_are_looked_at_before_training(self, result, told):
        before = result.preflight
        assert (before.n_tokens, before.d_in) == (4 * 64, 128)
        assert told.rows[0]["step"] == 0
        assert told.rows[0]["preflight/mean_norm"] == before.mean_norm
        assert "centre=true" in before.advice()[0]
        told = result.sections()[-1].suggests
        assert told == "Nothing is left to change by what 256 activations are like, as these are trained."
        off = result.config.overlaid({"training.saes.topk.centre": False})
        assert before.advice()[0] in dataclasses.replace(result, config=off).sections()[-1].suggests

    def test_densities_are_told_as_a_table_while_training(self, result, told):
        density = told.tables["density topk-k_4"]
        assert density["latents"].sum() <= 48
        assert [row["step"] for row in told.rows if "topk-k_4/density_zero" in row] == [15, 30]

    def test_advice_on_dead_latents_names_all_whom_it_is_for(self, result):
        first, second, batch = result.made
        dead = dataclasses.replace(first.dead, advice="lower width")
        both = tuple(dataclasses.replace(one, dead=dead) for one in (first, second))
        told = training_suggests(dataclasses.replace(result, made=(*both, batch)))
        assert "To have fewer dead latents (topk-k_4, topk-k_8: lower width)." in told
        assert told.endswith(
            "How many latents of batch are dead cannot be told: 30 batches are too few to call one dead after 100; "
            "train longer, or lower dead_after."
        )

    def test_what_held_out_text_shares_with_that_trained_on_is_said(self, result):
        assert "none of which was trained on; but the templates of the grammar are the same" in table_suggests(result)
        apart = {"text.reserved": False, "evaluation.text.reserved": True}
        told = table_suggests(dataclasses.replace(result, config=result.config.overlaid(apart)))
        assert "none of which was trained on, nor its template." in told

    def test_what_is_claimed_is_about_splicing_and_no_section_of_ours_is_causal(self, result):
        assert result.claims() == result.evaluation.claims()
        assert {claim.effect.unit for claim in result.claims()} == {"nats per token"}
        ours = [
            one for one in result.sections() if one.title not in {two.title for two in result.evaluation.sections()}
        ]
        assert len(ours) == 3
        assert not any(one.causal for one in ours)
        words = " ".join(one.suggests + one.does_not_show + one.title for one in ours)
        assert "What is claimed is about splicing alone" in words
        assert not any(word in words for word in ("causes", "because of the", "responsible for"))

    def test_the_summary_has_a_line_for_each(self, result):
        lines = result.summary().splitlines()
        assert lines[0] == ("organism, blocks.1.hook_resid_post: 3 autoencoders, 1920 tokens; on 400 held-out ones:")
        assert [line.split()[0] for line in lines[1:]] == NAMES
        r2 = result.metrics()["topk-k_4.r2"]
        assert f"L0 4.0, R2 {r2:.3f} [" in lines[1]

    def test_sources_are_those_of_the_architectures_in_it(self, result):
        keys = {source.key for source in result.provenance.sources}
        assert keys == {"bloom2024saetrainingcodebase", "gao2024scaling", "bussmann2024batchtopk"}


class TestASecondLook:
    def test_reads_the_same_from_disk(self, run, result):
        again = load_result(run)
        assert values(again) == values(result)
        assert again.summary() == result.summary()
        assert again.arrays().keys() == result.arrays().keys()
        for name, array in again.arrays().items():
            np.testing.assert_array_equal(array, result.arrays()[name])
        assert again.made[2].calibration == result.made[2].calibration
        assert np.array_equal(again.made[0].density, result.made[0].density)
        for name, table in result.tables().items():
            assert again.tables()[name].equals(table), name

    def test_trains_nothing_that_is_complete(self, run, result, monkeypatch):
        monkeypatch.setattr(module, "model_named_by", None)
        monkeypatch.setattr(module, "train_saes", None)
        assert values(training().run(run_dir=run, resume=True)) == values(result)

    def test_measures_a_model_in_memory_with_the_same_numbers(self, result, model):
        assert values(training().measure(model)) == values(result)

    def test_needs_a_folder_to_run(self):
        with pytest.raises(ValueError, match="training writes autoencoders and checkpoints: give it a run_dir"):
            training().run()


class TestActivations:
    def test_are_judged_alike_wherever_they_are_kept(self, model):
        """In memory and on disk they come in the same order; what is streamed is mixed otherwise."""
        memory = training(**{"activations.where": "memory"}, **BRIEF).measure(model)
        disk = training(**{"activations.where": "disk"}, **BRIEF).measure(model)
        assert values(memory) == values(disk)

    def test_in_a_folder_of_ones_own_are_found_again(self, model, tmp_path, monkeypatch):
        where = {"activations.where": "disk", "activations.root": str(tmp_path / "stores"), **BRIEF}
        first = training(**where).run(run_dir=tmp_path / "one")
        (store,) = (tmp_path / "stores").iterdir()
        written = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
        second = training(**where, **{"training.saes.topk.learning_rate": 1e-3}).run(run_dir=tmp_path / "two")
        assert {path.name: path.stat().st_mtime_ns for path in store.iterdir()} == written
        assert first.metrics()["topk-k_4.r2"] != second.metrics()["topk-k_4.r2"]
