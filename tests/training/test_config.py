"""Configs of training runs: what fits together, and what is refused before hours are spent."""

from pathlib import Path

import pytest
import yaml

from interp_lab.config import ConfigError
from interp_lab.training import TrainOrganismAttn, TrainOrganismAttnConfig, training_of

SHIPPED = Path(__file__).parents[2] / "experiments" / "configs" / "train_organism_attn.yaml"


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
            ({"shape.n_layers": 3}, "shape.n_layers: Input should be 2"),
            ({"shape.n_heads": 1}, "shape.n_heads: Input should be greater than or equal to 2"),
            ({"loop.optimiser.weight_decay": -1}, "loop.optimiser.weight_decay"),
            ({"loop.n_step": 5}, "loop.n_step: no such field .* did you mean 'loop.n_steps'"),
        ],
    )
    def test_refuses_what_cannot_be_trained_and_names_the_key(self, values, message):
        with pytest.raises(ConfigError, match=message):
            TrainOrganismAttnConfig.from_mapping(values)


class TestTrainingOf:
    def test_lays_overrides_over_the_defaults(self):
        experiment = training_of("attn", {"loop.n_steps": 7})
        assert isinstance(experiment, TrainOrganismAttn)
        assert experiment.config == TrainOrganismAttnConfig().overlaid({"loop.n_steps": 7})

    def test_an_unknown_organism_brings_up_the_nearest(self):
        with pytest.raises(ValueError, match="no organism 'atn' to train; did you mean 'attn'"):
            training_of("atn")
