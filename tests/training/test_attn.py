"""Training `organism-attn` in small: what is written, what a step depends on, and which heads are silenced."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from interp_lab.experiment import Experiment, Result
from interp_lab.organisms.bundled import read_bundle
from interp_lab.organisms.repeats import repeated_twice
from interp_lab.runs import RunError, read_run
from interp_lab.training import TrainingResult, read_card
from interp_lab.training.attn import ORGANISM, batch_of, loss_at, nested_heads, step_generator
from interp_lab.training.measure import build, untrained_like
from tests.training.runs import tiny


class StopError(Exception):
    pass


def stop_at(step):
    def progress(done, total, what):
        if done == step:
            raise StopError

    return progress


def bits(folder) -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoint.safetensors")


class TestTrainOrganismAttn:
    def test_is_an_experiment_with_a_result(self, tmp_path):
        experiment = tiny(loop__n_steps=1)
        assert isinstance(experiment, Experiment)
        assert isinstance(experiment.run(None, tmp_path), Result)

    def test_writes_weights_in_half_precision_and_the_card_measured_on_them(self, tmp_path):
        result = tiny().run(None, tmp_path)
        bundle = read_bundle(tmp_path / ORGANISM)
        trained = bits(tmp_path)
        for name, value in bundle.state_dict.items():
            assert torch.equal(value, trained[f"model.{name}"].half().float())
        assert read_card(tmp_path / ORGANISM) == result.card()
        again = tiny().measure(build(bundle))
        assert np.array_equal(again.trained.induction, result.trained.induction)

    def test_the_run_folder_gives_the_result_back(self, tmp_path):
        result = tiny().run(None, tmp_path)
        run = read_run(tmp_path)
        again = TrainingResult.from_arrays(result.config, result.provenance, run.arrays())
        assert again.summary() == result.summary()
        assert again.card() == result.card()
        assert [row["step"] for row in run.rows] == [1, 2, 3, 4, 5, 6]
        assert [row["loss"] for row in run.rows] == pytest.approx(result.losses.tolist())

    def test_trains_weights_in_row_major_order_on_which_its_bits_rest(self, tmp_path, monkeypatch):
        seen = []

        def train(model, *_, **__):
            seen.extend(weight.is_contiguous() for weight in model.parameters())
            raise StopError

        monkeypatch.setattr("interp_lab.training.attn.train", train)
        with pytest.raises(StopError):
            tiny().run(None, tmp_path)
        assert seen
        assert all(seen)

    def test_stopped_and_resumed_ends_with_the_same_bits(self, tmp_path):
        whole = tiny().run(None, tmp_path / "whole")
        with pytest.raises(StopError):
            tiny().run(None, tmp_path / "stopped", progress=stop_at(5))
        resumed = tiny().run(None, tmp_path / "stopped", resume=True)
        expected, found = bits(tmp_path / "whole"), bits(tmp_path / "stopped")
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        assert np.array_equal(resumed.losses, whole.losses)

    def test_another_config_cannot_go_on_with_a_run(self, tmp_path):
        with pytest.raises(StopError):
            tiny().run(None, tmp_path, progress=stop_at(3))
        with pytest.raises(RunError, match=r"(?s)seed.*0.*1"):
            tiny(seed=1).run(None, tmp_path, resume=True)

    def test_needs_a_folder(self):
        with pytest.raises(ValueError, match="give it a run_dir"):
            tiny().run()

    def test_leaves_the_global_generators_alone(self, tmp_path):
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        tiny(loop__n_steps=1).run(None, tmp_path)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.array_equal(np.random.get_state()[1], before[1])

    def test_the_claim_of_an_untrained_circuit_stays_descriptive(self, tmp_path):
        (claim,) = tiny(loop__n_steps=1).run(None, tmp_path).claims()
        assert str(claim.grade) == "descriptive"

    def test_sections_keep_causal_figures_apart(self, tmp_path):
        descriptive, causal = tiny(loop__n_steps=1).run(None, tmp_path).sections()
        assert not descriptive.causal
        assert causal.causal
        assert "resampled" in causal.tables["causal figures"]["figure"].item()
        assert not descriptive.tables["descriptive figures"]["figure"].str.contains("resampled").any()


class TestBatches:
    def test_depend_on_seed_and_step_and_nothing_else(self):
        config = tiny().config
        one, same, later, other = (
            batch_of(config.text, step_generator(seed, step), n_ctx=16).tokens
            for seed, step in ((0, 3), (0, 3), (0, 4), (1, 3))
        )
        assert torch.equal(one, same)
        assert not torch.equal(one, later)
        assert not torch.equal(one, other)

    def test_seed_and_step_do_not_mix(self):
        assert len({step_generator(a, b).initial_seed() for a in range(30) for b in range(30)}) == 900

    def test_evaluation_text_is_none_of_the_training_text(self):
        config = tiny().config
        trained = {
            tuple(row)
            for step in range(200)
            for row in batch_of(config.text, step_generator(0, step), n_ctx=16).tokens[:, :11].tolist()
        }
        fresh = repeated_twice(500, 5, seed=config.card.seed, symbols=range(1, 21)).tokens.tolist()
        assert not trained & {tuple(row) for row in fresh}


class TestNestedHeads:
    def test_keep_the_first_heads_and_silence_the_rest(self):
        bundle = _tiny_bundle()
        model = untrained_like(bundle, seed=0)
        edits = nested_heads(model, 200, generator=torch.Generator().manual_seed(0))
        assert list(edits) == ["blocks.0.attn.hook_z", "blocks.1.attn.hook_z"]
        kept = [edit(torch.ones(200, 3, 2, 4))[:, 0, :, 0] for edit in edits.values()]
        for rows in kept:
            assert (rows[:, 0] == 1).all()
            assert rows[:, 1].mean().item() == pytest.approx(0.5, abs=0.15)
        assert not torch.equal(*kept)

    def test_a_loss_without_them_is_the_models_own(self):
        config = tiny(nested_heads=False).config
        model = untrained_like(_tiny_bundle(), seed=0)
        tokens = batch_of(config.text, step_generator(0, 2), n_ctx=16).tokens
        assert loss_at(model, 2, config=config).item() == model(tokens, return_type="loss").item()

    def test_a_loss_with_them_differs_and_leaves_no_hook_behind(self):
        model = untrained_like(_tiny_bundle(), seed=0)
        whole = loss_at(model, 2, config=tiny(nested_heads=False).config)
        nested = loss_at(model, 2, config=tiny().config)
        assert nested.item() != whole.item()
        assert loss_at(model, 2, config=tiny(nested_heads=False).config).item() == whole.item()


def _tiny_bundle():
    from interp_lab.organisms.bundled import BundledModel
    from interp_lab.training.initial import attention_only_config

    return BundledModel("tiny", attention_only_config(tiny().config.shape, n_symbols=20, name="tiny"), {}, None)


def test_the_card_file_is_plain_json(tmp_path):
    tiny(loop__n_steps=1).run(None, tmp_path)
    data = json.loads((tmp_path / ORGANISM / "card.json").read_text("utf-8"))
    assert data["name"] == ORGANISM
    assert {"figure", "unit", "value", "control", "control_name", "bounds", "met"} == data["rows"][0].keys()
