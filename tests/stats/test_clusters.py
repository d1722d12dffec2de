import numpy as np
import pytest

from interp_lab.stats.clusters import cluster_codes, cluster_totals


class TestClusterTotals:
    def test_adds_up_by_label_in_order_of_appearance(self):
        totals = cluster_totals(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), ["b", "a", "b", "a", "b"])
        assert totals.sums.tolist() == [9.0, 6.0]
        assert totals.counts.tolist() == [3.0, 2.0]

    def test_the_mean_is_over_examples_not_over_clusters(self):
        totals = cluster_totals(np.array([0.0, 0.0, 0.0, 4.0]), [1, 1, 1, 2])
        assert totals.mean == 1.0  # the mean of the cluster means would be 2

    def test_the_excess_sums_to_zero_and_is_zero_where_only_rounding_differs(self):
        values = np.array([[0.1] * 7, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
        excess = cluster_totals(values, [0, 0, 0, 1, 1, 2, 2]).excess()
        assert (excess[0] == 0).all()
        assert excess[1].tolist() == [-6.0, 1.0, 5.0]  # sums 3, 7, 11 against 3 times the sizes 3, 2, 2

    def test_float32_is_summed_in_float64(self):
        values = np.full(3, 16_777_217.0 / 3, dtype=np.float32)
        assert cluster_totals(values).sums.dtype == np.float64

    @pytest.mark.parametrize("labels", [["x", ("y", 1), "x"], np.array([3, 5, 3])], ids=["mixed objects", "array"])
    def test_labels_are_anything_hashable(self, labels):
        assert cluster_codes(labels, n_examples=3).tolist() == [0, 1, 0]


class TestRefusals:
    def test_one_cluster(self):
        with pytest.raises(ValueError, match=r"1 cluster among 3 examples.*clusters=None"):
            cluster_totals(np.arange(3.0), ["t", "t", "t"])

    def test_a_single_example(self):
        with pytest.raises(ValueError, match="1 cluster among 1 examples"):
            cluster_totals(np.array([1.0]))

    def test_no_examples(self):
        with pytest.raises(ValueError, match="empty"):
            cluster_totals(np.zeros((3, 0)))

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite_is_named_with_its_place(self, bad):
        values = np.zeros((2, 3, 4))
        values[1, 0, 2] = values[1, 2, 3] = bad
        with pytest.raises(ValueError, match=rf"{bad} at site \(1, 0\), example 2 \(2 of 24"):
            cluster_totals(values)

    def test_labels_of_another_length(self):
        with pytest.raises(ValueError, match="2 cluster labels for 3 examples"):
            cluster_totals(np.arange(3.0), ["a", "b"])
