"""Labels from counts, by rules worked through by hand."""

import pandas as pd
import pytest

from interp_lab.sae.naming import heuristic_label, heuristic_labels
from tests.sae.dashboard.folders import made_folder

LOGITS = pd.DataFrame({"sign": [1, 1, 1, -1], "rank": [1, 0, 2, 0], "token": ["b", " a", "c", "z"]})
NONE = LOGITS[:0]


def tokens(*shares: float) -> pd.DataFrame:
    rows = range(len(shares))
    return pd.DataFrame({"rank": rows, "token": [f"t{row}" for row in rows], "share": shares})


@pytest.mark.parametrize(
    ("shares", "label"),
    [
        ((0.82, 0.1), "fires on 't0' (82% of activation)"),
        ((0.5,), "fires on 't0' (50% of activation)"),
        ((0.4, 0.2, 0.1), "fires on 't0', 't1' (60% of activation)"),
        ((0.2, 0.2, 0.2), "fires on 't0', 't1', 't2' (60% of activation)"),
        ((0.1, 0.1, 0.1, 0.1, 0.1, 0.1), "many tokens, most 't0' (10% of activation); writes towards '·a', 'b'"),
        ((), "never active on this text"),
    ],
)
def test_the_fewest_tokens_that_carry_it_name_it(shares, label):
    assert heuristic_label(tokens(*shares), LOGITS) == label


def test_without_logits_nothing_is_said_of_them():
    assert heuristic_label(tokens(0.1), NONE) == "many tokens, most 't0' (10% of activation)"


def test_the_order_of_rows_does_not_matter():
    shuffled = tokens(0.4, 0.2, 0.1).iloc[[2, 0, 1]]
    assert heuristic_label(shuffled, LOGITS) == "fires on 't0', 't1' (60% of activation)"


def test_every_latent_of_a_folder_gets_one(tmp_path):
    store = made_folder(tmp_path, dead=[3], names={1: "\n"})
    assert heuristic_labels(store, [1, 3, 5]) == {
        1: "fires on '\\n' (80% of activation)",
        3: "never active on this text",
        5: "fires on 'word5' (80% of activation)",
    }
