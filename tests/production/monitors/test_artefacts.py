"""What a run leaves: its monitor scores, alarms and steers elsewhere as it did in the run."""

import numpy as np
import pytest
import torch

from interp_lab import folds
from interp_lab.config import RunRef
from interp_lab.directions import from_run, load_directions
from interp_lab.directions.saved import provenance_of
from interp_lab.models import load_model
from interp_lab.production.monitors import MonitorBank, monitor_from_file, monitor_from_run, readings_on
from interp_lab.production.monitors.artefacts import chosen_monitor, directions_of_run
from interp_lab.production.monitors.cases import Drawing
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.production.monitors.experiment import Monitors
from interp_lab.production.monitors.from_run import as_directions, monitor_of
from interp_lab.production.monitors.measured import peaks
from interp_lab.stats import auroc, threshold_at

CONFIG = MonitorsConfig(
    n_fit=48, n_choose=16, n_calibrate=48, n_report=32, n_held_out=None, layers=(1,), kinds=("logistic",), n_random=2,
    n_responses=2, strengths=(0.5, 2.0), over="mean", words_before=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load_model("organism")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "monitors"
    return folder, Monitors(CONFIG).run(run_dir=folder)


@pytest.fixture(scope="module")
def ref(run):
    return RunRef(run=run[0], artefact="monitor")


@pytest.fixture(scope="module")
def cases(model):
    """Texts of the run by part, drawn again."""
    every = Drawing(model, CONFIG, set()).cases(144, part=0)
    order = np.random.default_rng([CONFIG.seed, 92]).permutation(144)
    ends = {"fit": (0, 48), "choose": (48, 64), "calibrate": (64, 112), "report": (112, 144)}
    return {name: every.rows(order[start:end]) for name, (start, end) in ends.items()}


class TestTheMonitor:
    def test_was_chosen_on_other_texts_than_it_was_fitted_on_and_its_threshold_is_of_a_third_part(
        self, run, ref, model, cases
    ):
        one, (_, found) = monitor_from_run(ref, model), run
        scores = {name: peaks(model, part, [one], batch_size=64)[0] for name, part in cases.items()}
        areas = {name: auroc(scores[name], cases[name].labels)[0] for name in cases}
        assert found.choice.auroc[0] == pytest.approx(areas["choose"])
        assert abs(areas["choose"] - areas["fit"]) > 1e-3  # or this would not tell
        controls = scores["calibrate"][0, ~cases["calibrate"].labels]
        assert one.threshold == pytest.approx(threshold_at(controls, CONFIG.rate).value, rel=1e-4)

    def test_scores_texts_as_it_did_in_the_run(self, run, ref, model, cases):
        one, report = monitor_from_run(ref, model), cases["report"]
        given = [list(ids) for ids in report.ids]
        readings, alarms = readings_on(model, given, MonitorBank((one,)), prompt_lengths=report.prompt_lengths)
        _, found = run
        np.testing.assert_allclose(np.nanmax(readings.running[..., 0], 1), found.report.scores[0], rtol=1e-4, atol=1e-4)
        assert {int(alarm.request) for alarm in alarms} == set(
            np.flatnonzero(found.report.scores[0] > found.bar(0)).tolist()
        )
        left = {int(alarm.request): len(given[int(alarm.request)]) - 1 - alarm.position for alarm in alarms}
        assert [left.get(row) for row in range(32)] == [None if np.isnan(n) else n for n in found.report.first[0]]
        assert set(left.values()) <= {0, 1}  # it reads from a word before the answer on

    def test_has_the_threshold_with_what_it_stands_for(self, run, ref, model):
        one, (_, found) = monitor_from_run(ref, model), run
        assert one.threshold == found.bar(0)
        n = int(found.calibrate.controls.sum())
        assert one.promised.n_clusters == n
        assert one.promised.estimate == pytest.approx(int(0.05 * (n + 1) + 1e-9) / (n + 1))  # an order statistic of n
        assert (one.over, one.reads, one.bias) == ("mean", "reply", pytest.approx(found.made.bias))

    def test_is_the_same_from_a_file_and_from_the_result_in_memory(self, run, ref, model):
        folder, found = run
        told = ("hook", "bias", "threshold", "over", "reads", "promised", "model", "at_least", "higher_is_alarm")
        one = monitor_from_run(ref, model)
        for other in (monitor_from_file(folder / "directions" / "monitor.safetensors", model), chosen_monitor(found)):
            assert [getattr(other, name) for name in told] == [getattr(one, name) for name in told]
            assert torch.equal(other.weights, one.weights)

    def test_says_where_it_comes_from(self, run):
        folder, found = run
        about = load_directions(folder / "directions" / "monitor.safetensors").about
        assert (about["fitted_on"], about["chosen_on"]) == ("48 texts", "16 other texts")
        assert about["threshold_from"] == f"{found.calibrate.controls.sum()} controls among 48 other texts"
        share = found.false_positives(found.report, 0)
        assert about["found_on_others"]["report"]["false_positives"]["high"] == share.high
        made = provenance_of(folder / "directions" / "monitor.safetensors")
        assert (made.experiment, made.created) == ("monitors", found.provenance.created)

    def test_of_a_run_on_all_texts_is_not_for_one_fold(self, ref, model):
        with folds.visible("search"), pytest.raises(folds.FoldError, match="was made in fold 'all'"):
            monitor_from_run(ref, model)

    @pytest.mark.parametrize(
        ("settings", "says"),
        [({"over": "max"}, "with another over;"), ({"reads": "all", "at_least": 2}, "another at_least and reads;")],
    )
    def test_its_threshold_holds_for_nothing_else(self, ref, model, settings, says):
        with pytest.raises(ValueError, match=f"{says} give a threshold of your own"):
            monitor_from_run(ref, model, **settings)
        own = monitor_from_run(ref, model, **settings, threshold=1.5)
        assert (own.threshold, own.promised) == (1.5, None)
        assert monitor_from_run(ref, model, over="mean").promised is not None

    def test_nor_if_it_was_made_longer(self, run, model):
        longer = directions_of_run(run[1])["monitor"].times(2.0)
        with pytest.raises(ValueError, match="does not hold with another length"):
            monitor_of(longer, name="longer")

    def test_without_a_model_is_not_kept(self, ref, model):
        from dataclasses import replace

        with pytest.raises(ValueError, match="does not say on which model it was made"):
            as_directions(replace(monitor_from_run(ref, model), model=None), method="monitor", about={})

    def test_is_watched_by_another_run_beside_its_own(self, ref, model):
        changes = {"monitors": (ref,), "seed": 1, "strengths": (2.0,)}
        found = Monitors(CONFIG.overlaid(changes)).measure(model)
        nth = found.names.index("monitor, given")
        assert found.area(found.report, (nth,)).estimate > 0.7


class TestTheResponse:
    def test_is_what_was_added_where_the_monitor_raised_its_alarm(self, run, model):
        folder, found = run
        (way,) = from_run(RunRef(run=folder, artefact="response"), model).vectors
        np.testing.assert_allclose(way.numpy(), found.made.added, rtol=1e-6)
        assert load_directions(folder / "directions" / "response.safetensors").hooks == ("blocks.2.hook_resid_post",)

    def test_is_not_there_where_nothing_was_written(self, model):
        config = MonitorsConfig(
            behaviour="truth", where={}, label="is_true", alarming=("False",), says=None, begins="stated", n_fit=32,
            n_choose=16, n_calibrate=48, n_report=32, n_held_out=None, layers=(2,), kinds=("logistic",), n_random=2,
        )  # fmt: skip
        assert set(directions_of_run(Monitors(config).measure(model))) == {"monitor"}
