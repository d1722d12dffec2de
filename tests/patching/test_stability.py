"""Overlap of the top sites over resampled prompts, worked by hand and counted by brute force."""

from itertools import combinations

import numpy as np
import pytest

from interp_lab.patching.stability import top_site_stability
from interp_lab.stats.overlap import expected_overlap

CLUSTERS = np.array(["a", "a", "b", "b"])


class TestByHand:
    """Three sites, two clusters of two prompts: drawn are (a, a) and (b, b) once in four, one of each in half."""

    EFFECTS = np.array([[3.0, 3.0, 1.0, 1.0], [1.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    """Means 2, 1.5 and 0; on a alone 3, 1, 0; on b alone 1, 2, 0."""

    def test_the_first_site_is_lost_when_its_cluster_is(self):
        found = top_site_stability(self.EFFECTS, CLUSTERS, k=1, n_resamples=4000)
        assert set(found.jaccard.tolist()) == {0.0, 1.0}
        assert found.mean == pytest.approx(0.75, abs=0.03)
        assert found.spread() == (0.0, 1.0)

    def test_two_of_three_are_always_the_same_two(self):
        found = top_site_stability(self.EFFECTS, CLUSTERS, k=2)
        assert found.mean == 1.0
        assert found.spread() == (1.0, 1.0)

    def test_one_site_of_two_in_common_is_a_third(self):
        """On b alone the third site overtakes the second: {0, 1} against {0, 2} share one of three."""
        effects = np.array([[5.0, 5.0, 5.0, 5.0], [3.0, 3.0, 0.0, 0.0], [0.0, 0.0, 2.0, 2.0]])
        found = top_site_stability(effects, CLUSTERS, k=2, n_resamples=4000)
        assert set(np.round(found.jaccard, 6).tolist()) == {1.0, 0.333333}
        assert found.mean == pytest.approx(0.75 + 0.25 / 3, abs=0.03)

    def test_sites_are_ranked_by_magnitude(self):
        found = top_site_stability(-self.EFFECTS, CLUSTERS, k=1, n_resamples=4000)
        assert found.mean == pytest.approx(0.75, abs=0.03)

    def test_larger_clusters_weigh_more(self):
        """One prompt of a against three of b: a resample of one each has the mean of all four, not of the two."""
        effects = np.array([[4.0, 1.0, 1.0, 1.0], [0.0, 2.0, 2.0, 2.0]])  # means 1.75 and 1.5; by cluster 2.5 and 1
        clusters = np.array(["a", "b", "b", "b"])
        found = top_site_stability(effects, clusters, k=1, n_resamples=4000)
        assert found.mean == pytest.approx(0.75, abs=0.03)
        by_mean_of_means = np.array([2.5, 1.0])
        assert by_mean_of_means.argmax() == effects.mean(1).argmax() == 0


class TestChance:
    @pytest.mark.parametrize(("n_sites", "k"), [(5, 1), (6, 2), (7, 3), (4, 3)])
    def test_is_the_mean_over_all_pairs_of_choices(self, n_sites, k):
        sets = [set(chosen) for chosen in combinations(range(n_sites), k)]
        counted = np.mean([len(one & other) / len(one | other) for one in sets for other in sets])
        assert expected_overlap(n_sites, k) == pytest.approx(counted)

    def test_stands_beside_what_was_measured(self):
        assert top_site_stability(TestByHand.EFFECTS, CLUSTERS, k=1).chance == pytest.approx(1 / 3)


class TestSeed:
    def test_same_seed_same_bits_and_another_seed_others(self):
        effects = np.random.default_rng(0).standard_normal((6, 40))
        clusters = np.repeat(np.arange(10), 4)
        one, again, other = (
            top_site_stability(effects, clusters, k=2, seed=seed).jaccard.tolist() for seed in (0, 0, 1)
        )
        assert one == again
        assert one != other


class TestBadInput:
    @pytest.mark.parametrize("k", [0, 3, 4])
    def test_no_choice(self, k):
        with pytest.raises(ValueError, match=f"k={k} of 3 sites: choose at least one, and not all"):
            top_site_stability(TestByHand.EFFECTS, CLUSTERS, k=k)

    def test_one_cluster(self):
        with pytest.raises(ValueError, match="all prompts are of one cluster"):
            top_site_stability(TestByHand.EFFECTS, np.array(["a"] * 4), k=1)
