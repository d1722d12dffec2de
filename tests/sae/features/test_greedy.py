"""Classifiers on few features, against scikit-learn and on data that were made to have the answer."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from interp_lab.sae.features.combination import draw_documents
from interp_lab.sae.features.config import CombinationConfig
from interp_lab.sae.features.greedy import add_features, choose_number, fewest_within_an_error
from interp_lab.sae.features.planted import planted_combination

DATA = planted_combination(n_documents=120, n_latents=30)


def literal(x: np.ndarray, y: np.ndarray, most: int) -> list[int]:
    """Add the feature with the least penalised loss, fitting every candidate by itself."""
    standard = (x - x.mean(0)) / x.std(0, ddof=1)
    picked: list[int] = []
    for _ in range(most):
        losses = {}
        for nth in set(range(x.shape[1])) - set(picked):
            own = standard[:, [*picked, nth]]
            fitted = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(own, y)
            score = fitted.decision_function(own)
            losses[nth] = np.logaddexp(0, score).sum() - score[y == 1].sum() + 0.5 * np.square(fitted.coef_).sum()
        picked.append(min(losses, key=losses.get))
    return picked


class TestAddFeatures:
    def test_takes_the_features_that_the_literal_search_takes(self):
        assert add_features(DATA.x, DATA.y, most=4).chosen.tolist() == literal(DATA.x, DATA.y, 4)

    def test_scores_are_those_of_a_fit_of_these_features(self):
        found = add_features(DATA.x, DATA.y, most=3)
        own = DATA.x[:, found.chosen]
        mean, scale = own.mean(0), own.std(0, ddof=1)
        fitted = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit((own - mean) / scale, DATA.y)
        np.testing.assert_allclose(found.score(DATA.x)[2], fitted.decision_function((own - mean) / scale), atol=1e-3)

    def test_a_smaller_number_is_the_beginning_of_a_larger(self):
        few, more = (add_features(DATA.x, DATA.y, most=n) for n in (2, 4))
        assert few.chosen.tolist() == more.chosen[:2].tolist()
        np.testing.assert_allclose(few.score(DATA.x), more.score(DATA.x)[:2])

    def test_blocks_of_candidates_change_nothing(self, monkeypatch):
        whole = add_features(DATA.x, DATA.y, most=2)
        monkeypatch.setattr("interp_lab.sae.features.greedy.AT_ONCE", 500)
        np.testing.assert_allclose(add_features(DATA.x, DATA.y, most=2).weights, whole.weights)

    def test_features_that_do_not_vary_are_never_taken(self):
        x = np.concatenate([np.ones((120, 3)), DATA.x], 1)
        assert (
            add_features(x, DATA.y, most=2).chosen.tolist()
            == (add_features(DATA.x, DATA.y, most=2).chosen + 3).tolist()
        )

    def test_separable_data_have_finite_weights(self):
        found = add_features(np.array([[0.0], [0], [1], [1]]), np.array([0, 0, 1, 1]), most=1)
        assert np.isfinite(found.weights).all()
        assert (found.score(np.array([[0.0], [1.0]]))[0] > 0).tolist() == [False, True]

    def test_bad_input(self):
        with pytest.raises(ValueError, match="there are 1; give both"):
            add_features(DATA.x, np.zeros(120, int), most=1)
        with pytest.raises(ValueError, match="no feature varies"):
            add_features(np.ones((4, 2)), np.array([0, 1, 0, 1]), most=1)


class TestCombination:
    def test_one_feature_fails_where_two_succeed(self):
        train, test = planted_combination(), planted_combination(seed=1)
        found = add_features(train.x, train.y, most=2)
        single, pair = ((found.score(test.x) > 0) == test.y).mean(1)
        assert set(found.chosen.tolist()) == set(train.truth)
        assert single == pytest.approx(7 / 9, abs=0.08)  # one context: right but where only it holds
        assert pair > 0.98
        assert choose_number(train.x, train.y, folds=train.folds, most=4)[0] == 2

    def test_one_feature_is_enough_where_one_context_is(self):
        train = planted_combination(both=False)
        assert choose_number(train.x, train.y, folds=train.folds, most=4)[0] == 1

    def test_the_fewest_within_a_standard_error_of_the_best_are_taken(self):
        """Means 1, .55, .5; the best has a standard error of .1: two features do, one does not."""
        assert fewest_within_an_error(np.array([[1.0, 0.5, 0.4], [1.0, 0.6, 0.6]])) == 2
        assert fewest_within_an_error(np.array([[1.0, 0.56, 0.5], [1.0, 0.56, 0.51]])) == 3

    def test_documents_hold_what_was_asked_for(self):
        values, documents = draw_documents(CombinationConfig(), 60, reserved=True, seed=0)
        assert values == ("polite", "harsh")
        assert len(documents.texts) == 60
        for context, label in zip(documents.contexts, documents.labels, strict=True):
            assert label == (context == "repeated, late")

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"label": "support/tune"}, "support has no latent 'tune'; did you mean 'tone'"),
            ({"where": {"kindness": "tone"}}, "support has no latent 'kindness'"),
            ({"value": "rude"}, "tells 'rude' from one other value"),
            ({"label": "support/brand", "value": "Zenix"}, "take the values"),
        ],
    )
    def test_bad_input(self, changes, message):
        with pytest.raises(ValueError, match=message):
            draw_documents(CombinationConfig.from_mapping(changes), 20, reserved=False, seed=0)
