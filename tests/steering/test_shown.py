"""Tables, cards, figures and sentences say what was measured: held against the arrays, by other roads."""

import numpy as np
import pytest

from interp_lab.claims import Split
from interp_lab.models import load_model
from interp_lab.steering.experiment import Steering
from interp_lab.steering.tables import band
from interp_lab.steering.texts import ANSWER_SIDES
from interp_lab.steering.traits import ANSWERS_OF
from tests.steering.small import small_config


@pytest.fixture(scope="module")
def found():
    return Steering(small_config(coefficients=[-1.0, -0.5, 1.0])).measure(load_model("organism", "cpu"))


@pytest.fixture(scope="module")
def tables(found):
    return found.tables()


def share(log_odds):
    return np.tanh(log_odds / 2)


class TestTables:
    def test_what_leads_is_told_of_the_split_that_the_column_names(self, found, tables):
        for row, setting in zip(tables["chosen"].to_dict("records"), found.leading.values(), strict=True):
            place = found.at(setting)
            chose = share(found.select.values[setting]) - share(found.select.baseline)
            assert row["effect_on_select"] == pytest.approx(chose.mean())
            assert row["effect"] == pytest.approx(
                (share(found.report.values[place]) - share(found.report.baseline)).mean()
            )
            rise = found.report_costs.ce_change[place]
            assert row["perplexity_ratio"] == pytest.approx(np.exp(rise.mean()))
            assert row["perplexity_ratio_low"] < row["perplexity_ratio"] < row["perplexity_ratio_high"]
            assert row["kl_where_touched_low"] < row["kl_where_touched"] < row["kl_where_touched_high"]
            b = found.config.budget
            keeps = found.report_costs.kl[place].mean() <= b.kl and row["capability_loss"] <= b.capability_loss
            assert row["within_budget_on_report"] == keeps

    def test_falls_are_what_is_lost_by_the_setting_that_leads(self, found, tables):
        costs = found.report_costs
        for row, setting in zip(tables["capabilities"].to_dict("records"), found.leading.values(), strict=True):
            steered = costs.right[0, found.at(setting)].mean()
            assert row["steered"] == pytest.approx(steered)
            assert row["fall"] == pytest.approx(costs.clean_right[0].mean() - steered)

    def test_either_way_of_the_complement_has_its_row(self, found, tables):
        rows = tables["controls"].set_index(["side", "control"])
        for nth, way in enumerate(("added", "taken off")):
            changed = share(found.controls[1].complement[nth]) - share(found.report.baseline)
            told = rows.loc[("positive", f"orthogonal complement, {way}"), "change"]
            assert told == pytest.approx(changed.mean())

    def test_bands_are_those_of_the_dose(self, found, tables):
        family = int(found.plan.family_of[found.leading[1]])
        rows = tables["dose-response"].set_index("coefficient")
        for place, dose in enumerate((-1.0, -0.5, 1.0)):
            means = share(found.doses[family].random[place]).mean(-1)
            assert rows.loc[dose, "random"] == pytest.approx(means.mean())
            assert rows.loc[dose, "random_low"] >= means.min()
            assert rows.loc[dose, "random_high"] <= means.max()
        assert rows.loc[0.0, "target"] == pytest.approx(share(found.report.baseline).mean())

    def test_a_band_leaves_out_as_much_on_either_side(self):
        assert band(np.arange(101.0), level=0.9) == pytest.approx((5.0, 95.0))


class TestCard:
    def test_tells_the_split_that_chose_from_the_one_that_reports(self, found, tables):
        card = tables["card 1"].set_index("mean_difference")
        for side, sign in (("positive", 1), ("negative", -1)):
            told = {True: "yes", False: "no"}
            chose, reported = found.is_within(sign), found.stays_within(sign)
            assert card.loc["within the budget", f"{side} side"] == (
                f"{told[chose]} where chosen, {told[reported]} where reported"
            )
            wrong = (sign * found.changes(found.leading[sign]) < -1e-6).mean()
            assert card.loc["prompts that move the wrong way", f"{side} side"].startswith(f"{wrong:.3f} [")
            ratio = np.exp(found.report_costs.ce_change[found.at(found.leading[sign])].mean())
            assert card.loc["perplexity on neutral text", f"{side} side"].startswith(f"x {ratio:.3f} [")


class TestFigures:
    def test_grey_points_are_those_that_chose(self, found):
        grey = found.figures()["pareto"].data[0]
        chose = (share(found.select.values) - share(found.select.baseline)).mean(-1)
        assert np.asarray(grey.y) == pytest.approx(chose)
        assert np.asarray(grey.x) == pytest.approx(found.select_costs.kl.mean(-1))

    def test_random_directions_stand_at_their_own_effect_and_price(self, found):
        (shown,) = [one for one in found.figures()["pareto"].data if one.name == "2 random directions there, negative"]
        own = found.controls[-1]
        moved = (share(own.random[:2]) - share(found.report.baseline)).mean(-1)
        assert np.asarray(shown.y) == pytest.approx(moved)
        assert np.asarray(shown.x) == pytest.approx(np.maximum(own.random_kl.mean(-1), 1e-5))

    def test_each_side_has_its_own_prompts(self, found):
        for trace, sign in zip(found.figures()["prompts"].data, (1, -1), strict=True):
            assert np.asarray(trace.x) == pytest.approx(found.changes(found.leading[sign]))

    def test_prices_start_at_zero_and_those_within_the_budget_are_framed(self, found):
        figure = found.figures()["grid price"]
        assert figure.data[0].zmin == 0
        framed = {int(shape.x0 + 0.5) for shape in figure.layout.shapes}
        assert framed == set(np.flatnonzero(found.within(found.select_costs)).tolist())

    def test_bands_of_a_dose_stand_at_that_dose(self, found):
        family = int(found.plan.family_of[found.leading[1]])
        name = next(name for name in found.figures() if name.startswith("dose-response"))
        random = found.figures()[name].data[0]
        assert random.x[:4] == (-1.0, -0.5, 0.0, 1.0)
        means = share(found.doses[family].random[-1]).mean(-1)
        assert means.min() <= random.y[4] <= random.y[3] <= means.max(), "the largest dose: high, then low"

    def test_no_figure_is_wider_than_a_page(self, found):
        assert all(figure.layout.width <= 880 for figure in found.figures().values())


class TestSentences:
    def test_sides_are_named_by_their_answers(self, found):
        assert "The positive side is praise, the negative one blame." in found.sections()[0].suggests
        assert set(ANSWER_SIDES) == set(ANSWERS_OF)

    def test_the_share_beyond_the_margin_comes_first(self, found):
        suggests = next(one.suggests for one in found.sections() if one.title.startswith("Prompt by prompt"))
        assert "Positive side: 0% [0%, " in suggests
        assert "at all, if only by a rounding)" in suggests

    def test_coefficients_of_directions_made_here_are_gaps(self, found):
        suggests = next(one.suggests for one in found.sections() if one.title.startswith("Where and how"))
        assert "1 place; add; tokens: last; gates: none." in suggests
        assert "A coefficient of 1 of mean_difference is one gap" in suggests
        assert "as long as it was given" not in suggests

    def test_beyond_the_budget_on_other_texts_is_said_at_once(self, found):
        lines = found.summary().splitlines()
        for line, sign in zip(lines[1:3], (1, -1), strict=True):
            assert ("(beyond the budget on these other texts)" in line) == (not found.stays_within(sign))


def test_what_is_ablated_has_no_dose():
    config = small_config(hows=["ablate"], capabilities=[], n_held_out=None, trait="neighbourhood", n_prompts=16)
    found = Steering(config).measure(load_model("organism", "cpu"))
    assert not [name for name in found.figures() if name.startswith("dose-response")]
    assert "monotone" not in found.tables()["reliability"]
    suggests = " ".join(one.suggests for one in found.sections())
    assert "never falls as the coefficient rises" not in suggests
    assert "coefficient of 1" not in suggests
    assert found.effect(next(iter(found.leading.values())), Split.REPORT).n_clusters > 1
