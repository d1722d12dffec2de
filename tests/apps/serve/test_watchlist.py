"""The file behind `--monitors`: what it may hold, and what it becomes."""

import re
from pathlib import Path

import pytest
import torch

from interp_lab.apps.serve import ServeConfig, WatchFile, Watchlist, loader
from interp_lab.config import ConfigError
from interp_lab.directions import Directions
from interp_lab.directions.saved import save_directions
from interp_lab.models import identity_of
from interp_lab.production.monitors import Action
from tests.apps.serve.served import HOOK, client, entry, tiny, weights

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "serving.md"


@pytest.fixture(scope="module")
def direction(tmp_path_factory):
    path = tmp_path_factory.mktemp("directions") / "way.safetensors"
    save_directions(Directions(3.0 * weights(0)[None], (HOOK,), identity_of(tiny()), "by hand", "way"), path)
    return path


def written(tmp_path, text):
    path = tmp_path / "monitors.yaml"
    path.write_text(text)
    return path


class TestAFile:
    def test_such_as_the_guide_shows_is_read(self, tmp_path):
        [shown] = re.findall(r"```yaml\n(monitors:\n.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
        one, two = WatchFile.from_yaml(written(tmp_path, shown)).monitors
        assert (one.name, one.threshold, one.response.coefficient, two.required) == ("competitor", None, 1.0, True)

    def test_becomes_monitors(self, tmp_path, direction):
        text = f"""
monitors:
  - {{name: one, file: {direction}, over: mean, reads: reply, threshold: 0.5, action: stop}}
  - {{name: two, file: {direction}, threshold: 1, response: {{coefficient: -2, layer: 1, at_once: true}}}}
"""
        found = Watchlist.of(WatchFile.from_yaml(written(tmp_path, text)).monitors, tiny())
        one, two = found.monitors
        torch.testing.assert_close(one.weights, weights(0) / weights(0).norm())  # of length 1, as projections are told
        assert (one.over, one.reads, one.threshold) == ("mean", "reply", 0.5)
        assert found.chosen(None) == (("one", Action.STOP), ("two", Action.FLAG))
        steering = found.monitor("two", Action.STEER)
        assert steering.at_once
        torch.testing.assert_close(steering.response.payloads[0], -2 * two.weights)
        assert found.bank(()) is None
        assert found.bank(found.chosen(None)) is found.bank(found.chosen(None))  # stacked once

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("{name: one}", "needs either made_by or file"),
            ("{name: one, file: a, made_by: {run: b, artefact: c}}", "needs either made_by or file"),
            ("{name: one, file: a, threshold: 1, action: steer}", "is to steer, and lacks a response"),
            ("{name: one, file: a, threshold: 1, action: route}", "is to route, and lacks a route"),
            ("{name: one, file: a, response: {coefficient: 1}}", "either a layer.*or made_by"),
            (
                "{name: one, file: a, response: {coefficient: 1, layer: 1, made_by: {run: b, artefact: c}}}",
                "either a layer.*or made_by",
            ),
            ("{name: one, file: a, response: {coefficient: .nan, layer: 1}}", "coefficient"),
            ("{name: one, file: a, over: sometimes}", "no way to aggregate"),
            ("{name: one, file: a, treshold: 1}", "treshold"),
        ],
    )
    def test_is_refused_where_it_says_too_little_or_too_much(self, tmp_path, line, says):
        with pytest.raises(ConfigError, match=says):
            WatchFile.from_yaml(written(tmp_path, f"monitors:\n  - {line}\n"))

    @pytest.mark.parametrize("action", ["stop", "route", "steer"])
    def test_with_an_action_and_no_threshold_is_refused(self, direction, action):
        needs = {"route": {"route": "a"}, "steer": {"response": {"coefficient": 1.0, "layer": 1}}}.get(action, {})
        with pytest.raises(ValueError, match=f"is to {action}, and has no threshold; give it one"):
            Watchlist.of([entry("one", file=str(direction), action=action, **needs)], tiny())

    def test_of_two_with_one_name_is_refused(self, direction):
        with pytest.raises(ValueError, match="2 monitors are called 'same'"):
            Watchlist.of([entry("same", file=str(direction))] * 2, tiny())

    @pytest.mark.parametrize(
        ("layer", "at_once", "says"),
        [(2, False, "the model has 2 layers"), (0, True, "later layer")],
        ids=["no such layer", "too late"],
    )
    def test_with_a_response_where_it_cannot_act_is_refused(self, direction, layer, at_once, says):
        response = {"coefficient": 1.0, "layer": layer, "at_once": at_once}
        with pytest.raises(ValueError, match=says):
            Watchlist.of([entry("one", file=str(direction), threshold=1.0, response=response)], tiny())

    def test_of_another_model_is_refused(self, direction):
        from tests.decoding.kinds import model_of

        other = model_of("rotary", n_layers=3)
        with pytest.raises(ValueError, match="carries no identity"):
            Watchlist.of([entry("one", file=str(direction))], other)

    def test_watches_requests(self, direction):
        found = Watchlist.of([entry("one", file=str(direction), threshold=-50.0, reads="prompt")], tiny())
        with client(found) as asking:
            answer = asking.post(prompt=[1, 2, 3], max_new_tokens=2).json()
        assert [(one["monitor"], one["position"]) for one in answer["alarms"]] == [("one", 0)]


def test_a_model_is_told_of_without_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.setattr("interp_lab.apps.serve.loading.load_model", lambda *given, **named: tiny())
    names = [loader(ServeConfig(model=one), ())().name for one in (str(tmp_path), "compiled/induction")]
    assert names == [tmp_path.name, "compiled/induction"]


def test_prompts_are_kept_in_a_log_only():
    with pytest.raises(ConfigError, match="there is no log to keep them in"):
        ServeConfig.from_mapping({"keep_prompts": True})
