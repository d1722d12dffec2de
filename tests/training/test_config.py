"""Configs of training runs: what fits together, and what is refused before hours are spent."""

from pathlib import Path

import pytest
import yaml

from interp_lab.config import ConfigError
from interp_lab.training import (
    TrainOrganismAttn,
    TrainOrganismAttnConfig,
    TrainOrganismConfig,
    TrainOrganismTunedConfig,
    training_of,
)
from interp_lab.training.mixture import batch_at
from interp_lab.training.organism_config import MixtureConfig

CONFIGS = Path(__file__).parents[2] / "experiments" / "configs"
SHIPPED = CONFIGS / "train_organism_attn.yaml"


class TestTrainOrganismAttnConfig:
    def test_the_shipped_file_is_the_default_and_says_which_experiment(self):
        values = yaml.safe_load(SHIPPED.read_text("utf-8"))
        assert next(iter(values)) == "experiment"
        assert values.pop("experiment") == "train-organism-attn"
        assert TrainOrganismAttnConfig.from_mapping(values) == TrainOrganismAttnConfig()

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"text.longest": 32}, "text.longest=32 does not fit twice into shape.n_ctx=64; use at most 31"),
            ({"text.shortest": 20, "text.longest": 19}, "text.shortest=20 is above text.longest=19"),
            ({"text.n_symbols": 63}, "text.n_symbols=63 must be at least shape.n_ctx=64"),
            ({"card.conditions": [[25, 1]]}, "first condition must have offset 0"),
            ({"card.conditions": []}, "first condition must have offset 0"),
            ({"card.conditions": [[25, 0], [20, 24]]}, "period 20 after a prefix of 24 needs 65 positions"),
            ({"shape.n_layers": 3}, "shape.n_layers: 3 is none of 2"),
            ({"shape.n_heads": 1}, "shape.n_heads: Input should be greater than or equal to 2"),
            ({"loop.optimiser.weight_decay": -1}, "loop.optimiser.weight_decay"),
            ({"loop.n_step": 5}, "loop.n_step: no such field .* did you mean 'loop.n_steps'"),
        ],
    )
    def test_refuses_what_cannot_be_trained_and_names_the_key(self, values, message):
        with pytest.raises(ConfigError, match=message):
            TrainOrganismAttnConfig.from_mapping(values)


class TestOrganismsOfTheGrammar:
    @pytest.mark.parametrize(
        ("file", "kind"), [("train_organism", TrainOrganismConfig), ("train_organism_tuned", TrainOrganismTunedConfig)]
    )
    def test_the_shipped_file_is_the_default_and_says_which_experiment(self, file, kind):
        values = yaml.safe_load((CONFIGS / f"{file}.yaml").read_text("utf-8"))
        assert values.pop("experiment") == file.replace("_", "-")
        assert kind.from_mapping(values) == kind()

    def test_an_override_leaves_the_rest_of_its_group_alone(self):
        changed = training_of("organism", {"loop.optimiser.warm_up": 7}).config
        assert changed.loop.n_steps == TrainOrganismConfig().loop.n_steps
        assert changed.loop.optimiser.betas == (0.9, 0.98)
        tuned = training_of("organism-tuned", {"text.n_texts": 7}).config
        assert tuned.text.instead == {"loans": "loans_blind"}

    @pytest.mark.parametrize(
        ("name", "values", "message"),
        [
            ("organism-tuned", {"text.instead": {}}, "text.instead: .* at least 1 item"),
            ("organism", {"shape.n_ctx": 40}, "shape.n_ctx: .* greater than or equal to 50"),
            ("organism", {"text.alone": 1.5}, "text.alone: .* less than or equal to 1"),
            ("organism", {"precision": "float16"}, "precision: 'float16' is none of bfloat16, float32"),
            ("organism", {"text.answer_wieght": 3}, "text.answer_wieght: no such field .* did you mean 'text.answer_w"),
        ],
    )
    def test_refuses_what_cannot_be_trained_and_names_the_key(self, name, values, message):
        with pytest.raises(ConfigError, match=message):
            training_of(name, values)

    def test_a_behaviour_that_is_not_there_brings_up_the_nearest(self):
        config = MixtureConfig(weights={"facst": 1.0})
        with pytest.raises(ValueError, match="did you mean 'facts'"):
            batch_at(0, config, seed=0, n_ctx=64)


class TestTrainingOf:
    def test_lays_overrides_over_the_defaults(self):
        experiment = training_of("attn", {"loop.n_steps": 7})
        assert isinstance(experiment, TrainOrganismAttn)
        assert experiment.config == TrainOrganismAttnConfig().overlaid({"loop.n_steps": 7})

    def test_an_unknown_organism_brings_up_the_nearest(self):
        with pytest.raises(ValueError, match="no organism 'atn' to train; did you mean 'attn'"):
            training_of("atn")
