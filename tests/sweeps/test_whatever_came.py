"""The result of a sweep is whole whatever became of its trials: none, all failed, nothing finite, nothing varied."""

import json
import math

import numpy as np
import pytest

from interp_lab.registry import load_result
from interp_lab.runs import save_result
from interp_lab.sweeps.result import SweepResult
from interp_lab.sweeps.searched import FAILED, STOPPED
from interp_lab.sweeps.trial import Trial
from tests.sweeps.made import ACTIVE_AND_INERT, NOWHERE, definition, ended, failed, stopped


def of_what_came(kind):
    values = [{"active": nth / 16, "inert": 0.5 + nth / 64} for nth in range(14)]
    return {
        "none": [],
        "all failed": [failed(nth, values[nth]) for nth in range(4)],
        "one": [ended(0, values[0], 0.5)],
        "one and failures": [ended(0, values[0], 0.5), failed(1, values[1])],
        "constant": [ended(nth, one, 0.5) for nth, one in enumerate(values)],
        "NaN": [
            Trial(nth, one, "complete", math.nan if nth % 2 else 0.1 * nth, {"score": 0.0}, 1.0, 1, "", NOWHERE)
            for nth, one in enumerate(values)
        ],
        "infinite": [ended(nth, one, math.inf if nth == 3 else nth) for nth, one in enumerate(values)],
        "running": [Trial(0, values[0], "running", None), ended(1, values[1], 0.5)],
        "all stopped": [stopped(nth, values[nth], 0.5) for nth in range(3)],
        "one value of all": [ended(nth, values[0], nth) for nth in range(12)],
    }[kind]


KINDS = ["none", "all failed", "one", "one and failures", "constant", "NaN", "infinite", "running", "all stopped",
         "one value of all"]  # fmt: skip


class TestWhateverCame:
    @pytest.fixture(scope="class", params=KINDS)
    def found(self, request, tmp_path_factory):
        trials = of_what_came(request.param)
        asked = definition(tmp_path_factory.mktemp("sweep"), ACTIVE_AND_INERT)
        return SweepResult.of(asked, trials, n_shuffles=99), request.param

    def test_it_can_be_kept_and_read(self, found, tmp_path):
        result, _ = found
        save_result(result, tmp_path / "result")
        read = load_result(tmp_path / "result")
        assert read.summary() == result.summary()
        assert [one.title for one in read.sections()] == [one.title for one in result.sections()]

    def test_what_is_not_finite_is_no_value(self, found):
        result, kind = found
        n = {"NaN": 7, "infinite": 13, "running": 1, "one": 1, "one and failures": 1, "constant": 14}
        assert result.searched.n_comparable == n.get(kind, 12 if kind == "one value of all" else 0)
        if result.best is None:
            assert "best" not in result.metrics()
        else:
            assert np.isfinite(result.metrics()["best"])

    def test_importance_is_given_or_denied_with_a_reason(self, found):
        result, kind = found
        assert (result.importance is None) == (kind != "infinite")
        assert bool(result.not_ranked) == (kind != "infinite")

    def test_figures_have_no_line_through_what_has_no_value(self, found):
        result, _ = found
        shown = json.loads(result.figures()["history"].to_json())
        best = [trace for trace in shown["data"] if trace["name"] == "best so far"]
        assert bool(best) == (result.best is not None)
        assert all(np.isfinite(one).all() for one in (trace["y"] for trace in result.figures()["history"].data))

    def test_a_run_without_a_finite_metric_counts_as_failed_where_it_is_shown(self, found):
        result, kind = found
        n = {"all failed": 4, "one and failures": 1, "NaN": 7, "infinite": 1}
        assert len(result.searched.ended(FAILED)) == n.get(kind, 0)
        assert len(result.searched.ended(STOPPED)) == (3 if kind == "all stopped" else 0)
