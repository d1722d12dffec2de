import pytest

from interp_lab.config import ConfigError, RunRef
from interp_lab.steering.config import SteeringConfig


def refusal(**values) -> str:
    with pytest.raises(ConfigError) as error:
        SteeringConfig.from_mapping(values)
    return str(error.value)


def test_survives_yaml():
    config = SteeringConfig.from_mapping(
        {"layers": [0, [1, 2], "all", "writes 2"], "gates": [None, "projection"], "wheres": ["all", "tokens good bad"],
         "directions": [{"run": "runs/a", "artefact": "x"}]}
    )  # fmt: skip
    assert SteeringConfig.from_mapping(config.as_dict()) == config
    assert config.layers == (0, (1, 2), "all", "writes 2")
    assert config.directions == (RunRef(run="runs/a", artefact="x"),)


def test_coefficients_are_sorted_for_the_dose_response():
    assert SteeringConfig(coefficients=(2.0, -1.0, 0.5)).coefficients == (-1.0, 0.5, 2.0)


class TestCoefficientsByDirection:
    def test_are_sorted_and_survive_yaml(self):
        config = SteeringConfig.from_mapping({"coefficients_of": {"lda": [3.0, -2.0]}})
        assert SteeringConfig.from_mapping(config.as_dict()).coefficients_of == {"lda": (-2.0, 3.0)}

    def test_bad_ones(self):
        assert "one comes twice" in refusal(coefficients_of={"lda": [1.0, 1.0]})
        assert "no number to multiply by" in refusal(coefficients_of={"lda": [float("nan")]})
        assert "steers nothing" in refusal(coefficients_of={"lda": [0.0]})
        assert "coefficients_of" in refusal(coefficients_of={"lda": []})


class TestBadInput:
    def test_too_few_random_directions_for_any_rank_to_count(self):
        assert "n_random=39 random directions give no p below 0.05" in refusal(n_random=39)
        assert SteeringConfig(n_random=40).n_random == 40

    def test_nan_coefficient(self):
        assert "coefficient nan is no number to multiply by; leave it out" in refusal(coefficients=[1.0, float("nan")])

    @pytest.mark.parametrize("axis", ["coefficients", "layers", "hows", "wheres", "gates"])
    def test_empty_axis_of_the_grid(self, axis):
        assert axis in refusal(**{axis: []})

    def test_coefficients_that_steer_nothing(self):
        assert "steers nothing by adding" in refusal(coefficients=[0.0])
        assert SteeringConfig(hows=("clamp", "ablate"), coefficients=(0.0,)).coefficients == (0.0,)

    def test_value_that_comes_twice(self):
        assert "one comes twice" in refusal(layers=[1, 1])
        assert "one comes twice" in refusal(coefficients=[1.0, 1.0])

    def test_unknown_place_tokens_method(self):
        assert "neither a layer" in refusal(layers=["some"])
        assert "is no position policy" in refusal(wheres=["first"])
        assert "none of mean_difference" in refusal(methods=["mean"])

    def test_layers_that_are_an_empty_list(self):
        assert "give at least one" in refusal(layers=[[]])
