"""Tables on the page: short numbers, one column for an estimate with its interval."""

import numpy as np
import pandas as pd
import pytest

from interp_lab.reports.cells import cell_text, p_text, shown_table


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (float("nan"), ""), (3, "3"), ("1.0", "1.0"), (pd.NA, ""), (None, ""), (True, "yes"),
     (np.bool_(False), "no"), (0.0, "0.000"), (-0.0001, "-1.0e-04"), (-2e-8, "0.000"),
     (np.float32(2.5), "2.500"), (2.5e7, "2.5e+07")],
)  # fmt: skip
def test_cells(value, text):
    assert cell_text(value) == text


@pytest.mark.parametrize(("p", "text"), [(0.0421, "0.042"), (0.0001, "< 0.001"), (1.0, "1.000")])
def test_p_values(p, text):
    assert p_text(p) == text


def test_an_estimate_and_its_interval_are_one_column():
    table = pd.DataFrame({"head": ["1.0", "1.1"], "score": [0.5, np.nan], "score_low": [0.4, np.nan],
                          "score_high": [0.6, np.nan], "score_shuffled": [0.1, 0.1], "is_low": [1, 2]})  # fmt: skip
    shown = shown_table(table)
    assert shown.columns == ("head", "score", "score shuffled", "is low")
    assert [cell.text for cell in shown.rows[0]] == ["1.0", "0.500 [0.400, 0.600]", "0.100", "1"]
    assert [cell.text for cell in shown.rows[1]] == ["1.1", "", "0.100", "2"]
    assert (
        [cell.is_number for cell in shown.rows[0]]
        == [cell.is_number for cell in shown.heads]
        == [False, True, True, True]
    )


def test_an_end_without_its_other_end_stays_a_column():
    assert shown_table(pd.DataFrame({"x": [1.0], "x_low": [0.5]})).columns == ("x", "x low")


def test_an_empty_table_has_no_rows():
    assert shown_table(pd.DataFrame({"x": []})).rows == ()
