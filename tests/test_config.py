from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import Field, PositiveInt

from interp_lab.config import Config, ConfigError, Processing, RunRef, parse_overrides, unflatten
from interp_lab.identity import WeightProcessing


class Kind(StrEnum):
    ZERO = "zero"
    MEAN = "mean"


class Data(Config):
    n: PositiveInt = 3
    """How many."""


class Example(Config):
    data: Data = Data()
    processing: Processing = WeightProcessing()
    layers: tuple[int, ...] = ()
    seed: int = 0
    name: str = "x"
    source: RunRef | None = None
    backend: Literal["hooked", "bridge"] = "hooked"
    kinds: Annotated[tuple[Literal[Kind.ZERO, Kind.MEAN], ...], Field(min_length=1)] = (Kind.ZERO,)


class TestReading:
    def test_yaml_round_trip_is_the_identity(self, tmp_path):
        config = Example.from_mapping({"data.n": 5, "processing": "raw", "layers": [0, 2], "source.run": "a",
                                       "source.artefact": "b"})  # fmt: skip
        path = tmp_path / "c.yaml"
        path.write_text(config.to_yaml())
        assert Example.from_yaml(path) == config

    def test_partial_processing_survives_the_round_trip(self):
        config = Example.from_mapping({"processing": {"fold_ln": True, "center_unembed": False}})
        assert Example.from_mapping(config.as_dict()) == config
        assert config.processing.difference(WeightProcessing()) == ["center_unembed"]

    def test_dotted_and_nested_keys_mean_the_same(self):
        assert Example.from_mapping({"data.n": 5}) == Example.from_mapping({"data": {"n": 5}})

    def test_flat_gives_the_keys_that_a_sweep_sets(self):
        flat = Example().flat()
        assert flat["data.n"] == 3
        assert "data" not in flat
        assert Example().overlaid({"data.n": 9}).data.n == 9

    def test_an_overlay_leaves_the_original_alone(self):
        base = Example()
        base.overlaid({"seed": 1})
        assert base.seed == 0


class TestBadInput:
    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"data.m": 1}, r"data\.m: no such field in Example; did you mean 'data\.n'\?"),
            ({"sed": 1}, r"sed: no such field in Example; did you mean 'seed'\?"),
            ({"data.n": -1}, r"data\.n: Input should be greater than 0, got -1"),
            ({"data.n": "many"}, r"data\.n: .*integer.*got 'many'"),
            ({"processing": "fold"}, "unknown weight processing 'fold'; did you mean 'folded'"),
            ({"layers": [0, "a"]}, r"layers\.1: "),
            ({"layers": 3}, r"layers: give a list, \[3\], not 3"),
            ({"backend": "hoked"}, r"backend: 'hoked' is none of hooked, bridge; did you mean 'hooked'\?"),
            ({"kinds": ["zeros"]}, r"^kinds\.0: 'zeros' is none of zero, mean; did you mean 'zero'\?$"),
        ],
    )
    def test_names_the_key_path(self, values, message):
        with pytest.raises(ConfigError, match=message):
            Example.from_mapping(values)

    def test_a_missing_file_is_told_by_its_path(self, tmp_path):
        with pytest.raises(ConfigError, match=r"no config file at .*nowhere\.yaml"):
            Example.from_yaml(tmp_path / "nowhere.yaml")

    @pytest.mark.parametrize(("text", "message"), [("a: [", "not valid YAML"), ("- 1", "holds a list")])
    def test_text_that_is_no_mapping(self, tmp_path, text, message):
        path = tmp_path / "c.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            Example.from_yaml(path)

    def test_nobody_writes_to_a_config(self):
        with pytest.raises(ValueError, match="frozen"):
            Example().seed = 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--a.b=1"], {"a": {"b": 1}}),
        (["--a.b", "1"], {"a": {"b": 1}}),
        (["--lr=1e-05"], {"lr": 1e-05}),
        (["--lr", "-1"], {"lr": -1}),
        (["--flag"], {"flag": True}),
        (["--flag", "--seed=3"], {"flag": True, "seed": 3}),
        (["--no-flag"], {"flag": False}),
        (["--flag=True"], {"flag": True}),
        (["--flag=false"], {"flag": False}),
        (["--layers=[0, 1]"], {"layers": [0, 1]}),
        (["--optim={'lr': 0.1}"], {"optim": {"lr": 0.1}}),
        (["--seed=None"], {"seed": None}),
        (["--seed=null"], {"seed": None}),
        (["--name=a=b"], {"name": "a=b"}),
        (["--n-steps=3"], {"n_steps": 3}),
        (["--a.b=1", "--a.c=2"], {"a": {"b": 1, "c": 2}}),
        ([], {}),
    ],
)
def test_every_form_of_command_line_value(arguments, expected):
    assert parse_overrides(arguments) == expected


def test_a_stray_word_is_refused():
    with pytest.raises(ConfigError, match=r"expected an override such as --data\.n=3, got 'seed=3'"):
        parse_overrides(["seed=3"])


def test_unflatten_merges_branches():
    assert unflatten({"a.b": 1, "a": {"c": 2}}) == {"a": {"b": 1, "c": 2}}


def test_keys_of_a_mapping_field_keep_their_dots(tmp_path):
    class Weighted(Config):
        weights: dict[str, float]

    config = Weighted.from_mapping({"weights": {"blocks.0.hook_resid_pre": 1.0}})
    path = tmp_path / "c.yaml"
    path.write_text(config.to_yaml())
    assert Weighted.from_yaml(path) == config
