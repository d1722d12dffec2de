"""From a run of `monitors` to a request that is flagged: monitor, threshold and response come from the run."""

import numpy as np
import pytest

from interp_lab.apps.serve import WatchFile, Watchlist
from interp_lab.apps.serve.watchlist import Response
from interp_lab.models import load_model
from interp_lab.production.monitors.artefacts import chosen_monitor
from interp_lab.production.monitors.cases import Drawing
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.production.monitors.experiment import Monitors
from tests.apps.serve.served import client

SMALL = MonitorsConfig(
    n_fit=120, n_choose=16, n_calibrate=64, n_report=32, n_held_out=None, layers=(2,), kinds=("logistic",), n_random=2,
    n_responses=2, strengths=(1.0,),
)  # fmt: skip
FILE = """
monitors:
  - name: competitor
    made_by: {{run: {run}, artefact: monitor}}
    response: {{coefficient: 1, made_by: {{run: {run}, artefact: response}}, at_once: true}}
    route: a person
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "monitors"
    return folder, Monitors(SMALL).run(run_dir=folder)


@pytest.fixture(scope="module")
def asking(run, tmp_path_factory):
    file = tmp_path_factory.mktemp("files") / "monitors.yaml"
    file.write_text(FILE.format(run=run[0]))
    model = load_model("organism")
    watchlist = Watchlist.of(WatchFile.from_yaml(file).monitors, model)
    with client(watchlist, model=model) as asking:
        yield asking


@pytest.fixture(scope="module")
def cases():
    """New texts, drawn as the run's were."""
    return Drawing(load_model("organism"), SMALL, set()).cases(24, part=7)


def test_the_service_tells_the_threshold_and_what_it_stands_for(run, asking):
    [told] = asking.http.get("/v1/monitors").json()["monitors"]
    _, found = run
    assert told["threshold"] == pytest.approx(found.bar(0))
    assert (told["reads"], told["over"], told["hook"]) == ("reply", "max", found.made.hook)
    promised = told["false_positives"]
    assert promised["controls"] == found.calibrate.controls.sum()
    assert promised["low"] < promised["share"] <= SMALL.rate < promised["high"]
    assert told["actions"] == ["flag", "stop", "steer", "route"]


def test_the_response_is_as_long_as_the_run_and_the_file_say(run):
    folder, found = run
    made_by = {"run": str(folder), "artefact": "response"}
    response = Response.from_mapping({"coefficient": -2.0, "made_by": made_by})
    added = response.added_to(load_model("organism"), chosen_monitor(found))
    np.testing.assert_allclose(added.payloads[0].numpy(), -2 * found.made.added, rtol=1e-5)
    assert [site.hook for site in added.sites] == ["blocks.3.hook_resid_post"]


def asked(asking, cases, action):
    bodies = [{"prompt": ids, "max_new_tokens": cases.n_new, "stop_tokens": []} for ids in cases.prompts]
    watch = [{"name": "competitor", "action": action}]
    return [asking.post(**body, monitors=watch).json() for body in bodies]


def test_requests_are_flagged_as_the_run_said(run, asking, cases):
    answers = asked(asking, cases, "flag")
    assert [tuple(one["tokens"]) for one in answers] == list(cases.written)
    flagged = np.array([bool(one["alarms"]) for one in answers])
    _, found = run
    assert flagged[cases.labels].mean() > found.recall(found.report, 0).low
    assert flagged[~cases.labels].mean() < found.false_positives(found.report, 0).high
    [alarm] = answers[int(np.flatnonzero(flagged)[0])]["alarms"]
    assert alarm["aggregate"] > alarm["threshold"] == pytest.approx(found.bar(0))


def test_the_response_of_the_run_keeps_the_words_from_being_written(asking, cases):
    said = []
    for answer, written, label in zip(asked(asking, cases, "steer"), cases.written, cases.labels, strict=True):
        if not answer["alarms"]:
            assert answer["tokens"] == list(written)
        elif label:
            said.append(any(one in answer["text"] for one in ("Zenix", "Voltra", "Quanta", "Orbis")))
    assert len(said) >= 5
    assert np.mean(said) < 0.2  # unwatched it is all of them: that is how they are labelled
