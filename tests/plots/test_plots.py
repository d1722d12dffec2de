import numpy as np
import plotly.io
import pytest

from interp_lab.plots import head_map, interval_plot
from interp_lab.types import Interval

MEAN = np.array([[0.1, 0.9, 0.2], [0.0, 0.5, 0.3]])


class TestHeadMap:
    def test_puts_layers_down_and_heads_across_with_their_intervals(self):
        figure = head_map(MEAN, MEAN - 0.05, MEAN + 0.05, title="scores", unit="attention", limit=1.0)
        heatmap = figure.data[0]
        assert np.array_equal(heatmap.z, MEAN)
        assert list(heatmap.y) == ["0", "1"]
        assert list(heatmap.x) == ["0", "1", "2"]
        assert np.allclose(heatmap.customdata[0, 1], [0.85, 0.95])
        assert (heatmap.zmin, heatmap.zmax) == (0.0, 1.0)
        assert figure.layout.yaxis.autorange == "reversed"

    def test_effects_are_centred_on_zero(self):
        heatmap = head_map(-MEAN, -MEAN, -MEAN, title="effects", unit="nats", signed=True).data[0]
        assert (heatmap.zmin, heatmap.zmax) == (-0.9, 0.9)

    def test_an_all_zero_map_still_has_a_scale(self):
        zero = np.zeros((2, 2))
        assert head_map(zero, zero, zero, title="t", unit="u").data[0].zmax == 1.0

    def test_prints_no_numbers_into_cells_too_small_for_them(self):
        large = np.zeros((12, 32))
        assert head_map(large, large, large, title="t", unit="u").data[0].texttemplate is None


class TestIntervalPlot:
    def test_bars_reach_from_low_to_high(self):
        figure = interval_plot({"effect": [Interval(1.0, 0.7, 1.6)]}, ["1.0"], title="t", unit="nats")
        marks = figure.data[0]
        assert marks.x[0] == 1.0
        assert marks.error_x.array[0] == pytest.approx(0.6)
        assert marks.error_x.arrayminus[0] == pytest.approx(0.3)

    def test_series_do_not_hide_each_other(self):
        same = [Interval(1.0, 0.7, 1.6)]
        effect, control = interval_plot({"effect": same, "control": same}, ["1.0"], title="t", unit="nats").data
        assert effect.y[0] != control.y[0]

    def test_a_series_of_another_length(self):
        with pytest.raises(ValueError, match="series 'effect' has 1 intervals for 2 names"):
            interval_plot({"effect": [Interval(1.0, 0.0, 2.0)]}, ["a", "b"], title="t", unit="nats")


def test_global_themes_are_left_alone():
    before = plotly.io.templates.default
    head_map(MEAN, MEAN, MEAN, title="t", unit="u")
    assert plotly.io.templates.default == before
