import numpy as np
import pytest

from interp_lab.plots import site_heatmap
from interp_lab.plots.sites import MOST_LABELLED, MOST_NAMED

MEAN = np.array([[0.1, -0.9, 0.2], [0.0, 0.5, 0.3]])


def heatmap(mean=MEAN, *, columns=("the", "cat/dog", "the"), **options):
    rows = [str(row) for row in range(len(mean))]
    given = {"rows": rows, "columns": columns, "row_title": "layer", "column_title": "token", "title": "t", "unit": "u"}
    return site_heatmap(mean, mean - 0.05, mean + 0.05, **given, **options)


class TestSiteHeatmap:
    def test_layers_go_down_and_places_across(self):
        figure = heatmap()
        assert np.array_equal(figure.data[0].z, MEAN)
        assert figure.layout.yaxis.autorange == "reversed"
        assert figure.layout.yaxis.title.text == "layer"
        assert figure.layout.xaxis.title.text == "token"

    def test_tokens_stand_on_the_axis_and_a_word_that_comes_twice_is_two_columns(self):
        figure = heatmap()
        assert list(figure.layout.xaxis.ticktext) == ["the", "cat/dog", "the"]
        assert list(figure.data[0].x) == list(figure.layout.xaxis.tickvals) == [0, 1, 2]

    def test_intervals_and_names_rest_under_the_pointer(self):
        heat = heatmap().data[0]
        low, high, name = heat.customdata[1, 1]
        assert (low, high, name) == (pytest.approx(0.45), pytest.approx(0.55), "cat/dog")
        assert heat.text[1, 1] == "1"
        assert "%{customdata[0]:.3f}" in heat.hovertemplate

    def test_colours_are_signed_around_zero(self):
        heat = heatmap().data[0]
        assert (heat.zmin, heat.zmax) == (-0.9, 0.9)
        assert (heatmap(limit=1.0).data[0].zmin, heatmap(limit=1.0).data[0].zmax) == (-1.0, 1.0)
        assert heatmap(np.zeros((2, 3))).data[0].zmax == 1.0

    def test_chosen_cells_have_a_frame(self):
        marked = np.zeros((2, 3), dtype=bool)
        marked[1, 2] = True
        (frame,) = heatmap(marked=marked).layout.shapes
        assert (frame.x0, frame.x1, frame.y0, frame.y1) == (1.5, 2.5, 0.5, 1.5)
        assert heatmap().layout.shapes == ()

    def test_wide_maps_have_no_names_and_no_numbers_in_their_cells(self):
        wide = np.zeros((4, MOST_LABELLED))
        figure = heatmap(wide, columns=[str(nth) for nth in range(MOST_LABELLED)])
        assert figure.data[0].texttemplate is None
        assert figure.layout.xaxis.ticktext is None
        assert heatmap(np.zeros((1, MOST_NAMED)), columns=["w"] * MOST_NAMED).layout.xaxis.ticktext is not None
        assert figure.layout.width <= 1400
