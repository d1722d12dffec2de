import json
import math
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from interp_lab.sweeps.parameters import DISTRIBUTIONS, parse_parameter
from interp_lab.sweeps.space import EDGE, Choice, Range, SweepError

ORACLE = json.loads((Path(__file__).parent / "fixtures" / "oracle.json").read_text("utf-8"))


def read(spec, name="x"):
    problems = []
    return parse_parameter(name, spec, problems=problems), problems


def number(**spec):
    found, problems = read(spec)
    assert not problems
    return found


class TestQuantilesByHand:
    @pytest.mark.parametrize(
        ("spec", "u", "value"),
        [
            ({"min": 1, "max": 6}, 0.0, 1),
            ({"min": 1, "max": 6}, 1 / 6, 1),
            ({"min": 1, "max": 6}, 0.17, 2),
            ({"min": 1, "max": 6}, 1.0, 6),
            ({"min": 0.0, "max": 4.0}, 0.25, 1.0),
            ({"min": 0, "max": 10, "q": 3, "distribution": "q_uniform"}, 0.5, 6),  # 5 / 3 rounds to 2
            ({"min": 1, "max": 10, "q": 3, "distribution": "q_uniform"}, 0.0, 0),  # steps are counted from 0
            ({"min": 0, "max": 2, "distribution": "log_uniform"}, 0.5, math.e),
            ({"min": 1, "max": 100, "distribution": "log_uniform_values"}, 0.5, 10.0),
            ({"min": 0, "max": 2, "distribution": "inv_log_uniform"}, 0.25, math.exp(-1.5)),
            ({"min": 1, "max": 100, "distribution": "inv_log_uniform_values"}, 0.5, 10.0),
            ({"min": 1, "max": 100, "q": 3, "distribution": "q_log_uniform_values"}, 0.5, 9),  # 10 / 3 rounds to 3
            ({"min": 0, "max": 2, "q": 0.5, "distribution": "q_log_uniform"}, 0.5, 2.5),
            ({"mu": 2, "sigma": 3, "distribution": "normal"}, 0.5, 2.0),
            ({"mu": 0, "sigma": 2, "distribution": "normal"}, 0.975, 3.919927969),
            ({"mu": 1, "sigma": 2, "distribution": "log_normal"}, 0.5, math.e),
            ({"mu": 7, "sigma": 2, "q": 5, "distribution": "q_normal"}, 0.5, 5),
            ({"a": 1, "b": 2, "distribution": "beta"}, 0.75, 0.5),  # 1 - (1 - x)^2
            ({"a": 1, "b": 2, "q": 0.2, "distribution": "q_beta"}, 0.75, 0.4),
        ],
    )
    def test_value(self, spec, u, value):
        assert number(**spec).value_at(u) == pytest.approx(value, rel=1e-9)

    def test_choices_share_the_quantiles_equally_or_by_weight(self):
        plain, weighted = Choice(("a", "b", "c")), Choice(("a", "b", "c"), (0.2, 0.5, 0.3))
        assert [plain.value_at(u) for u in (0, 1 / 3, 0.34, 2 / 3, 0.67, 1)] == ["a", "a", "b", "b", "c", "c"]
        assert [weighted.value_at(u) for u in (0, 0.19, 0.2, 0.69, 0.71, 1)] == ["a", "a", "b", "b", "c", "c"]

    def test_a_weight_of_zero_is_never_drawn_even_where_rounding_leaves_a_gap(self):
        assert Choice(("a", "b", "c"), (0.5, 0.5 - 1e-7, 0.0)).value_at(1.0) == "b"

    def test_is_whole_where_q_is_and_plain_everywhere(self):
        for spec, _, _ in ORACLE["numbers"]:
            value = number(**spec).value_at(0.3)
            assert type(value) in (int, float)
            assert isinstance(value, int) == (isinstance(spec.get("q"), int) or number(**spec).kind == "int_uniform")

    @pytest.mark.parametrize("u", [-0.1, 1.1, math.nan])
    def test_refuses_what_is_no_quantile(self, u):
        for one in (number(min=0, max=1), Choice((1, 2))):
            with pytest.raises(ValueError, match="is no quantile: give a number from 0 to 1"):
                one.value_at(u)


class TestParity:
    """What W&B's own package made of the same specs; see fixtures/record.py."""

    @pytest.mark.parametrize(("spec", "kind", "values"), ORACLE["numbers"], ids=str)
    def test_quantiles_are_those_of_wandb(self, spec, kind, values):
        found = number(**spec)
        assert found.kind == kind
        assert [found.value_at(u) for u in ORACLE["us"]] == pytest.approx(values, rel=1e-12, abs=1e-12)

    @pytest.mark.parametrize(("spec", "kind", "values"), ORACLE["choices"], ids=str)
    def test_choices_are_those_of_wandb(self, spec, kind, values):
        found, problems = read(spec)
        assert not problems
        assert kind in DISTRIBUTIONS
        assert [found.value_at(u) for u in ORACLE["us"]] == values

    def test_every_distribution_of_wandb_is_there(self):
        assert {kind for _, kind, _ in (*ORACLE["numbers"], *ORACLE["choices"])} == set(DISTRIBUTIONS)

    @pytest.mark.parametrize("spec", ORACLE["refused"], ids=str)
    def test_what_wandb_refuses_is_refused(self, spec):
        found, problems = read(spec)
        assert found is None
        assert problems

    @pytest.mark.parametrize(
        "spec",
        [
            {"min": 1, "max": 6},
            {"min": 0.0, "max": 0.5},
            {"min": 0.0001, "max": 0.1, "distribution": "log_uniform_values"},
        ],
        ids=str,
    )
    def test_where_wandb_hands_a_distribution_to_optuna_ours_is_the_same(self, spec):
        from wandb.sdk.sweeps.scheduler.optuna import sweep_parameter_to_distribution

        assert number(**spec).distribution() == sweep_parameter_to_distribution(spec)


class TestDistribution:
    """What a Bayesian search sees: draws from it, decoded, have the distribution that the file asks for."""

    def test_what_optuna_draws_has_the_quantiles_of_the_file(self):
        n, found = 400, {str(spec): number(**spec) for spec, _, _ in ORACLE["numbers"]}
        found["choice"] = Choice((1, 2, 3, 4))
        found["weighted"] = Choice((1, 2, 3), (0.05, 0.55, 0.4))
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        shapes = {name: one.distribution() for name, one in found.items()}
        draws = [study.ask(shapes).params for _ in range(n)]
        for name, one in found.items():
            drawn = np.array([one.decoded(draw[name]) for draw in draws])
            for share in (0.1, 0.5, 0.9):
                assert (drawn <= one.value_at(share)).mean() > share - 0.08, name
                assert (drawn < one.value_at(share)).mean() < share + 0.08, name

    @pytest.mark.parametrize("spec", [spec for spec, _, _ in ORACLE["numbers"]], ids=str)
    def test_every_corner_of_it_is_a_number(self, spec):
        found = number(**spec)
        shape = found.distribution()
        assert found.decoded(shape.low) == found.ends[0]
        assert found.decoded(shape.high) == found.ends[1]
        assert all(math.isfinite(end) for end in found.ends)

    def test_without_bounds_the_outermost_shares_are_left_out(self):
        assert number(distribution="normal").distribution() == FloatDistribution(EDGE, 1 - EDGE)
        assert number(distribution="normal").ends == pytest.approx((-3.719016485, 3.719016485))
        assert number(distribution="beta").distribution() == FloatDistribution(0.0, 1.0)

    def test_choices_are_places_so_that_lists_can_be_stored(self):
        found = Choice(([0], [0, 1], None))
        assert found.distribution() == CategoricalDistribution((0, 1, 2))
        assert [found.decoded(raw) for raw in (0, 1, 2)] == [[0], [0, 1], None]
        weighted = Choice(("a", "b"), (0.9, 0.1))
        assert weighted.distribution() == FloatDistribution(0.0, 1.0)
        assert weighted.decoded(0.95) == "b"


class TestPoints:
    def test_of_ranges(self):
        assert number(min=2, max=4).points() == (2, 3, 4)
        assert number(min=0, max=10, q=5, distribution="q_uniform").points() == (0, 5)

    def test_of_choices_each_once(self):
        found = Choice((1, 2, 1.0, True, [1], [1])).points()
        assert found == (1.0, 2, True, [1])
        assert [type(value) for value in found] == [float, int, bool, list]

    def test_a_continuous_range_has_none(self):
        found = number(min=0.0, max=1.0)
        assert not found.is_finite
        with pytest.raises(SweepError, match=r"^x: a grid cannot try every number of distribution uniform"):
            found.points()
        with pytest.raises(SweepError, match="probabilities mean nothing in a grid; leave them out"):
            Choice((1, 2), (0.5, 0.5)).points()


class TestBadInput:
    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            (3, "x: 3 is no mapping; for one value write {value: 3}"),
            ({"min": 1}, "says not what to choose from; give value, values, or min and max"),
            (
                {"min": 0, "max": 1, "distribution": "unifrom"},
                "x.distribution: 'unifrom' is none of W&B's; did you mean 'uniform'?",
            ),
            ({"min": 0.0, "distribution": "uniform"}, "x.max: required by distribution uniform, but not given"),
            (
                {"distribution": "normal", "sgima": 1},
                "x.sgima: distribution normal has no such key; did you mean 'sigma'?; it has mu, sigma",
            ),
            ({"min": "1e-5", "max": 1.0}, "min: '1e-5' is no number, but text; write 1.0e-5 without quotes"),
            ({"min": 0.0, "max": "2e3"}, "max: '2e3' is no number, but text; write 2.0e+3 without quotes"),
            ({"min": 0.0, "max": "lots"}, "x: max: 'lots' is no number"),
            ({"min": 3, "max": 3}, "min 3 is not below max 3; swap them, or write value for a single one"),
            ({"min": 0, "max": 1, "distribution": "log_uniform_values"}, "min: 0 must be above 0"),
            ({"min": 0.5, "max": 2, "distribution": "int_uniform"}, "0.5 must be a whole number for int_uniform"),
            ({"sigma": 0, "distribution": "normal"}, "sigma: 0 must be above 0"),
            ({"values": []}, r"values: [] must be a list of at least one value"),
            ({"values": [1, 2], "probabilities": [1]}, "probabilities [1] must be one for each of 2 values"),
            ({"values": [1, 2], "probabilities": [0.5, 0.6]}, "add up to 1.1, not to 1"),
            ({"values": [1, 2], "probabilities": [1.5, -0.5]}, "probabilities [1.5, -0.5] must be numbers from 0"),
            (
                {"min": 1, "max": 1000, "distribution": "log_uniform"},
                "goes beyond the largest number; for values write log_uniform_values",
            ),
        ],
    )
    def test_message_names_value_rule_and_way_out(self, spec, said):
        found, problems = read(spec)
        assert found is None
        assert len(problems) == 1
        assert said in problems[0]

    def test_a_date_of_yaml_is_refused(self):
        import yaml

        _, problems = read(yaml.safe_load("values: [2020-01-01]"))
        assert "is a date in YAML, which no command line can tell; put it in quotes" in problems[0]

    def test_the_steps_wandb_takes_are_numpys(self):
        spec = {"min": 0.0, "max": 0.5, "q": 0.1, "distribution": "q_uniform"}
        assert number(**spec).points() == tuple(np.arange(0.0, 0.5, 0.1).tolist())
        assert isinstance(number(**spec), Range)
