"""Training the organisms of the grammar in small: what is written, resuming, and where tuning starts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from interp_lab.experiment import Experiment, Result
from interp_lab.organisms.bundled import WEIGHTS, read_bundle
from interp_lab.organisms.grammar.corpus import encode, texts
from interp_lab.organisms.grammar.vocabulary import BOS_ID, PAD_ID, vocabulary
from interp_lab.runs import read_run
from interp_lab.training import OrganismResult, read_card, training_of
from interp_lab.training.measure import build
from interp_lab.training.organism import ORGANISM, TUNED, _new, loss_at, start_of, told

TINY = {
    "text": {"n_texts": 4},
    "loop": {"n_steps": 20, "checkpoint_every": 5, "log_every": 1, "optimiser": {"warm_up": 2, "learning_rate": 0.02}},
    "evaluate_every": 20,
    "n_evaluated": 24,
    "card": {"n_examples": 24},
}
SHAPE = {"n_layers": 1, "n_heads": 2, "d_head": 4, "d_model": 8, "d_mlp": 8}


def organism(**overrides: Any):
    return training_of("organism", {**TINY, "shape": SHAPE}).config.overlaid(overrides)


def run(config, folder: Path, **options: Any) -> OrganismResult:
    name = "organism" if hasattr(config, "shape") else "organism-tuned"
    experiment = type(training_of(name))(config)
    return experiment.run(None, folder, **options)


class StopError(Exception):
    pass


def stop_at(step: int):
    def progress(done, total, what):
        if done == step:
            raise StopError

    return progress


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, OrganismResult]:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, run(organism(), folder)


@pytest.fixture(scope="module")
def tuned(whole, tmp_path_factory) -> tuple[Path, OrganismResult]:
    folder = tmp_path_factory.mktemp("runs") / "tuned"
    config = training_of("organism-tuned", {**TINY, "evaluate_every": 100, "start": str(whole[0] / ORGANISM)}).config
    return folder, run(config, folder)


class TestTrainOrganism:
    def test_is_an_experiment_with_a_result(self, whole):
        assert isinstance(training_of("organism"), Experiment)
        assert isinstance(whole[1], Result)

    def test_writes_half_precision_weights_and_the_card_measured_on_them(self, whole):
        folder, result = whole
        bundle = read_bundle(folder / ORGANISM)
        trained = load_file(folder / "checkpoint.safetensors")
        for name, value in bundle.state_dict.items():
            assert torch.equal(value, trained[f"model.{name}"].half().float())
        assert read_card(folder / ORGANISM) == result.card()

    def test_the_model_it_writes_has_a_tokenizer_that_gives_the_ids_of_the_grammar(self, whole):
        from interp_lab.models import build_hooked
        from interp_lab.models.tokenizers import read_tokenizer

        bundle = read_bundle(whole[0] / ORGANISM)
        assert bundle.tokenizer_dir is not None
        model: Any = build_hooked(bundle.config, bundle.state_dict, tokenizer=read_tokenizer(bundle.tokenizer_dir))
        (example,) = texts(1, seed=0)
        assert model.to_tokens(example.text).tolist() == [[BOS_ID, *encode(example)]]
        assert model.tokenizer.pad_token_id == PAD_ID
        assert model.cfg.d_vocab == len(vocabulary())

    def test_the_run_folder_gives_the_result_back(self, whole):
        folder, result = whole
        saved = read_run(folder)
        again = OrganismResult.from_arrays(result.config, result.provenance, saved.arrays())
        assert again.summary() == result.summary()
        assert again.card() == result.card()
        steps = [row["step"] for row in saved.rows if "loss" in row]
        assert steps == list(range(1, 21))

    def test_behaviours_are_measured_on_the_way(self, whole):
        measured = [row for row in read_run(whole[0]).rows if "reserved.facts.accuracy" in row and "step" in row]
        assert [row["step"] for row in measured] == [20]

    @pytest.mark.parametrize("name", ["organism", "organism-tuned"])
    def test_trains_weights_in_row_major_order_on_which_its_bits_rest(self, whole, tmp_path, monkeypatch, name):
        seen = []

        def train(model, *_, **__):
            seen.extend(weight.is_contiguous() for weight in model.parameters())
            raise StopError

        monkeypatch.setattr("interp_lab.training.organism.train", train)
        start = {"shape": SHAPE} if name == "organism" else {"start": str(whole[0] / ORGANISM)}
        with pytest.raises(StopError):
            training_of(name, {**TINY, **start}).run(None, tmp_path)
        assert seen
        assert all(seen)

    def test_stopped_and_resumed_ends_with_the_same_bits(self, whole, tmp_path):
        with pytest.raises(StopError):
            run(organism(), tmp_path / "stopped", progress=stop_at(13))
        resumed = run(organism(), tmp_path / "stopped", resume=True)
        found, expected = (load_file(path / "checkpoint.safetensors") for path in (tmp_path / "stopped", whole[0]))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        assert np.array_equal(resumed.losses, whole[1].losses)

    def test_learns_the_words_at_least(self, whole):
        losses = whole[1].losses
        assert losses[0] > np.log(len(vocabulary()))
        assert losses[-5:].mean() < losses[0] - 1.0

    def test_can_go_on_from_a_model_it_is_given(self, whole):
        start = whole[0] / ORGANISM
        model = build(_new(organism(start=str(start))))
        expected = build(read_bundle(start))
        assert loss_at(model, 0, config=whole[1].config).item() == loss_at(expected, 0, config=whole[1].config).item()

    def test_cannot_go_on_from_a_model_of_other_words(self):
        with pytest.raises(ValueError, match="organism-attn has no tokenizer to match words by"):
            _new(organism(start=str(WEIGHTS / "organism-attn")))

    def test_needs_a_folder(self):
        with pytest.raises(ValueError, match="give it a run_dir"):
            training_of("organism").run()

    def test_makes_no_claim(self, whole):
        assert whole[1].claims() == []
        assert not any(section.causal for section in whole[1].sections())

    def test_misses_its_targets_and_says_which(self, whole):
        assert "facts: right (reserved templates)" in whole[1].summary()
        assert whole[1].metrics()["card_met"] == 0.0

    def test_a_model_in_memory_gives_the_same_card(self, whole):
        folder, result = whole
        model = build(read_bundle(folder / ORGANISM))
        again = type(training_of("organism"))(result.config).measure(model)
        assert again.card() == result.card()
        assert np.isnan(again.losses).all()


class TestTrainOrganismTuned:
    def test_starts_from_the_weights_it_is_given(self, whole, tuned):
        start = build(read_bundle(whole[0] / ORGANISM))
        expected = loss_at(start, 0, config=tuned[1].config).item()
        assert tuned[1].losses[0] == pytest.approx(expected, abs=1e-6)
        assert tuned[1].losses[0] != whole[1].losses[0]

    def test_writes_its_own_name_and_the_decisions_before_tuning_beside_its_own(self, whole, tuned):
        card = read_card(tuned[0] / TUNED)
        assert card.name == TUNED
        assert read_bundle(tuned[0] / TUNED).config["model_name"] == TUNED
        (gap,) = [
            row for row in card.rows if row.figure.startswith("loans: approval, favoured") and "ordinary" in row.figure
        ]
        before = whole[1].conducts.trained.means()["ordinary.loans.gap"]
        assert gap.control_name == "before tuning"
        assert gap.control.estimate == pytest.approx(before, abs=1e-6)

    def test_the_run_folder_gives_the_result_back(self, tuned):
        folder, result = tuned
        again = OrganismResult.from_arrays(result.config, result.provenance, read_run(folder).arrays())
        assert again.card() == result.card()
        assert again.conducts.base is not None

    def test_a_start_that_is_no_model_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="holds no bundled model"):
            start_of(tmp_path)


def test_progress_tells_the_shares_of_right_answers():
    means = {"ordinary.facts.accuracy": 0.5, "reserved.facts.accuracy": 0.4, "ordinary.loans.gap": 0.3}
    assert told(means) == "facts 0.50"
