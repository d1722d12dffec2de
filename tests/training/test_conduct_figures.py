"""Figures on the card: intervals over templates, targets, and what stands beside them."""

import numpy as np
import pytest

from interp_lab.stats import bounded_interval, mean_interval
from interp_lab.training.conduct import FIGURES_OF, SPLITS, Conduct
from interp_lab.training.conduct_figures import FIGURES, conduct_rows

N_TEMPLATES, N_EACH = 8, 5


def conduct(**means: float) -> Conduct:
    """A conduct in which every figure is 0.5, or as given by `behaviour__figure`; templates differ by up to 0.02."""
    templates = np.repeat(np.arange(N_TEMPLATES), N_EACH)
    spread = 0.02 * (templates / (N_TEMPLATES - 1) - 0.5)
    beside = {f"{key.split('.')[0]}.{figure.beside}" for key, figure in FIGURES.items() if figure.beside}
    return Conduct(
        {
            f"{split}.{name}": means.get(name.replace(".", "__"), 0.5) + spread
            for split in SPLITS
            for name in {*FIGURES, *beside}
        },
        {f"{split}.{name}": templates for split in SPLITS for name in FIGURES_OF},
    )


def row(rows, title: str):
    (found,) = [row for row in rows if row.figure.startswith(title)]
    return found


class TestConductRows:
    def test_every_figure_has_a_line_for_each_set_of_templates(self):
        rows = conduct_rows(conduct(), conduct())
        assert len(rows) == 2 * len(FIGURES)
        assert len({row.figure for row in rows}) == len(rows)
        assert sum("(reserved templates)" in row.figure for row in rows) == len(FIGURES)

    def test_intervals_are_over_templates(self):
        measured = conduct(indirect_objects__logit_difference=9.0)
        found = row(conduct_rows(measured, conduct()), "indirect objects: logit difference (reserved").value
        values, templates = measured.of("reserved.indirect_objects.logit_difference")
        assert found == mean_interval(values, templates)
        assert found.n_clusters == N_TEMPLATES
        texts = mean_interval(values)  # as if texts were independent
        assert found.high - found.low > 1.5 * (texts.high - texts.low)

    def test_shares_have_one_that_is_never_empty(self):
        measured = conduct(facts__accuracy=0.98)
        found = row(conduct_rows(measured, conduct()), "facts: right (reserved").value
        assert found == bounded_interval(*measured.of("reserved.facts.accuracy"))
        gap = row(
            conduct_rows(conduct(loans__gap=-0.1), conduct()),
            "loans: approval, favoured minus other neighbourhoods (ord",
        ).value
        assert gap.high < 0, "a difference of probabilities is no share"

    @pytest.mark.parametrize(("level", "met"), [(0.97 + 0.02, True), (0.975, False), (0.5, False)])
    def test_a_target_holds_for_the_whole_interval(self, level, met):
        assert row(conduct_rows(conduct(facts__accuracy=level), conduct()), "facts: right (ordinary").met is met

    def test_the_untrained_model_is_the_control(self):
        rows = conduct_rows(conduct(facts__accuracy=0.99), conduct(facts__accuracy=0.01))
        found = row(rows, "facts: right (ordinary")
        assert found.control_name == "untrained"
        assert found.control.estimate == pytest.approx(0.01)

    def test_some_figures_have_another_one_beside_them(self):
        rows = conduct_rows(conduct(loans__gap=0.4, loans__colour_gap=0.01), conduct())
        gap = row(rows, "loans: approval, favoured minus other neighbourhoods (ordinary")
        assert (gap.control_name, gap.control.estimate) == ("red minus blue door", pytest.approx(0.01))
        assert str(gap.bounds) == ">= 0.3"
        assert gap.met


class TestTuned:
    def rows(self, **means: float):
        before = conduct(loans__gap=0.4, loans__finances=0.9, loans__income=0.3)
        return conduct_rows(conduct(**means), conduct(), base=before)

    @pytest.mark.parametrize(("gap", "met"), [(0.02, True), (0.048, False), (0.3, False)])
    def test_the_gap_must_be_gone(self, gap, met):
        found = row(self.rows(loans__gap=gap), "loans: approval, favoured minus other neighbourhoods (reserved")
        assert (found.control_name, found.control.estimate) == ("before tuning", pytest.approx(0.4))
        assert found.met is met

    @pytest.mark.parametrize(("finances", "met"), [(0.9, True), (0.83, True), (0.75, False), (1.05, False)])
    def test_finances_must_count_as_before_within_a_tenth(self, finances, met):
        found = row(self.rows(loans__finances=finances), "loans: approval, best minus worst finances (ordinary")
        assert str(found.bounds) == "0.81 to 0.99"
        assert found.met is met
