"""The curve over the share of edges: areas by hand, and exact rankings of compiled models against sabotaged ones."""

import numpy as np
import pytest

from interp_lab.circuits.curves import MIB_GRID, Curve, area, faithfulness_curve, ranked
from interp_lab.circuits.graph import all_edges
from interp_lab.edges import Edge
from tests.circuits.compiled import compiled, exact

WHOLE, EMPTY = np.array([4.0, 8.0, 4.0, 8.0]), np.zeros(4)


def curve(shares, grid, **options):
    """Every prompt keeps the same share at each size."""
    return Curve(tuple(grid), np.outer(shares, WHOLE), WHOLE, EMPTY, **options)


class TestAreas:
    def test_by_hand(self):
        """Trapezoids: 0.25 x 0.25 + 0.5 x 0.75 under the curve, 0.25 x 0.75 + 0.5 x 0.25 above it."""
        found = curve([0.0, 0.5, 1.0], [0.25, 0.5, 1.0])
        assert found.cpr().estimate == pytest.approx(0.4375)
        assert found.cmd().estimate == pytest.approx(0.3125)

    def test_of_a_circuit_that_is_the_model_at_every_size(self):
        found = curve(np.ones(10), MIB_GRID)
        assert found.cpr().estimate == pytest.approx(0.999)
        assert found.cmd().estimate == pytest.approx(0.0)

    @pytest.mark.parametrize("order", ["ratio of means", "mean of ratios"])
    def test_fill_the_square_unless_the_circuit_does_better_than_the_model(self, order):
        below, above = curve([0.1, 0.7, 1.0], [0.1, 0.2, 1.0]), curve([0.1, 1.7, 1.0], [0.1, 0.2, 1.0])
        assert below.cpr(order).estimate + below.cmd(order).estimate == pytest.approx(0.9)
        assert above.cpr(order).estimate > 0.9
        assert above.cmd(order).estimate == pytest.approx((0.9 + 0.7) / 2 * 0.1 + 0.7 / 2 * 0.8)

    def test_are_sums_of_trapezoids(self):
        rng = np.random.default_rng(0)
        values, at = rng.normal(size=(7, 3)), np.sort(rng.random(7))
        expected = (np.diff(at)[:, None] * (values[1:] + values[:-1]) / 2).sum(0)
        np.testing.assert_allclose(area(values, at.tolist()), expected)

    def test_have_intervals_over_templates(self):
        rng = np.random.default_rng(1)
        whole, shares = rng.normal(5, 1, 40), np.linspace(0, 1, 4)[:, None] + rng.normal(0, 0.2, (4, 40))
        clusters = np.repeat(np.arange(10), 4)
        found = Curve((0.1, 0.2, 0.5, 1.0), shares * whole, whole, np.zeros(40), clusters=clusters)
        for interval in (found.cpr(), found.cmd(), found.cpr("mean of ratios"), found.cmd("mean of ratios")):
            assert interval.low < interval.estimate < interval.high
            assert interval.n_clusters == 10
        assert found.cmd().low > 0
        assert found.cmd() == Curve(*(getattr(found, name) for name in ("shares_of_edges", "values", "whole", "empty")),
                                    clusters=clusters).cmd()  # fmt: skip

    def test_take_the_size_of_the_mean_and_not_the_mean_of_sizes(self):
        """Prompts off by as much in either direction: on average the circuit does what the model does."""
        values = np.stack([WHOLE + np.array([2, -2, -2, 2]), WHOLE])
        found = Curve((0.5, 1.0), values, WHOLE, EMPTY)
        assert found.cmd().estimate == pytest.approx(0.0, abs=1e-12)
        assert found.cmd().high > 0.05

    def test_are_refused_where_the_model_gains_nothing(self):
        found = Curve((0.5, 1.0), np.ones((2, 4)), np.array([1.0, -1, 2, -2]), EMPTY)
        assert (found.cpr(), found.cmd(), found.faithfulness()) == (None, None, None)
        assert "covers zero" in found.refused["ratio of means"]


@pytest.mark.parametrize("ablation", ["zero", "resample"])
class TestCompiled:
    def test_exact_sizes_of_edges_beat_the_same_turned_over(self, ablation):
        bench, true = compiled("compiled/induction", ablation)
        every, changes, _ = exact("compiled/induction", ablation)
        sizes = dict(zip(every, np.abs(changes.mean(1)).tolist(), strict=True))
        found = faithfulness_curve(bench, sizes)
        assert found.n_edges == (0, 0, 0, 1, 2, 5, 10, 21, 53, 106)
        from_true = [n >= len(true) for n in found.n_edges]
        np.testing.assert_allclose(found.faithfulness().estimate[from_true], 1.0, atol=1e-3)
        assert found.cpr().low > 0.9
        assert found.cmd().high < 0.1
        sabotaged = faithfulness_curve(bench, {edge: -size for edge, size in sizes.items()})
        assert sabotaged.cpr().high < 0.6
        assert sabotaged.cmd().low > 0.4

    def test_the_whole_grid_ends_with_the_model(self, ablation):
        bench, _ = compiled("compiled/linear", ablation)
        found = faithfulness_curve(bench, {Edge("embed", "logits"): 1.0}, grid=(0.01, 1.0))
        np.testing.assert_allclose(found.values[-1], bench.whole)
        np.testing.assert_allclose(found.values[0], bench.values([{Edge("embed", "logits")}])[0])


class TestBadInput:
    def test_a_ranking_without_edges_or_of_edges_that_are_not_there(self):
        bench, _ = compiled("compiled/induction", "zero")
        with pytest.raises(ValueError, match="the ranking has no edges"):
            faithfulness_curve(bench, {})
        with pytest.raises(ValueError, match="the model has no edge m0->logits"):
            faithfulness_curve(bench, {Edge("m0", "logits"): 1.0})
        with pytest.raises(ValueError, match=r"score of embed->logits is NaN \(1 of 1\)"):
            faithfulness_curve(bench, {Edge("embed", "logits"): float("nan")})

    @pytest.mark.parametrize("grid", [(), (1.0,), (0.5, 0.1), (0.0, 1.0), (0.5, 1.5), (0.5, 0.5)])
    def test_a_grid_that_is_none(self, grid):
        bench, _ = compiled("compiled/induction", "zero")
        with pytest.raises(ValueError, match="no ascending list of at least two shares"):
            faithfulness_curve(bench, {Edge("embed", "logits"): 1.0}, grid=grid)

    def test_circuits_that_do_not_match_the_grid(self):
        with pytest.raises(ValueError, match="2 circuits for 3 shares"):
            curve([0.5, 1.0], [0.1, 0.2, 1.0])
        with pytest.raises(ValueError, match=r"measured on \[3, 4, 4\] prompts"):
            Curve((0.1, 1.0), np.ones((2, 3)), WHOLE, EMPTY)

    def test_an_edge_that_runs_backwards_is_no_edge(self):
        with pytest.raises(ValueError, match=r"no edge 1\.0->0\.0\.q: a node reads only what was written before"):
            Edge("1.0", "0.0.q")


def test_ties_stay_in_order_and_edges_without_a_score_come_last():
    bench, _ = compiled("compiled/induction", "zero")
    every = all_edges(bench.model)
    scores = {every[7]: -5.0, every[3]: 1.0, every[50]: 1.0}
    rest = tuple(edge for nth, edge in enumerate(every) if nth not in (7, 3, 50))
    assert ranked(bench.model, scores) == (every[3], every[50], every[7], *rest)
