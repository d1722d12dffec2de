"""Rankings against the truth: equal to scikit-learn's; missing true edges were missed; exact methods find all."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from interp_lab.circuits.auroc import auroc, auroc_interval
from interp_lab.edges import Edge
from interp_lab.organisms.compiled import compiled_names
from tests.circuits.compiled import FIRST, SECOND, compiled, exact

EVERY = [Edge(f"0.{nth}", "logits") for nth in range(40)]


def scored(*scores):
    return {edge: float(score) for edge, score in zip(EVERY, scores, strict=False)}


class TestAuroc:
    def test_by_hand(self):
        """Of four pairs: 3 above 2, 3 above 1; 1 below 2, and tied with 1."""
        assert auroc(scored(3, 2, 1, 1), {EVERY[0], EVERY[2]}) == (2 + 0 + 0.5) / 4

    @pytest.mark.parametrize("seed", range(5))
    def test_is_scikit_learns_where_all_are_ranked(self, seed):
        rng = np.random.default_rng(seed)
        scores = rng.integers(0, 6, 40).astype(float)  # many ties
        truth = rng.random(40) < 0.3
        found = auroc(scored(*scores), {edge for edge, is_true in zip(EVERY, truth, strict=True) if is_true})
        assert found == pytest.approx(roc_auc_score(truth, scores))

    def test_turned_over_is_one_minus_itself(self):
        rng = np.random.default_rng(9)
        scores, truth = rng.integers(0, 9, 40), set(EVERY[::3])
        assert auroc(scored(*scores), truth) + auroc(scored(*-scores), truth) == pytest.approx(1.0)

    def test_a_true_edge_that_is_not_ranked_was_missed(self):
        """One of two true edges on top, the other nowhere: half of the pairs, and not all of them."""
        ranking = scored(3, 2, 1)
        assert auroc(ranking, {EVERY[0]}) == 1.0
        assert auroc(ranking, {EVERY[0], EVERY[9]}) == 0.5
        assert auroc(ranking, {EVERY[8], EVERY[9]}) == 0.0

    def test_edges_that_nobody_ranked_are_tied_with_those_missed(self):
        """True: ranked first of 4 others (4 pairs), and missed beside 2 of them (2 halves)."""
        assert auroc(scored(3, 2, 1), {EVERY[0], EVERY[9]}, among=[*EVERY[:5], EVERY[9]]) == (4 + 2 * 0.5) / 8

    def test_bad_input(self):
        with pytest.raises(ValueError, match="the ranking has no edges"):
            auroc({}, {EVERY[0]})
        with pytest.raises(ValueError, match=r"score of 0\.1->logits is NaN"):
            auroc(scored(1, float("nan")), {EVERY[0]})
        with pytest.raises(ValueError, match="2 true edges and 0 others cannot be told apart"):
            auroc(scored(1, 2), set(EVERY[:2]))
        with pytest.raises(ValueError, match="0 true edges and 2 others"):
            auroc(scored(1, 2), frozenset())
        with pytest.raises(ValueError, match=r"0\.1->logits has a score or is true, and is not among the 1 edges"):
            auroc(scored(1, 2), {EVERY[0]}, among=EVERY[:1])


class TestInterval:
    def test_is_that_of_resampled_templates(self):
        rng = np.random.default_rng(0)
        truth, clusters = set(EVERY[:6]), np.repeat(np.arange(8), 5)
        effects = rng.normal(0, 1, (40, 40))
        effects[:6] += 0.5
        found = auroc_interval(EVERY, effects, truth, clusters=clusters)
        assert found.estimate == pytest.approx(auroc(scored(*np.abs(effects.mean(1))), truth))
        assert found.low < found.estimate < found.high
        assert found.n_clusters == 8
        assert found == auroc_interval(EVERY, effects, truth, clusters=clusters)

    def test_counts_missing_true_edges_as_missed(self):
        effects = np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
        assert auroc_interval(EVERY[:3], effects, {EVERY[0], EVERY[9]}).estimate == 0.5

    def test_refuses_effects_of_other_edges(self):
        with pytest.raises(ValueError, match="2 edges for effects of 3"):
            auroc_interval(EVERY[:2], np.ones((3, 4)), {EVERY[0]})


class TestCompiled:
    @pytest.mark.parametrize("ablation", ["zero", "resample"])
    @pytest.mark.parametrize("name", compiled_names())
    def test_exact_effects_rank_the_true_edges_first(self, name, ablation):
        every, changes, true = exact(name, ablation)
        sizes = dict(zip(every, np.abs(changes.mean(1)).tolist(), strict=True))
        assert auroc(sizes, true, among=every) == 1.0
        assert auroc_interval(every, changes, true).estimate == 1.0

    def test_the_truth_of_the_other_ablation_is_another(self):
        """Where it is the larger, edges are missed; the sabotaged twin of the test above."""
        every, changes, _ = exact("compiled/induction", "resample")
        _, other = compiled("compiled/induction", "zero")
        assert auroc_interval(every, changes, other).high < 0.9

    def test_effects_without_their_size_miss_what_lowers_the_metric(self):
        every, changes, true = exact("compiled/induction", "zero")
        assert auroc(dict(zip(every, changes.mean(1).tolist(), strict=True)), true) == 0.0

    def test_single_edges_do_not_find_what_backs_up_what(self):
        """Either head can do without the other's edges: cutting one edge changes nothing that the other head mends."""
        every, changes, _ = exact("compiled/backup", "zero")
        found = auroc_interval(every, changes, FIRST | SECOND)
        assert found.high < 0.9
