"""A circuit found on one fold is tested on the other, edge by edge, and nothing is looked for again."""

import re

import numpy as np
import pytest

from interp_lab.circuits import Circuits
from interp_lab.config import ConfigError
from tests.circuits.results import config_of, measure, model_of

NAME = "compiled/induction"


@pytest.fixture(scope="module")
def searched():
    return measure(NAME, fold="search", ablation="zero", n_pairs=32, n_held_out=None)


@pytest.fixture(scope="module")
def confirmed(searched):
    overlay = {**searched.confirmation().config, "fold": "held_out", "n_held_out": 8}
    return Circuits(searched.config.overlaid(overlay)).measure(model_of(NAME))


def test_other_examples_make_the_very_same_sentences(searched, confirmed):
    stated = searched.confirmation()
    assert len(stated.statements) == 2
    assert set(stated.statements) == {claim.statement for claim in confirmed.claims() if claim.grade}
    assert set(stated.statements) == set(stated.components) == set(stated.uncertain)
    assert not any(re.search(r"\d%|\d\.\d\d", statement) for statement in stated.statements)


def test_the_circuit_is_the_one_that_was_found(searched, confirmed):
    assert confirmed.plan.edges == searched.plan.edges
    assert confirmed.circuit.edges == searched.circuit.edges
    assert not len(confirmed.scores)
    assert "given" in confirmed.claims()[0].observed
    assert "chosen on other prompts" not in confirmed.claims()[0].observed


def test_its_numbers_are_those_of_the_search_on_the_same_examples(searched):
    stated = Circuits(searched.config.overlaid(searched.confirmation().config)).measure(model_of(NAME))
    assert np.allclose(stated.report.circuit, searched.report.circuit, atol=1e-5)
    assert stated.tested.keys() == searched.tested.keys()
    for name, (effect, _) in stated.tested.items():
        assert effect.effect.estimate == pytest.approx(searched.tested[name][0].effect.estimate, abs=1e-5)


def test_parts_are_listed_under_the_names_of_all_methods(searched):
    rows = searched.components()
    assert {row.name for row in rows} == set(searched.circuit.heads)
    assert all(
        row.selected and row.causal and row.effect.estimate > searched.margin_on(searched.report) for row in rows
    )


def test_an_edge_that_the_model_has_not_is_refused():
    with pytest.raises(ValueError, match=r"no edge 0\.9->logits; did you mean"):
        measure(NAME, method="given", edges=("0.9->logits",))


def test_one_circuit_is_given_in_one_way():
    with pytest.raises(ConfigError, match="give one of them"):
        config_of(method="given", edges=("0.0->logits",), nodes=("0.0",))
