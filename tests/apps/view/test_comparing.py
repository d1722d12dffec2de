"""Two results side by side: numbers worked by hand."""

import math

import pytest

from interp_lab.apps.view.comparing import (
    claim_pairs,
    component_pairs,
    config_differences,
    figure_pairs,
    metric_pairs,
    overlapping,
    paired,
    without_model,
)
from interp_lab.apps.view.likeness import unlikenesses
from interp_lab.claims import Claim
from interp_lab.types import UNMEASURED, Interval
from tests.apps.view.made import made
from tests.reports.results import evidence


class TestConfig:
    def test_only_what_differs_with_dotted_keys(self):
        a = {"n": 8, "data.share": 0.5, "layers": [0, 1], "same": None}
        b = {"n": 9, "data.share": 0.5, "layers": [0], "same": None, "new": None}
        told = [(pair.name, pair.a, pair.b) for pair in config_differences(a, b)]
        assert told == [("n", "8", "9"), ("layers", "[0, 1]", "[0]"), ("new", None, "null")]

    def test_a_number_is_not_the_text_of_it(self):
        assert [(pair.a, pair.b) for pair in config_differences({"n": 1}, {"n": "1"})] == [("1", '"1"')]


class TestMetrics:
    def test_second_minus_first(self):
        pairs = {pair.name: pair for pair in metric_pairs({"x": 2.0, "y": 1, "a": 3}, {"x": 0.5, "y": 1, "b": 4})}
        assert [pair.difference for pair in pairs.values()] == [-1.5, 0.0, None, None]
        assert [pair.is_same for pair in pairs.values()] == [False, True, False, False]

    def test_what_neither_measured_is_the_same(self):
        assert metric_pairs({"x": math.nan}, {"x": math.nan})[0].is_same
        assert not metric_pairs({"x": math.nan}, {"x": 1.0})[0].is_same


class TestStatements:
    @pytest.mark.parametrize(
        ("text", "model", "bare"),
        [
            ("0.1 of organism matters", "organism", "0.1 of the model matters"),
            ("In organism, it decides; so does organism.", "organism", "In the model, it decides; so does the model."),
            ("0.1 of organism-tuned matters", "organism", "0.1 of organism-tuned matters"),
            ("0.1 of organism-tuned matters", "organism-tuned", "0.1 of the model matters"),
            ("of compiled/organism", "organism", "of compiled/organism"),
            ("of a.b and axb", "a.b", "of the model and axb"),
            ("organism.2 and 2.organism", "organism", "organism.2 and 2.organism"),
            ("nothing", "", "nothing"),
        ],
    )
    def test_only_the_whole_name_of_the_model_is_taken_out(self, text, model, bare):
        assert without_model(text, model) == bare

    def test_equal_names_match_one_by_one(self):
        pairs = paired([("x", 1), ("x", 2), ("y", 3)], [("x", 10), ("z", 30), ("z", 40)])
        assert [(pair.name, pair.a, pair.b) for pair in pairs] == [
            ("x", 1, 10), ("x", 2, None), ("y", 3, None), ("z", None, 30), ("z", None, 40),
        ]  # fmt: skip

    def test_claims_of_two_models_match_and_the_best_come_first(self):
        base = made(model="organism").claims()
        tuned = made([(0.6, 0.4, 0.8), (1.1, 1.0, 1.4)], model="organism-tuned").claims()
        pairs = claim_pairs(base[1:], tuned, models=("organism", "organism-tuned"))
        assert [(pair.statement, pair.a is None, pair.b is None, pair.overlap) for pair in pairs] == [
            ("0.0 of the model matters", True, False, None),
            ("0.1 of the model matters", False, False, True),
            ("0.2 of the model matters", False, True, None),
        ]


class TestOverlap:
    @pytest.mark.parametrize(
        ("a", "b", "overlap"),
        [((1, 2), (2, 3), True), ((1, 2), (2.1, 3), False), ((1, 4), (2, 3), True), ((5, 6), (-1, 0), False)],
        ids=["touching", "apart", "inside", "below"],
    )
    def test_of_closed_intervals(self, a, b, overlap):
        first, second = (Interval(0.0, float(low), float(high)) for low, high in (a, b))
        assert overlapping(first, second) is overlapping(second, first) is overlap

    def test_is_not_told_of_what_was_not_measured_or_in_other_units(self):
        assert overlapping(UNMEASURED, Interval(1.0, 0.0, 2.0)) is None
        nats, logits = Claim("s", "o", evidence()), made().claims()[0]
        assert claim_pairs([nats], [Claim("s", "o")], models=("", ""))[0].overlap is None
        assert logits.effect is not None
        other = Claim("s", "o", evidence(), None)
        assert claim_pairs([nats], [other], models=("", ""))[0].overlap is True


class TestParts:
    def test_components_match_by_name_and_method_selected_first(self):
        a, b = made().components(), made([(0.1, -0.2, 0.4), (2.0, 1.5, 2.5)]).components()
        pairs = component_pairs(list(reversed(a)), b)
        assert [(pair.name, pair.in_both) for pair in pairs] == [
            ("0.0, ablation", True), ("0.2, ablation", False), ("0.1, ablation", True),
        ]  # fmt: skip

    def test_figures_match_without_the_name_of_the_model(self):
        pairs = figure_pairs({"effects in m": 1, "x": 2}, {"effects in k": 3}, models=("m", "k"))
        assert [(pair.name, pair.a, pair.b) for pair in pairs] == [("effects in the model", 1, 3), ("x", 2, None)]


class TestLikeness:
    def test_base_and_tuned_are_like(self):
        assert unlikenesses(made(model="organism"), made(model="organism-tuned", seed=3)) == []

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"task": "grammar/facts"}, "different tasks: grammar/loans and grammar/facts"),
            ({"metric": "loss"}, "different metrics: logit difference and loss"),
            ({"fold": "held_out"}, "different folds of the examples: all and held_out"),
            ({"processing": "raw"}, "processed in different ways, which changes the residual stream: folded and raw"),
            ({"n_layers": 2}, "different shapes (n_layers 1 and 2)"),
            ({"dtype": "bfloat16"}, "different precision: float32 and bfloat16"),
            ({"versions": {"torch": "2.1"}}, "different versions: torch 2.0 and 2.1"),
            ({"versions": {"torch": "2.0", "x": "1"}}, "different versions: x none and 1"),
        ],
    )
    def test_what_is_not_is_said_once_and_plainly(self, change, told):
        processing = {"processing": made().config.processing.named("raw")} if "processing" in change else {}
        found = unlikenesses(made(), made(**{**change, **processing}))
        assert len(found) == 1
        assert told in found[0]
