"""The area under the ROC curve, and its shares by text."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from interp_lab.stats import mean_interval
from interp_lab.stats.auroc import auroc, auroc_by_document


def drawn(*, n_documents: int = 40, per_document: int = 5, effect: float = 1.0, seed: int = 0):
    """Scores of tokens with an offset by text; a label per text; some scores tie."""
    rng = np.random.default_rng(seed)
    documents = np.repeat(np.arange(n_documents), per_document)
    positive = (np.arange(n_documents) % 3 == 0)[documents]
    offset = rng.normal(size=n_documents)[documents]
    scores = np.round(offset + effect * positive + rng.normal(size=len(documents)), 1)
    return np.stack([scores, rng.normal(size=len(documents))]), positive, documents


class TestArea:
    @pytest.mark.parametrize(
        ("scores", "area"),
        [([1, 2, 3, 4], 0.75), ([1, 3, 2, 4], 1.0), ([4, 2, 3, 1], 0.0), ([0, 0, 0, 0], 0.5), ([0, 0, 0, 1], 0.75)],
        ids=["one pair of four wrong", "all right", "all wrong", "says nothing", "fires once"],
    )
    def test_is_the_share_of_pairs_in_order(self, scores, area):
        positive = np.array([False, True, False, True])
        assert auroc(np.array([scores], dtype=float), positive) == pytest.approx([area])

    def test_is_that_of_scikit_learn(self):
        scores, positive, _ = drawn()
        assert auroc(scores, positive) == pytest.approx([roc_auc_score(positive, row) for row in scores])

    def test_turned_scores_have_the_rest(self):
        scores, positive, _ = drawn()
        assert auroc(-scores, positive) == pytest.approx(1 - auroc(scores, positive))

    @pytest.mark.parametrize("kind", [True, False])
    def test_needs_both_kinds(self, kind):
        with pytest.raises(ValueError, match=r"of 4 examples are positive; .* needs both kinds"):
            auroc(np.zeros((1, 4)), np.full(4, kind))


class TestSharesByText:
    def test_their_mean_is_the_area(self):
        scores, positive, documents = drawn()
        assert auroc_by_document(scores, positive, documents).mean(-1) == pytest.approx(auroc(scores, positive))

    def test_where_every_token_is_a_text_their_error_is_that_of_delong(self):
        scores, positive, _ = drawn(per_document=1, n_documents=90)
        shares = auroc_by_document(scores, positive, np.arange(90))
        for row, own in zip(scores, shares, strict=True):
            pairs = np.sign(row[positive][:, None] - row[~positive]) / 2 + 0.5
            delong = pairs.mean(1).var(ddof=1) / positive.sum() + pairs.mean(0).var(ddof=1) / (~positive).sum()
            assert own.var(ddof=1) / 90 == pytest.approx(delong, rel=0.05)

    def test_their_error_is_that_of_drawing_whole_texts(self):
        scores, positive, documents = drawn()
        rng, areas, with_it = np.random.default_rng(1), [], np.arange(0, 40, 3)
        for _ in range(600):
            kinds = (with_it, np.setdiff1d(np.arange(40), with_it))
            texts = np.concatenate([rng.choice(at, len(at)) for at in kinds])
            at = np.concatenate([np.flatnonzero(documents == one) for one in texts])
            areas.append(auroc(scores[:, at], positive[at]))
        shares = auroc_by_document(scores, positive, documents)
        assert shares.std(-1, ddof=1) / np.sqrt(40) == pytest.approx(np.std(areas, axis=0), rel=0.15)

    def test_tokens_of_a_text_are_not_taken_for_independent(self):
        scores, positive, documents = drawn()
        by_text = mean_interval(auroc_by_document(scores, positive, documents)[0])
        by_token = mean_interval(auroc_by_document(scores, positive, np.arange(len(documents)))[0])
        assert by_text.estimate == pytest.approx(by_token.estimate)
        assert by_text.high - by_text.low > 1.3 * (by_token.high - by_token.low)
