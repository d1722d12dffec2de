"""Heads found along a relation on one fold are tested on the other; nothing is looked for again."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Split
from interp_lab.registry import load_result
from interp_lab.runs import keep
from tests.attention.relations.toy import Head, measured, model_of


@pytest.fixture(scope="module")
def toy():
    """0.0 looks at the country and says its facts, 0.1 looks and says nothing, 0.2 says them without looking."""
    return model_of([Head(looks=True, says=4.0), Head(looks=True), Head(says=48.0), *[Head()] * 8])


@pytest.fixture(scope="module")
def searched(toy):
    return measured(toy, fold="search", n_held_out=None)


@pytest.fixture(scope="module")
def confirmed(toy, searched):
    return measured(toy, fold="held_out", **searched.confirmation().config)


def test_other_examples_make_the_very_same_sentences(searched, confirmed):
    found = searched.confirmation()
    assert found.config["chosen"] == ["0.0 along country-capital", "0.1 along country-capital"]
    assert {"0.0", "0.2"} <= set(found.components.values())
    assert set(found.statements) <= {claim.statement for claim in confirmed.claims()}


def test_a_stated_head_need_not_be_found(toy):
    """0.3 looks at nothing: stated all the same, it is no control, and it is not said to look."""
    free, stated = measured(toy), measured(toy, chosen=("0.3 along country-capital",))
    assert stated.carriers.found.sum() == 1
    assert not stated.looks.any()
    assert free.looks.sum() == 2


def test_its_numbers_are_those_of_the_search(searched, toy):
    again = measured(toy, fold="search", n_held_out=None, **searched.confirmation().config)
    kind = again.config.ablations[0]
    assert again.evidence[kind] == searched.evidence[kind]
    assert np.array_equal(again.looks, searched.looks)


def test_looks_and_acts_are_listed_apart(searched, tmp_path):
    rows = {(row.name, row.causal): row for row in searched.components()}
    assert rows["0.0", True].effect.estimate > 0
    assert rows["0.0", True].grade
    assert rows["0.0", False].grade is None
    assert rows["0.1", False].selected
    assert not rows["0.2", False].selected
    keep(searched, None, tmp_path / "run")
    assert load_result(tmp_path / "run").components() == searched.components()


def test_where_nothing_holds_there_is_nothing_to_test(searched):
    nothing = replace(searched.effects[Split.REPORT][0], changes=0 * searched.effects[Split.REPORT][0].changes)
    assert replace(searched, effects={Split.REPORT: (nothing,)}).confirmation() is None


def test_an_unknown_head_is_refused_with_the_nearest(toy):
    with pytest.raises(ValueError, match=r"did you mean '0\.1 along country-capital'"):
        measured(toy, chosen=("0.1 along country-capitals",))
