"""The rows of `verify`, each beside its sabotaged twin; and what else the planted dictionary is known to do."""

import numpy as np
import pytest
import torch

from interp_lab.sae.causal.accounting import patched_alone, patched_others, patched_randomly, patched_sets, steps_up_to
from interp_lab.sae.causal.known_answers import OTHER, OWN, measuring, rows
from interp_lab.sae.causal.logit_lens import logit_effects
from interp_lab.sae.causal.selecting import attributions
from interp_lab.sae.causal.splits import SHARES, WAYS, Share, Way


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.instrument)
class TestRows:
    def test_reads_true(self, row):
        ok, told = row.measure()
        assert ok, told

    def test_of_a_sabotaged_instrument_does_not(self, row):
        ok, told = row.sabotage()
        assert not ok, told


@pytest.fixture(scope="module")
def planted():
    return measuring()


def of_answers(planted):
    pairs = planted.part.pairs
    return np.array([a[0][0] for a in pairs.answers]), np.array([w[0][0] for w in pairs.wrong])


class TestOnALinearModel:
    def test_attribution_is_exact(self, planted):
        every = np.arange(len(planted.rows))
        estimates = attributions(planted.prompts, planted.rows, planted.changes())
        np.testing.assert_allclose(estimates, planted.considered(every).alone, atol=1e-4)
        right, wrong = of_answers(planted)
        at = np.arange(len(right))
        np.testing.assert_allclose(estimates[right, at], OWN, atol=1e-4)
        np.testing.assert_allclose(estimates[wrong, at], OTHER, atol=1e-4)

    def test_patching_a_feature_brings_back_what_both_prompts_have_of_it(self, planted):
        """The coordinate of a holds 5/2 on the clean prompt and -1/2 on the corrupted one: 3, both ways."""
        right, _ = of_answers(planted)
        found = patched_alone(planted.sides, np.unique(right))
        place = np.searchsorted(np.unique(right), right)
        at = np.arange(len(right))
        np.testing.assert_allclose(found[WAYS.index(Way.DENOISE), place, at], 3, atol=1e-4)
        np.testing.assert_allclose(found[WAYS.index(Way.NOISE), place, at], -3, atol=1e-4)

    def test_patching_all_features_is_patching_the_reconstruction(self, planted):
        every = np.arange(len(planted.rows))
        found = patched_sets(planted.sides, [every])
        np.testing.assert_allclose(found[WAYS.index(Way.DENOISE)], 6, atol=1e-4)
        np.testing.assert_allclose(found[WAYS.index(Way.NOISE)], -6, atol=1e-4)

    def test_other_sets_are_as_long_on_every_prompt(self, planted):
        """All features bring 6 back along a and w, three each way; half of them in length bring back 3."""
        every, right = np.arange(len(planted.rows)), of_answers(planted)[0]
        whole = planted.sides.vectors(Way.DENOISE, Share.FEATURES).flatten(1).norm(dim=-1)
        own = (planted.sides.latents(Way.DENOISE, right[:1]) @ planted.rows[right[:1]]).flatten(1).norm(dim=-1)
        found = patched_others(planted.sides, right[:1], [every])
        np.testing.assert_allclose(found[0], 6 * (own / whole).numpy(), atol=1e-4)
        assert found[0].max() > 1

    def test_features_and_error_add_up_to_the_activation(self, planted):
        vectors = {share: planted.sides.vectors(Way.DENOISE, share) for share in SHARES[:-1]}
        torch.testing.assert_close(vectors[Share.FEATURES] + vectors[Share.ERROR], vectors[Share.WHOLE])
        assert all(vector.abs().max() > 0.5 for vector in vectors.values())

    def test_random_directions_are_as_long_at_every_token(self, planted, monkeypatch):
        """Measured by what is added, token by token."""
        seen = []
        run = type(planted.prompts)
        own = run.adding_vectors
        monkeypatch.setattr(run, "adding_vectors", lambda self, v, *, what: seen.append(v) or own(self, v, what=what))
        chosen = np.array([3, 5, 8])
        patched_randomly(planted.sides, chosen, n=3, key=(0,))
        expected = (planted.sides.latents(Way.DENOISE, chosen) @ planted.rows[chosen]).norm(dim=-1)
        assert len(seen) == 3
        for vectors in seen:
            torch.testing.assert_close(vectors.norm(dim=-1), expected)

    def test_each_feature_raises_its_own_symbol(self, planted):
        effects = logit_effects(planted.model, planted.rows, hook=planted.codec.hook)
        assert torch.equal(effects.argmax(-1), torch.arange(len(effects)))


def test_sets_grow_by_doubling_up_to_all():
    assert steps_up_to(6) == (1, 2, 4, 6)
    assert steps_up_to(8) == (1, 2, 4, 8)
    assert steps_up_to(1) == (1,)
