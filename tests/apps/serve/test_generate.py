"""What is answered: the same as decoding gives alone, however requests are put together."""

import asyncio

import pytest

from interp_lab.apps.serve import Loaded, Watchlist
from interp_lab.apps.serve.job import Job, Progress
from interp_lab.apps.serve.told import Answer
from interp_lab.decoding import DecodingSettings, decode
from interp_lab.production.monitors import Action, decode_watched
from tests.apps.serve.served import MONITORS, Gate, client, entry, events_of, lines_of, tiny, watchlist

PROMPTS = [[3, 1, 4, 1, 5], [6], [5, 3, 5], [9, 2, 6, 5], [3, 5], [8, 9, 7, 9, 3, 2]]
SETTINGS = [
    {"max_new_tokens": 6},
    {"max_new_tokens": 9},
    {"max_new_tokens": 4, "temperature": 0.8, "seed": 3},
    {"max_new_tokens": 7, "temperature": 1.3, "top_k": 5, "seed": 4},
    {"max_new_tokens": 8, "temperature": 1.0, "top_p": 0.7, "seed": 5},
    {"max_new_tokens": 5},
]
BODIES = [
    {"prompt": prompt, "stop_tokens": [], "explain": {"top_tokens": n_top}, **settings}
    for n_top, prompt, settings in zip((3, 1, 2, 4, 1, 2), PROMPTS, SETTINGS, strict=True)
]


def alone(body, watchers, monitors: Watchlist = MONITORS):
    """The same by decoding directly, without a service."""
    names = ("max_new_tokens", "temperature", "top_k", "top_p", "seed")
    settings = DecodingSettings(**{name: body[name] for name in names if name in body}, stop_tokens=())
    return decode_watched(tiny(), [body["prompt"]], monitors.bank(watchers), [settings])


def near(value):
    return pytest.approx(value, rel=1e-4, abs=1e-6)


class TestWhatIsAnswered:
    @pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
    def test_is_what_decoding_gives_alone(self, together, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with client(MONITORS, max_batch=len(BODIES) if together else 1) as asking:
            first = asking.occupied()
            answers = asking.queued(*BODIES)
            gate.open()
            found = [one.result().json() for one in answers]
            assert first.result().status_code == 200
            sizes = asking.engine.meters.rows
            assert sizes._sum.get() == 7
        watchers = (("plain", Action.FLAG), ("watchful", Action.FLAG))
        for body, answer in zip(BODIES, found, strict=True):
            expected = alone(body, watchers)
            assert answer["tokens"] == list(expected.decoded.tokens[0])
            assert answer["log_probs"] == near(list(expected.decoded.log_probs[0]))
            for position, told in enumerate(answer["explanation"]):
                scores = (
                    {
                        name: float(value)
                        for name, value in zip(
                            ("plain", "watchful"), expected.readings.scores[0, position], strict=True
                        )
                    }
                    if position < expected.readings.scores.shape[1]
                    else None
                )
                assert told["scores"] == (None if scores is None else near(scores))
            n_top = {len(one["top_tokens"]) for one in answer["explanation"] if one["generated"] is not None}
            assert n_top == {body["explain"]["top_tokens"]}
            assert [(one["monitor"], one["position"], one["token"]) for one in answer["alarms"]] == [
                (one.monitor, one.position, one.token) for one in expected.alarms
            ]
            assert answer["aggregates"] == near(
                dict(zip(("plain", "watchful"), expected.readings.finals[0].tolist(), strict=True))
            )

    def test_who_wants_other_monitors_is_decoded_apart(self, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with client(MONITORS) as asking:
            asking.occupied()
            waiting = asking.queued(
                {**BODIES[0], "monitors": []},
                {**BODIES[1], "monitors": [{"name": "plain"}]},
                {**BODIES[5], "monitors": []},
            )
            gate.open()
            answers = [one.result().json() for one in waiting]
            assert asking.engine.meters.rows._sum.get() == 4
            assert asking.http.get("/metrics").text.count("interp_lab_batch_rows_count 3.0") == 1
        assert [list(one["aggregates"]) for one in answers] == [[], ["plain"], []]
        for body, answer in zip((BODIES[0], BODIES[1], BODIES[5]), answers, strict=True):
            settings = DecodingSettings(max_new_tokens=body["max_new_tokens"], stop_tokens=())
            assert answer["tokens"] == list(decode(tiny(), [body["prompt"]], settings).tokens[0])

    def test_explains_every_token(self):
        with client(MONITORS) as asking:
            answer = asking.post(**BODIES[0]).json()
        told = answer["explanation"]
        assert [one["token"] for one in told] == PROMPTS[0] + answer["tokens"]
        assert [one["generated"] for one in told] == [None] * 5 + [0, 1, 2, 3, 4, 5]
        for one in told[5:]:
            assert len(one["top_tokens"]) == 3
            assert one["top_tokens"][0]["token"] == one["token"]  # greedy
            assert one["top_tokens"][0]["log_prob"] == near(one["log_prob"])
            assert one["top_tokens"][0]["log_prob"] >= one["top_tokens"][1]["log_prob"]
        assert told[-1]["scores"] is None  # the last generated token is never read
        with client(MONITORS) as asking:
            assert asking.post(prompt=[1]).json()["explanation"] is None

    def test_a_stream_says_the_same_as_it_comes(self):
        with client(MONITORS) as asking:
            whole = asking.post(**BODIES[0]).json()
            answer = asking.post("/v1/generate/stream", **BODIES[0])
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = events_of(answer.text)
        by_name = {name: [data for one, data in events if one == name] for name in ("token", "scores", "alarm", "done")}
        assert events[-1][0] == "done"
        assert {**by_name["done"][0], "id": whole["id"]} == whole
        assert [one["token"] for one in by_name["token"]] == whole["tokens"]
        assert [one["generated"] for one in by_name["token"]] == list(range(6))
        assert by_name["alarm"] == whole["alarms"]
        scores = {one["position"]: one["scores"] for one in by_name["scores"]}
        assert scores == {one["position"]: one["scores"] for one in whole["explanation"] if one["scores"]}

    def test_what_stops_it_is_told(self):
        with client() as asking:
            free = asking.post(prompt=[3, 1], max_new_tokens=4, stop_tokens=[]).json()
            stopped = asking.post(prompt=[3, 1], max_new_tokens=4, stop_tokens=[free["tokens"][1]]).json()
        assert (free["stop_reason"], stopped["stop_reason"]) == ("length", "stop token")
        assert stopped["tokens"] == free["tokens"][: free["tokens"].index(free["tokens"][1]) + 1]


class Bytes:
    """A tokenizer whose tokens are bytes: some characters take two."""

    def decode(self, ids, skip_special_tokens):
        return bytes(ids).decode("utf-8", "replace")


def test_a_stream_keeps_a_character_back_until_it_is_whole(monkeypatch):
    monkeypatch.setattr("interp_lab.apps.serve.told.tokenizer_of", lambda model: Bytes())

    async def told() -> list[str]:
        settings = DecodingSettings(max_new_tokens=9)
        job = Job(id="a", ids=(1,), settings=settings, watchers=(), n_top=0, wants_scores=False, prompt=None)
        answer = Answer(job, Loaded(tiny(), "bytes", Watchlist()), explained=False)
        found = []
        for token in "né!".encode():
            answer.hear(Progress(token=token))
            [(_, delta)] = answer.told_of(Progress(token=token))
            found.append(delta.text)
        return found

    assert asyncio.run(told()) == ["n", "", "é", "!"]


class TestActions:
    @pytest.mark.parametrize("action", ["flag", "stop", "route", "steer"])
    def test_are_those_of_a_decoding_under_the_same_monitor(self, action):
        body = {"prompt": PROMPTS[5], "max_new_tokens": 8, "stop_tokens": []}
        expected = alone(body, (("watchful", Action(action)),))
        assert expected.alarms
        with client(MONITORS) as asking:
            answer = asking.post(**body, monitors=[{"name": "watchful", "action": action}]).json()
            metrics = asking.http.get("/metrics").text
        assert answer["tokens"] == list(expected.decoded.tokens[0])
        assert answer["stop_reason"] == expected.decoded.stops[0].value
        assert answer["routed_to"] == ("a person" if action == "route" else None)
        assert [one["action"] for one in answer["alarms"]] == [action]
        assert f'interp_lab_alarms_total{{action="{action}",monitor="watchful"}} 1.0' in metrics

    def test_a_response_makes_another_answer(self):
        body = {"prompt": PROMPTS[5], "max_new_tokens": 8, "stop_tokens": []}
        found = {one: alone(body, (("watchful", Action(one)),)).decoded.tokens for one in ("flag", "steer")}
        assert found["flag"] != found["steer"]

    def test_alarms_are_logged_under_the_name_of_the_request(self, tmp_path):
        log = tmp_path / "alarms.jsonl"
        with client(MONITORS, log=log) as asking:
            answers = [asking.post(prompt=prompt, max_new_tokens=2).json() for prompt in PROMPTS]
        told = [(answer["id"], alarm["monitor"]) for answer in answers for alarm in answer["alarms"]]
        assert told
        assert [(line["request"], line["monitor"]) for line in lines_of(log)] == told
        assert not any("prompt" in line for line in lines_of(log))

    def test_prompts_are_logged_where_the_operator_wants_it(self, tmp_path):
        log = tmp_path / "alarms.jsonl"
        with client(MONITORS, log=log, keep_prompts=True) as asking:
            asking.post(prompt=PROMPTS[5], max_new_tokens=2)
        assert {line["prompt"] for line in lines_of(log)} == {"8 9 7 9 3 2"}

    def test_the_log_rotates(self, tmp_path):
        log = tmp_path / "alarms.jsonl"
        with client(MONITORS, log=log, log_max_bytes=500, log_files=2) as asking:
            for _ in range(6):
                asking.post(prompt=PROMPTS[5], max_new_tokens=2)
        assert sorted(one.name for one in tmp_path.iterdir()) == ["alarms.jsonl", "alarms.jsonl.1", "alarms.jsonl.2"]


class TestWhoLooksOn:
    STRICT = watchlist(
        entry("optional", over="mean"),
        entry("strict", threshold=-50.0, action="stop", required=True),
    )

    def test_is_told(self):
        with client(MONITORS) as asking:
            told = asking.http.get("/v1/monitors").json()["monitors"]
        assert [(one["name"], one["action"], one["actions"]) for one in told] == [
            ("plain", "flag", ["flag"]),
            ("watchful", "flag", ["flag", "stop", "steer", "route"]),
        ]

    @pytest.mark.parametrize("monitors", [None, [], [{"name": "optional"}], [{"name": "strict"}]])
    def test_is_always_who_is_required(self, monitors):
        with client(self.STRICT) as asking:
            answer = asking.post(prompt=[1, 2], max_new_tokens=3, monitors=monitors).json()
        assert (answer["tokens"], answer["stop_reason"]) == ([], "watched")

    @pytest.mark.parametrize(
        ("monitors", "says"),
        [
            ([{"name": "strickt"}], "there is no monitor 'strickt'; did you mean 'strict'?"),
            ([{"name": "strict", "action": "flag"}], "'strict' is required, with the action stop"),
            ([{"name": "optional", "action": "stop"}], "'optional' may not stop; it may flag"),
            ([{"name": "optional"}, {"name": "optional"}], "named twice"),
        ],
        ids=["unknown", "weakened", "no threshold", "twice"],
    )
    def test_refuses_what_it_may_not_be(self, monitors, says):
        with client(self.STRICT) as asking:
            answer = asking.post(prompt=[1, 2], monitors=monitors)
        assert answer.status_code == 422
        assert says in answer.json()["error"]["message"]
