"""Every YAML under experiments/ is read by the class that uses it."""

from pathlib import Path

import pytest

from interp_lab.cli.mapping import map_
from interp_lab.config import ConfigError
from interp_lab.models.divisible import DivisibleExperiment
from interp_lab.registry import EXPERIMENTS, entry, load_experiment, resolve

CONFIGS = sorted((Path(__file__).parent.parent / "experiments" / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_is_read_by_its_class(path):
    experiment = load_experiment(path)
    assert experiment.config == type(experiment.config).from_mapping(experiment.config.as_dict())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_a_config_and_its_parts(name):
    parts = entry(name)
    assert resolve(parts.config).model_fields
    assert hasattr(resolve(parts.experiment), "run")
    assert hasattr(resolve(parts.experiment), "measure")
    assert hasattr(resolve(parts.result), "from_arrays")
    if name != "sweep":  # its config is made of a sweep file; see experiments/sweeps
        assert any(isinstance(load_experiment(path), resolve(parts.experiment)) for path in CONFIGS)


def test_those_that_fall_into_parts():
    """As the help of `interp-lab map` says, and its error where another is asked for."""
    parts = {name for name in EXPERIMENTS if issubclass(resolve(entry(name).experiment), DivisibleExperiment)}
    assert parts == {"patching", "activations", "sae_features"}
    assert all(name in (map_.__doc__ or "") for name in parts)


def test_there_are_configs():
    assert len(CONFIGS) >= 4


class TestBadInput:
    def test_a_config_of_no_experiment(self, tmp_path):
        path = tmp_path / "c.yaml"
        path.write_text("model: gpt2")
        with pytest.raises(ConfigError, match="has no key 'experiment'; it must name one of behaviour"):
            load_experiment(path)

    def test_an_unknown_experiment(self, tmp_path):
        path = tmp_path / "c.yaml"
        path.write_text("experiment: atention_heads")
        with pytest.raises(ValueError, match="no experiment named 'atention_heads'; did you mean 'attention_heads'"):
            load_experiment(path)
