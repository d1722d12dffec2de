"""What carries a change of behaviour on one fold is tested on the other: the same parts, the same sentences."""

import pytest

from interp_lab.similarity import ModelDifference
from tests.similarity.models import bundled, quick_result

LARGER = {"n_pairs": 32, "parts": ("attn_out", "mlp_out"), "n_held_out": None, "n_documents": 32}


@pytest.fixture(scope="module")
def searched():
    return quick_result(fold="search", **LARGER)


@pytest.fixture(scope="module")
def confirmed(searched):
    config = searched.config.overlaid({**searched.confirmation().config, "fold": "held_out", "n_held_out": 8})
    return ModelDifference(config).measure(bundled("organism"), tuned=bundled("organism-tuned"))


def test_other_examples_make_the_very_same_sentences(searched, confirmed):
    found = searched.confirmation()
    assert found.statements
    assert set(found.statements) <= {claim.statement for claim in confirmed.claims()}
    assert set(found.components.values()) <= {row.name for row in searched.components()}
    assert all(name.startswith(("attn_out ", "mlp_out ")) for name in found.components.values())


def test_the_parts_are_those_that_were_stated(searched, confirmed):
    assert confirmed.chosen.tolist() == searched.chosen.tolist()
    assert {row.name for row in confirmed.components() if row.selected} == set(
        searched.confirmation().components.values()
    ) | {row.name for row in searched.components() if row.selected}


def test_an_unknown_part_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"no such part in the maps of parts; did you mean 'mlp \d'"):
        quick_result(chosen=("mlp 9",), n_documents=32)
