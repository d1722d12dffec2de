"""Numbers of a result worked by hand, its round trip, and what its page says."""

import numpy as np
import pandas as pd
import pytest

from interp_lab.sae.causal import FeatureEffectsResult
from tests.sae.causal.drawn import result


@pytest.fixture(scope="module")
def found():
    return result()


class TestNumbers:
    def test_shares_are_of_the_total_effect_and_add_up(self, found):
        table = found.tables()["shares"].set_index("part")
        for way in ("denoise", "noise"):
            assert table.loc["whole activation", way] == pytest.approx(1, abs=0.02)
            assert table.loc["all features", way] == pytest.approx(6 / 8, abs=0.02)
            assert table.loc["error term", way] == pytest.approx(1 / 8, abs=0.02)
            three = table.loc[["all features", "error term", "interaction"], way].sum()
            assert three == pytest.approx(table.loc["whole activation", way], abs=1e-9)
        assert table.loc["chosen features", "grade"] == "replicated"

    def test_operations_lose_what_they_lose(self, found):
        table = found.tables()["operations"].set_index("feature")
        assert table.loc[30, "zero"] == pytest.approx(2, abs=0.05)
        assert table.loc[30, "mean"] == pytest.approx(1, abs=0.05)

    def test_half_of_the_activation_differs(self, found):
        assert found.contrast[0].estimate == pytest.approx(0.5, abs=0.02)

    def test_ways_to_choose_agree_with_exact_effects(self, found):
        table = found.tables()["selection"].set_index("by")
        assert table.loc["exact", "recall"] >= 0.5
        assert table.loc["exact", "chance"] == pytest.approx(2 / 6)
        assert table.loc["exact", "rank_correlation"] == pytest.approx(1)

    def test_bands_are_over_draws(self, found):
        band = found.band(np.arange(101.0)[:, None] * np.ones(3))
        assert (band.estimate, band.low, band.high) == pytest.approx((50, 2.5, 97.5))


class TestRoundTrip:
    def test_of_arrays(self, found):
        again = FeatureEffectsResult.from_arrays(found.config, found.provenance, found.arrays())
        assert again.summary() == found.summary()
        for name, table in found.tables().items():
            pd.testing.assert_frame_equal(table, again.tables()[name])

    def test_without_held_out_templates(self):
        found = result(held_out=None)
        again = FeatureEffectsResult.from_arrays(found.config, found.provenance, found.arrays())
        assert again.held_out is None
        assert again.metrics() == found.metrics()


class TestPage:
    def test_what_features_fire_on_is_apart_from_what_they_do(self, found):
        descriptive, *causal = found.sections()
        assert not descriptive.causal
        assert all(section.causal for section in causal)
        assert "random" not in descriptive.tables["what features fire on"].columns
        assert not descriptive.figures

    def test_every_table_and_figure_is_shown_but_the_longest(self, found):
        shown = {name for section in found.sections() for name in (*section.tables, *section.figures)}
        assert {*found.tables(), *found.figures()} - shown == {"scores"}

    def test_summary_says_what_goes_through_features(self, found):
        assert "all features 75%" in found.summary()
        assert "2 of 3 claims hold, 2 also on held-out templates" in found.summary()
