from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from interp_lab.models import load_model
from interp_lab.steering.config import Budget
from interp_lab.steering.costs import Costs, require_something_to_lose
from interp_lab.steering.neutral import neutral_texts
from interp_lab.steering.prefixed import Prefix, prefixed_kl, with_prefixes
from interp_lab.steering.prompts import prompts_of

NONE = np.zeros((3, 2))


@pytest.fixture
def costs():
    """Two capabilities of four questions, three settings; the third was not asked."""
    right = np.array([[[1, 1, 1, 0], [1, 0, 0, 0], [np.nan] * 4], [[1, 1, 1, 1], [1, 1, 1, 1], [np.nan] * 4]])
    clean = np.array([[1.0, 1, 1, 0], [1, 1, 0, 1]])
    numbers = np.array([[0, 0, 1, 1], [0, 1, 2, 3]])
    return Costs(NONE, NONE, NONE, NONE, np.array(["a", "b"]), right, clean, numbers, np.zeros((3, 0)))


def test_loss_is_the_largest_fall_in_accuracy_on_any_capability(costs):
    assert costs.losses[:, :2].tolist() == [[0.0, 0.5], [-0.25, -0.25]]
    assert costs.worst_loss[:2].tolist() == [0.0, 0.5]


class TestFall:
    def test_is_that_of_accuracy_and_its_interval_is_over_templates(self, costs):
        found = costs.fall(0, 1, level=0.95)
        assert (found.estimate, found.n_clusters) == (0.5, 2)

    def test_where_no_answer_changes_it_is_as_wide_as_a_share_that_is_never_seen(self, costs):
        found = costs.fall(0, 0, level=0.95)
        n = 4 * (stats.t.ppf(0.975, 3) / stats.t.ppf(0.975, 1)) ** 2  # four questions of two templates
        assert found.high == pytest.approx(-found.low) == pytest.approx(1 - 0.025 ** (1 / n))

    def test_questions_of_one_template_are_not_so_many_independent_ones(self):
        """Every other template loses all: eight of sixteen questions, but four templates."""
        right = np.repeat([1.0, 0.0], 4).reshape(1, 1, 8).repeat(2, axis=-1)
        one = np.zeros((1, 2))
        names, nothing = np.array(["a", "b"]), np.zeros((1, 0))
        own = Costs(one, one, one, one, names, right, np.ones((1, 16)), np.arange(16)[None] // 4, nothing)
        alone = replace(own, question_templates=np.arange(16)[None])
        found, apart = (one.fall(0, 0, level=0.95) for one in (own, alone))
        assert found.estimate == apart.estimate == 0.5
        assert found.high - found.low > 1.5 * (apart.high - apart.low)


def test_the_gap_by_what_should_decide_falls_by_the_mean_over_pairs(costs):
    assert costs.price.deciding.tolist() == [0, 0, 0]
    asked = replace(costs, deciding=np.array([[0.1, 0.2], [0.0, -0.2], [0.0, 0.0]]))
    assert asked.price.deciding == pytest.approx([0.15, -0.1, 0.0])


def test_loss_of_what_was_not_asked_is_not_zero(costs):
    assert np.isnan(costs.worst_loss[2])


def test_without_capabilities_nothing_is_lost(costs):
    assert replace(
        costs, right=np.zeros((0, 3, 4)), clean_right=np.zeros((0, 4)), question_templates=np.zeros((0, 4), int)
    ).worst_loss.tolist() == [0, 0, 0]


def test_a_capability_that_no_setting_could_lose_too_much_of_is_refused():
    require_something_to_lose(("facts",), np.array([0.02]), Budget())
    with pytest.raises(ValueError, match=r"answers 1\.0% of 'facts' right .* allows a fall of 1\.0%: no setting could"):
        require_something_to_lose(("facts",), np.array([0.01]), Budget())


def test_costs_are_kept_by_name(costs):
    again = Costs.from_arrays("x", costs.arrays("x"))
    assert np.array_equal(again.right, costs.right, equal_nan=True)
    assert again.templates.tolist() == ["a", "b"]


def test_where_all_texts_are_of_one_template_one_of_it_is_put_before_the_prompt():
    model = load_model("organism", "cpu")
    own = prompts_of(model, "sentiment", 2, seed=0)
    alike, other = (Prefix("the film", (5, 6), name) for name in (own.templates[0], "other"))
    one = own.rows(np.array([0]))
    assert with_prefixes(model, one, [alike]).last.tolist() == [int(one.last[0]) + 2]
    assert with_prefixes(model, one, [alike, replace(other, ids=(7,))]).last.tolist() == [int(one.last[0]) + 1]


def test_text_before_a_document_costs_nothing_if_there_is_none_and_nothing_is_said_where_it_has_no_room():
    model = load_model("organism", "cpu")
    neutral = neutral_texts(model, "sentiment", 4, seed=0, part="select")
    assert prefixed_kl(model, neutral, [Prefix("", (), "")]) == pytest.approx(np.zeros(4), abs=1e-6)
    assert (prefixed_kl(model, neutral, [Prefix("the film", (5, 6), "")]) > 1e-3).all()
    assert np.isnan(prefixed_kl(model, neutral, [Prefix("long", (5,) * 63, "")])).all()
