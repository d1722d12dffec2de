"""What is found of features on one fold is tested on the other: the same latents, the same sentences."""

import re

import numpy as np
import pytest

from interp_lab.sae.causal import FeatureEffects, FeatureEffectsConfig
from tests.sae.causal.drawn import SMALL, organism, result

CONFIG = {**SMALL, "task": "grammar/sentiment", "n_pairs": 48, "n_held_out": None}


@pytest.fixture(scope="module")
def searched():
    return FeatureEffects(FeatureEffectsConfig(**CONFIG, fold="search")).measure(organism())


@pytest.fixture(scope="module")
def confirmed(searched):
    overlay = {**searched.confirmation().config, "fold": "held_out", "n_held_out": 16}
    return FeatureEffects(searched.config.overlaid(overlay)).measure(organism())


def test_other_examples_make_the_very_same_sentences(searched, confirmed):
    found = searched.confirmation()
    assert found.statements
    assert set(found.statements) <= {claim.statement for claim in confirmed.claims()}
    assert set(found.statements) == set(found.components) == set(found.uncertain)
    assert not any(re.search(r"\d%|\d\.\d\d", statement) for statement in found.statements)


def test_the_latents_are_those_that_were_found(searched, confirmed):
    assert confirmed.names == searched.names
    assert confirmed.selected.named
    assert {row.name for row in confirmed.components()} == {f"{one}" for one in _names(searched)}


def _names(found):
    return [f"{found.hook.removeprefix('blocks.')}#{latent}" for latent in found.names]


def test_named_in_advance_their_numbers_are_those_of_the_search(searched):
    stated = FeatureEffects(searched.config.overlaid(searched.confirmation().config)).measure(organism())
    assert np.allclose(stated.report.operations, searched.report.operations, atol=1e-5)


def test_a_feature_that_does_nothing_is_not_put_up():
    found = result().confirmation()
    assert list(found.components.values()).count(_names(result())[0]) == 1
    assert _names(result())[1] not in found.components.values()
    alone = result(own=0.0).confirmation().components.values()
    assert all(" + " in name for name in alone)  # what they carry together is drawn apart from it
