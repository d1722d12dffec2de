"""What scores are compared with: shuffled keys, or the best head of untrained models where positions alone explain."""

import numpy as np
import pytest

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.head_types import head_types
from interp_lab.attention.heads import chance_scores, head_scores
from interp_lab.attention.readings import HeadScores, read_scores
from interp_lab.models.untrained import untrained_copies
from interp_lab.organisms.repeats import repeated_twice
from tests.tiny import tiny_model

TYPES = head_types(window=3)
CONFIG = AttentionHeadsConfig(n_untrained=2, n_sequences=32)


@pytest.fixture(scope="module")
def model():
    return tiny_model(n_ctx=32)


@pytest.fixture(scope="module")
def text():
    return repeated_twice(8, 5, seed=0, symbols=range(1, 8)).tokens


@pytest.fixture(scope="module")
def found(model, text) -> HeadScores:
    return read_scores(model, text, TYPES, CONFIG, compete=True)


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_has_its_own_null(model, text, found, kind):
    own, mask = found.null[[*TYPES].index(kind)], {kind: TYPES[kind].mask}
    if TYPES[kind].null == "untrained":
        drawn = [head_scores(one, text, types=mask)[0] for one in untrained_copies(model, 2, seed=CONFIG.seed)]
        heads = np.concatenate([one.reshape(-1, len(text)) for one in drawn])
        expected = max(heads, key=lambda head: head.mean())
        assert expected.mean() > chance_scores(text, mask).mean()
    else:
        expected = chance_scores(text, mask)[0]
    np.testing.assert_allclose(own, expected, atol=1e-6)


def test_a_head_no_better_than_the_best_untrained_one_is_of_no_type(found):
    """Its score is high, and above that of shuffled keys; an untrained model has such heads, too."""
    nth = [*TYPES].index("previous_token")
    scores, null = found.scores.copy(), found.null.copy()
    scores[nth, 0, 0] = 0.6 + 0.001 * np.arange(8)
    assert HeadScores(scores, null).looks(CONFIG)[nth, 0, 0]
    null[nth] = scores[nth, 0, 0]
    assert not HeadScores(scores, null).looks(CONFIG)[nth, 0, 0]
