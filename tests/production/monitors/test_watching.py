"""Monitors inside generation: scores, alarms and what they set off equal a literal reading."""

import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from interp_lab.decoding import DecodingSettings, StopReason, decode, stream
from interp_lab.interventions import Intervention, Op
from interp_lab.production.monitors import Action, Monitor, MonitorBank, Watching, decode_watched, readings_on
from interp_lab.types import Site
from tests.decoding.kinds import model_of
from tests.production.monitors.makers import HOOKS, PROMPTS, literal_running, literal_scores, monitor, weights

SETTINGS = DecodingSettings(max_new_tokens=6, stop_tokens=())
PUSH = Intervention((Site("blocks.0.hook_resid_pre"),), Op.ADD, (6.0 * weights(9),), "push")
MIXED = MonitorBank((
    monitor("plain", over="mean"),
    monitor("probability", seed=1, after="sigmoid", bias=0.3, over="ema 3"),
    monitor("feature", HOOKS[1], seed=2, after="relu", over="any 2"),
    monitor("jumping", HOOKS[1], seed=3, after="jumprelu", jump=1.4, bias=-0.1),
    monitor("low", seed=4, over="max", higher_is_alarm=False),
))  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return model_of("rotary")


class TestScores:
    @pytest.mark.parametrize("cache", [True, False])
    def test_equal_a_literal_forward_pass_token_by_token(self, model, cache):
        found = decode_watched(model, PROMPTS, MIXED, SETTINGS, cache=cache)
        assert found.decoded.tokens == decode(model, PROMPTS, SETTINGS).tokens
        for row, ids in enumerate(found.decoded.sequences):
            for nth, one in enumerate(MIXED.monitors):
                scores = literal_scores(model, ids[:-1], one)
                n = len(scores)
                np.testing.assert_allclose(found.readings.scores[row, :n, nth], scores, rtol=2e-3, atol=2e-4)
                running = literal_running([one.sign * score for score in scores], one.over)
                own = one.sign * found.readings.running[row, :n, nth]
                np.testing.assert_allclose(own, running, rtol=2e-3, atol=2e-4)
                assert np.isnan(found.readings.scores[row, n:]).all()

    def test_reading_texts_as_they_are_gives_what_the_decoding_gave(self, model):
        found = decode_watched(model, PROMPTS, MIXED, SETTINGS)
        texts = [ids[:-1] for ids in found.decoded.sequences]
        again, _ = readings_on(model, texts, MIXED, batch_size=2)
        np.testing.assert_allclose(again.scores, found.readings.scores, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(again.running, found.readings.running, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize(
        ("reads", "expected"),
        [("prompt", [0, 1, 2, 3, 4]), ("generated", [5, 6, 7, 8, 9]), ("last", [4]), ("all", range(10))],
    )
    def test_only_the_tokens_that_are_asked_for(self, model, reads, expected):
        found = decode_watched(model, PROMPTS[:1], MonitorBank((monitor(reads=reads),)), SETTINGS)
        assert np.flatnonzero(~np.isnan(found.readings.of("m")[0])).tolist() == list(expected)

    def test_fresh_readings_are_those_of_the_last_step(self, model):
        watching, steps = Watching(model, MIXED), []
        for _ in stream(model, PROMPTS, SETTINGS, watcher=watching):
            steps.append(watching.fresh_readings().of("plain"))
        whole = watching.readings().of("plain")
        assert [int((~np.isnan(one)).sum()) for one in steps] == [9, 3, 3, 3, 3, 3]
        joined = np.full_like(whole, np.nan)
        for one in steps:
            joined[:, : one.shape[1]] = np.where(np.isnan(one), joined[:, : one.shape[1]], one)
        np.testing.assert_array_equal(joined, whole)

    def test_finals_are_the_last_aggregates(self, model):
        found = decode_watched(model, PROMPTS, MIXED, SETTINGS).readings
        for row, ids in enumerate(PROMPTS):
            np.testing.assert_array_equal(found.finals[row], found.running[row, len(ids) + 4])


class Products(TorchDispatchMode):
    """Counts matrix products by the width of their result."""

    def __init__(self):
        super().__init__()
        self.widths = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if func._schema.name in ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"):
            self.widths.append((found.shape[-1], found.numel()))
        return found


@pytest.mark.parametrize("n", [1, 64])
def test_one_matrix_product_per_hook_point_and_step_however_many_monitors_there_are(model, n):
    bank = MonitorBank(tuple(monitor(f"{hook} {k}", hook, seed=k) for k in range(n) for hook in HOOKS))
    with Products() as alone:
        decode(model, PROMPTS, SETTINGS)
    with Products() as under_watch:
        decode_watched(model, PROMPTS, bank, SETTINGS)
    own = list(under_watch.widths)
    for one in alone.widths:
        own.remove(one)
    tokens = [3 * 5] + [3] * 5  # the padded prompts at once, then one token for each of three rows
    assert own == [(n, n * size) for size in tokens for _ in HOOKS]
    assert bank.multiply_adds == 16 * n * len(HOOKS)


def threshold_between(model, one: Monitor, *, generated: int) -> float:
    """A threshold that prompt 0 first passes at that generated token."""
    ids = decode(model, PROMPTS[:1], SETTINGS).sequences[0][:-1]
    running = literal_running(literal_scores(model, ids, one), one.over)
    at = 5 + generated
    assert max(running[:at]) < running[at] - 0.01, "choose another seed: the maximum does not rise there"
    return (max(running[:at]) + running[at]) / 2


def rising(model, *, generated=1, **changes):
    """A monitor whose maximum rises at a generated token of prompt 0 (negative: of the prompt), with an alarm there."""
    for seed in range(100):
        try:
            one = monitor(seed=seed)
            return monitor(seed=seed, threshold=threshold_between(model, one, generated=generated), **changes)
        except AssertionError:
            continue
    raise AssertionError("no seed rises there")


class TestAlarms:
    def test_at_the_first_token_whose_aggregate_passes_and_once(self, model):
        one = rising(model)
        found = decode_watched(model, PROMPTS[:1], MonitorBank((one,)), SETTINGS)
        (alarm,) = found.alarms
        assert (alarm.row, alarm.request, alarm.position, alarm.generated) == (0, "0", 6, 1)
        assert alarm.token == found.decoded.sequences[0][6]
        assert (alarm.monitor, alarm.hook, alarm.action, alarm.route) == ("m", HOOKS[0], "flag", None)
        assert alarm.aggregate == alarm.score > alarm.threshold == pytest.approx(one.threshold)

    def test_a_low_score_is_one_where_low_is_alarming(self, model):
        one = rising(model)
        turned = Monitor("m", one.hook, -one.weights, threshold=-one.threshold, higher_is_alarm=False, reads="all+bos")
        (same,) = decode_watched(model, PROMPTS[:1], MonitorBank((turned,)), SETTINGS).alarms
        assert (same.position, same.score < same.threshold) == (6, True)

    def test_not_before_enough_tokens_were_read(self, model):
        one = monitor(threshold=-1e6, over="mean", at_least=4)
        alarms = decode_watched(model, PROMPTS, MonitorBank((one,)), SETTINGS).alarms
        assert sorted((alarm.row, alarm.position) for alarm in alarms) == [(0, 3), (1, 3), (2, 3)]

    def test_texts_as_they_are_raise_the_same_ones(self, model):
        one = rising(model)
        found = decode_watched(model, PROMPTS, MonitorBank((one,)), SETTINGS)
        lengths = [len(ids) for ids in PROMPTS]
        texts = [ids[:-1] for ids in found.decoded.sequences]
        _, again = readings_on(model, texts, MonitorBank((one,)), prompt_lengths=lengths)
        key = {(alarm.row, alarm.position, alarm.generated) for alarm in found.alarms}
        assert {(int(alarm.request), alarm.position, alarm.generated) for alarm in again} == key

    def test_whoever_asked_is_told(self, model):
        heard = []
        found = decode_watched(model, PROMPTS[:1], MonitorBank((rising(model),)), SETTINGS, on_alarm=heard.append)
        assert tuple(heard) == found.alarms


class TestActions:
    @pytest.mark.parametrize("cache", [True, False])
    @pytest.mark.parametrize("action", [{"action": Action.STOP}, {"action": Action.ROUTE, "route": "a person"}])
    def test_a_row_ends_before_the_token_after_the_alarm(self, model, action, cache):
        alone = decode(model, PROMPTS[:1], SETTINGS)
        found = decode_watched(model, PROMPTS[:1], MonitorBank((rising(model, **action),)), SETTINGS, cache=cache)
        assert found.decoded.tokens == (alone.tokens[0][:2],)  # the token at position 6 raised it; none after it
        assert found.decoded.stops == (StopReason.WATCHED,)
        assert found.alarms[0].route == action.get("route")

    def test_an_alarm_in_the_prompt_ends_the_row_before_the_first_token(self, model):
        one = monitor(threshold=-1e6, reads="prompt", action=Action.STOP)
        found = decode_watched(model, PROMPTS, MonitorBank((one,)), SETTINGS)
        assert found.decoded.tokens == ((), (), ())

    @pytest.mark.parametrize("kind", ["standard", "rotary"])
    def test_a_response_acts_on_tokens_after_the_alarm_with_and_without_cache_and_as_a_literal_one(self, kind):
        model = model_of(kind)
        one = rising(model, action=Action.STEER, response=PUSH)
        cached, recomputed = (
            decode_watched(model, PROMPTS, MonitorBank((one,)), SETTINGS, cache=cache) for cache in (True, False)
        )
        assert (cached.decoded.cached, recomputed.decoded.cached) == (True, False)
        assert cached.decoded.tokens == recomputed.decoded.tokens
        assert [a.position for a in cached.alarms] == [a.position for a in recomputed.alarms]
        assert cached.decoded.tokens != decode(model, PROMPTS, SETTINGS).tokens
        first = {alarm.row: alarm.position for alarm in cached.alarms}
        for row, prompt in enumerate(PROMPTS):
            begins = max(first.get(row, 99), len(prompt) - 1) + 1
            assert cached.decoded.tokens[row] == literal_tokens(model, prompt, begins)

    @pytest.mark.parametrize("kind", ["standard", "rotary"])
    @pytest.mark.parametrize("generated", [1, -2], ids=["raised by a generated token", "by one of the prompt"])
    def test_at_once_it_acts_in_later_layers_on_the_very_token(self, kind, generated):
        model = model_of(kind)
        late = Intervention((Site("blocks.1.hook_mlp_out"),), Op.ADD, (6.0 * weights(9),), "push late")
        one = rising(model, generated=generated, action=Action.STEER, response=late, at_once=True)
        cached, recomputed = (
            decode_watched(model, PROMPTS, MonitorBank((one,)), SETTINGS, cache=cache) for cache in (True, False)
        )
        assert cached.decoded.tokens == recomputed.decoded.tokens
        first = {alarm.row: alarm.position for alarm in cached.alarms}
        assert first[0] == 5 + generated
        for row, prompt in enumerate(PROMPTS):
            expected = literal_tokens(model, prompt, first.get(row, 99), at="blocks.1.hook_mlp_out")
            assert cached.decoded.tokens[row] == expected

    def test_the_audit_says_where_it_acted(self, model):
        one = rising(model, action=Action.STEER, response=PUSH)
        audit = decode_watched(model, PROMPTS[:1], MonitorBank((one,)), SETTINGS).decoded.audit
        assert audit.touches[0].changed[0].nonzero()[:, 0].tolist() == [7, 8, 9]

    def test_without_an_alarm_nothing_changes(self, model):
        one = monitor(threshold=1e6, action=Action.STEER, response=PUSH)
        found = decode_watched(model, PROMPTS, MonitorBank((one,)), SETTINGS)
        assert found.decoded.tokens == decode(model, PROMPTS, SETTINGS).tokens
        assert not found.decoded.audit.touches[0].changed.any()


def literal_tokens(model, prompt, begins, at="blocks.0.hook_resid_pre"):
    """Greedy tokens of one prompt, pushed at positions from `begins` on, each from a forward pass of its own."""
    ids = list(prompt)

    def push(activation, hook):
        activation[:, begins:] += PUSH.payloads[0]
        return activation

    for _ in range(6):
        logits = model.run_with_hooks(torch.tensor([ids]), fwd_hooks=[(at, push)])
        ids.append(int(logits[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"over": "median"}, "over='median' is no way"),
            ({"bias": math.nan}, "the bias of monitor 'm' hold NaN"),
            ({"at_least": 0}, "at_least=0"),
            ({"action": Action.STEER, "threshold": 0.0}, "action steer and response=None"),
            ({"action": Action.FLAG, "route": "x"}, "give route with the action route"),
            ({"action": Action.STOP}, "is to stop, and has no threshold"),
            ({"at_once": True}, "at_once of monitor 'm' is for the action steer"),
            (
                {"action": Action.STEER, "threshold": 0.0, "response": PUSH, "at_once": True},
                "is to act at once at blocks.0.hook_resid_pre, which is not in a later layer",
            ),
        ],
    )
    def test_a_monitor_that_makes_no_sense(self, changes, message):
        with pytest.raises(ValueError, match=message):
            monitor(**changes)

    def test_banks(self):
        with pytest.raises(ValueError, match="a bank of no monitors"):
            MonitorBank(())
        with pytest.raises(ValueError, match="2 monitors are called 'm'"):
            MonitorBank((monitor(), monitor()))
        with pytest.raises(ValueError, match="weights of different lengths"):
            MonitorBank((monitor(), Monitor("n", HOOKS[0], weights(size=8))))

    @pytest.mark.parametrize(
        ("hook", "message"),
        [("blocks.7.hook_resid_post", "blocks.7"), ("blocks.0.attn.hook_z", "no single vector"),
         ("blocks.0.mlp.hook_post", "has 16 weights, and activations at blocks.0.mlp.hook_post have 32")],
    )  # fmt: skip
    def test_models_that_they_do_not_fit(self, model, hook, message):
        with pytest.raises(ValueError, match=message):
            Watching(model, MonitorBank((monitor(hook=hook),)))

    def test_an_unknown_name(self, model):
        with pytest.raises(ValueError, match="there is no monitor 'q'; there are plain"):
            readings_on(model, PROMPTS, MIXED)[0].of("q")

    def test_lengths_of_other_prompts(self, model):
        with pytest.raises(ValueError, match="2 lengths of prompts for 3 texts"):
            readings_on(model, PROMPTS, MIXED, prompt_lengths=[1, 2])
