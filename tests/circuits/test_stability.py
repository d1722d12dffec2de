"""Would other prompts give the same circuit? Certain where all prompts agree, chance where none does."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from interp_lab.circuits.stability import circuit_stability
from interp_lab.stats.overlap import expected_overlap
from tests.circuits.compiled import exact


def drawn(n_prompts, *, signal, n_edges=30, k=5, seed=0):
    """Scores of which the first k carry a signal beside noise of size 1."""
    scores = np.random.default_rng(seed).normal(size=(n_edges, n_prompts))
    scores[:k] += signal
    return scores


class TestStability:
    def test_prompts_that_agree_give_one_circuit_from_the_first_on(self):
        scores = np.outer([5.0, 1.0, -4.0, 3.0, 2.0], np.ones(16))
        found = circuit_stability(scores, k=3)
        assert (found.jaccard == 1).all()
        assert (found.overlap == 1).all()
        assert (found.needed(), found.told()) == (1.0, "1")

    def test_a_size_counts_whatever_its_sign(self):
        """The second edge pushes the other way; by signed scores it would come last."""
        scores = np.array([[1.0, 1.0, 1.0, 1.0], [-9.0, -9.0, -9.0, -9.0], [2.0, 2.0, 2.0, 2.0]])
        turned = circuit_stability(scores * np.array([1, -1, 1, -1]), k=2)
        assert circuit_stability(scores, k=2).mean == 1.0
        assert turned.mean < 1.0, "an edge whose effects cancel over prompts has no mean"

    def test_noise_overlaps_by_chance_and_no_number_of_prompts_is_made_up(self):
        found = circuit_stability(drawn(40, signal=0.0), k=5)
        assert found.overlap.mean() == pytest.approx(found.chance, abs=0.06)
        assert found.mean > 2 * found.chance, "resamples share prompts with the whole, and so flatter it"
        assert found.needed() is None
        assert found.told() == "more than 20"

    def test_the_curve_says_how_many_prompts_it_takes(self):
        """A signal of 1 beside noise of 1: the mean of n prompts stands out by the root of n."""
        found = circuit_stability(drawn(128, signal=1.0), k=5)
        assert found.n_prompts.tolist() == [1, 2, 4, 8, 16, 32, 64]
        means = found.overlap.mean(1)
        assert means[0] < 0.4
        assert (means[-2:] > 0.9).all()
        assert found.needed(0.8) in (8, 16)
        assert found.needed(0.99) > found.needed(0.5)

    def test_a_curve_that_falls_back_has_not_arrived(self):
        found = circuit_stability(drawn(16, signal=0.0), k=5)
        fallen = replace(found, n_prompts=np.array([1.0, 2.0, 4.0]), overlap=np.array([[0.9], [0.7], [0.85]]))
        assert fallen.needed() == 4.0

    def test_templates_are_drawn_whole(self):
        """Eight prompts of each of 6 templates that all say the same: as many circuits as templates, not as prompts."""
        scores = np.repeat(drawn(6, signal=0.0), 8, axis=1)
        by_template = circuit_stability(scores, k=5, clusters=np.repeat(np.arange(6), 8))
        alone = circuit_stability(drawn(6, signal=0.0), k=5)
        assert by_template.n_prompts.tolist() == [8, 16, 24]
        np.testing.assert_array_equal(by_template.overlap, alone.overlap)
        assert circuit_stability(scores, k=5).overlap[-1].mean() > by_template.overlap[-1].mean() + 0.1

    def test_same_seed_same_bits(self):
        scores = drawn(20, signal=0.5)
        first, second, other = (circuit_stability(scores, k=5, seed=seed) for seed in (0, 0, 1))
        np.testing.assert_array_equal(first.jaccard, second.jaccard)
        np.testing.assert_array_equal(first.overlap, second.overlap)
        assert (first.jaccard != other.jaccard).any()

    def test_of_exact_effects_of_a_compiled_model(self):
        _, changes, true = exact("compiled/linear", "resample")
        assert circuit_stability(changes, k=len(true)).told() == "1"


def test_chance_is_the_mean_over_all_pairs_of_sets():
    pairs = [(set(a), set(b)) for a in combinations(range(6), 2) for b in combinations(range(6), 2)]
    literal = np.mean([len(a & b) / len(a | b) for a, b in pairs])
    assert expected_overlap(6, 2) == pytest.approx(literal)


class TestBadInput:
    @pytest.mark.parametrize("k", [0, 30])
    def test_a_circuit_of_no_edge_or_all(self, k):
        with pytest.raises(ValueError, match=f"k={k} of 30 edges"):
            circuit_stability(drawn(8, signal=1.0), k=k)

    @pytest.mark.parametrize("sizes", [[], [0], [2, 1], [5]])
    def test_sizes_that_cannot_be_drawn_twice(self, sizes):
        with pytest.raises(ValueError, match=r"cannot be drawn twice from 8 clusters; .* from 1 to 4"):
            circuit_stability(drawn(8, signal=1.0), k=5, sizes=sizes)

    def test_one_template_or_no_overlap(self):
        with pytest.raises(ValueError, match="1 cluster among 8 examples"):
            circuit_stability(drawn(8, signal=1.0), k=5, clusters=["a"] * 8)
        with pytest.raises(ValueError, match=r"bar=1\.5 is no overlap"):
            circuit_stability(drawn(8, signal=1.0), k=5).needed(1.5)
