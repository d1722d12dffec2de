"""What is refused, and with which status: who may not ask, too much, too long, too many."""

import time

import anyio
import pytest
import torch

from interp_lab.apps.serve import Engine, Guard, Loaded, Meters, ServeConfig, Watchlist, app, serve_app
from interp_lab.apps.serve import batch as batches
from interp_lab.hooks import NonFiniteActivationError
from tests.apps.serve.served import Gate, client, engine_of, tiny, until

TOKEN = "a-token-of-twenty-four-c"
BODY = {"prompt": [1, 2, 3], "max_new_tokens": 3, "stop_tokens": []}


class TestQueue:
    def test_takes_no_more_than_it_holds(self, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with client(queue_size=2, max_batch=1) as asking:
            first = asking.occupied()
            waiting = asking.queued(BODY, BODY)
            refused = asking.post(**BODY)
            ready = asking.http.get("/readyz")
            gate.open()
            assert [one.result().status_code for one in (first, *waiting)] == [200, 200, 200]
            assert asking.post(**BODY).status_code == 200
            assert asking.http.get("/readyz").json() == {"status": "ready", "waiting": 0}
        for answer in (refused, ready):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "queue_full"
            assert int(answer.headers["retry-after"]) >= 1

    def test_what_does_not_fit_the_context_side_by_side_is_decoded_apart(self, monkeypatch):
        long, wide = {"prompt": [1] * 40, "max_new_tokens": 4}, {"prompt": [1, 2], "max_new_tokens": 40}
        gate = Gate().put_before(monkeypatch)
        with client() as asking:
            asking.occupied()
            waiting = asking.queued({**BODY, **long}, {**BODY, **wide}, BODY)
            gate.open()
            assert [len(one.result().json()["tokens"]) for one in waiting] == [4, 40, 3]
            assert asking.engine.meters.text().decode().count("interp_lab_batch_rows_count 3.0") == 1

    @pytest.mark.parametrize("asked", [{}, {"timeout_s": 60.0}], ids=["as the service has it", "asking for more"])
    def test_is_left_when_time_is_up(self, asked, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with client(max_batch=1, timeout_s=0.3) as asking:
            asking.later(**BODY)
            until(lambda: bool(asking.engine._running))
            began = time.monotonic()
            answer = asking.post(**BODY, **asked)
            assert time.monotonic() - began < 30
            assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timed_out")
            assert asking.engine.n_waiting == 0
            gate.open()

    def test_takes_nothing_once_it_is_to_end_and_ends_what_it_has(self, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with client() as asking:
            first = asking.occupied()
            asking.engine.refuse()
            refused = [asking.post(**BODY), asking.http.get("/readyz")]
            gate.open()
            assert first.result().status_code == 200
        assert [(one.status_code, one.json()["error"]["code"]) for one in refused] == [(503, "stopping")] * 2


class TestTime:
    def test_up_ends_the_row_and_no_other(self, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with client() as asking:
            asking.occupied()
            longer = {**BODY, "max_new_tokens": 20}
            patient, hasty = asking.queued(longer, {**longer, "timeout_s": 1.0})
            gate.let(4)  # two tokens of the first request and its end, one of these
            assert hasty.result().status_code == 504
            gate.open()
            assert len(patient.result().json()["tokens"]) == 20
            assert asking.engine.meters.generated._value.get() <= 2 + 20 + 2

    def test_in_a_stream_is_an_event(self, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        gate.let(2)
        with client(timeout_s=0.3) as asking:
            answer = asking.post("/v1/generate/stream", **BODY)
            gate.open()
        assert answer.status_code == 200
        assert "event: error" in answer.text
        assert '"timed_out"' in answer.text


class TestFailure:
    def test_of_the_model_costs_its_request_and_not_the_service(self, monkeypatch, caplog):
        decoding, broken = batches.stream, iter([True])

        def fails_once(*given, **named):
            if next(broken, False):
                raise NonFiniteActivationError("a secret of the machine")
            return decoding(*given, **named)

        monkeypatch.setattr(batches, "stream", fails_once)
        with client() as asking:
            answer = asking.post(**BODY)
            assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_failed")
            assert "secret" not in answer.text
            assert "secret" in caplog.text
            assert asking.post(**BODY).status_code == 200
            assert asking.http.get("/healthz").status_code == 200

    def test_of_the_service_itself_tells_nothing_of_the_machine(self, monkeypatch, caplog):
        def broken(*given):
            raise KeyError("a secret of the machine")

        monkeypatch.setattr(app, "job_of", broken)
        with client() as asking:
            answer = asking.post(**BODY)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
        assert "secret" not in answer.text
        assert "secret" in caplog.text

    def test_of_loading_is_told_as_such(self):
        def broken() -> Loaded:
            raise ValueError("no such model")

        with engine_of(load=broken) as engine:
            until(lambda: engine.state == "failed")
            assert str(engine.error) == "no such model"

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_that_nobody_foresaw_leaves_nobody_waiting(self, monkeypatch):
        """The thread of the model ends, and says so; whoever waits is told at once, and who comes later too."""

        class UnforeseenError(Exception):
            pass

        def broken(*given, **named):
            raise UnforeseenError("a secret of the machine")

        monkeypatch.setattr(batches, "stream", broken)
        with client() as asking:
            answer = asking.post(**BODY)
            assert (answer.status_code, answer.json()["error"]["code"]) == (500, "model_failed")
            assert "secret" not in answer.text
            assert asking.http.get("/healthz").status_code == 503
            assert asking.post(**BODY).status_code == 503

    def test_until_it_is_loaded_the_service_is_alive_and_not_ready(self):
        engine = Engine(lambda: Loaded(tiny(), "tiny", Watchlist()), ServeConfig(), Meters())
        from starlette.testclient import TestClient

        http = TestClient(Guard(serve_app(engine), engine.config, engine.meters, hosts=None, token=None))
        assert http.get("/healthz").json() == {"status": "alive"}
        for path in ("/readyz", "/v1/model", "/v1/monitors"):
            assert http.get(path).status_code == 503
        assert http.post("/v1/generate", json=BODY).json()["error"]["code"] == "loading"
        engine.start()
        until(lambda: engine.state == "ready")
        assert http.get("/readyz").status_code == 200
        assert http.get("/v1/model").json()["n_ctx"] == 48
        engine.close()


class TestRequest:
    @pytest.fixture(scope="class")
    def asking(self):
        with client(max_body_bytes=300, max_new_tokens=10, max_prompt_tokens=12) as asking:
            yield asking

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"prompt": []}, "prompt: "),
            ({"prompt": "text"}, "no tokenizer"),
            ({"prompt": [99]}, "token 99, outside the model's vocabulary of 24"),
            ({"prompt": [1] * 13}, "13 tokens, and this service takes 12 at most"),
            ({"max_new_tokens": 11}, "this service generates 10 at most"),
            ({"max_new_tokens": True}, "max_new_tokens"),
            ({"top_k": 3}, "top_k acts on sampling"),
            ({"temperature": 0}, "greater than or equal to 0.01"),
            ({"seed": 2**63}, "seed"),
            ({"stop": ["."]}, "no tokenizer for texts in stop"),
            ({"monitors": [{"name": "any"}]}, "this service has none"),
            ({"unknown": 1}, "unknown"),
        ],
    )
    def test_that_asks_for_what_there_is_not_is_told_so(self, asking, changes, says):
        answer = asking.post(**{**BODY, **changes})
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "invalid"
        assert says in answer.json()["error"]["message"]

    @pytest.mark.parametrize(("prompt", "n_new"), [([1], 10), ([1] * 12, 10)])
    def test_that_does_not_say_how_much_has_what_there_is_room_for(self, asking, prompt, n_new):
        assert len(asking.post(prompt=prompt, stop_tokens=[]).json()["tokens"]) == n_new

    def test_that_leaves_room_for_a_few_tokens_has_these(self):
        with client() as asking:
            assert len(asking.post(prompt=[1] * 45, stop_tokens=[]).json()["tokens"]) == 3
            assert asking.post(prompt=[1] * 48).status_code == 422

    def test_that_is_too_long_is_not_read(self, asking):
        long = b" " * 301
        parts = iter([long[:200], long[200:]])  # sent in pieces, without saying how many
        for content in (long, parts):
            answer = asking.http.post("/v1/generate", content=content, headers={"content-type": "application/json"})
            assert answer.status_code == 413

    def test_must_be_json(self, asking):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            answer = asking.http.post("/v1/generate", content=b"{}", headers={"content-type": kind})
            assert answer.status_code == 415

    def test_whose_body_does_not_come_is_given_up(self):
        async def never() -> dict[str, object]:
            await anyio.sleep(30)
            raise AssertionError

        said = []

        async def send(message: dict[str, object]) -> None:
            said.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/generate", "query_string": b"",
                 "headers": [(b"content-type", b"application/json")]}  # fmt: skip
        engine = Engine(lambda: Loaded(tiny(), "tiny", Watchlist()), ServeConfig(body_s=0.05), Meters())
        began = time.monotonic()
        anyio.run(Guard(serve_app(engine), engine.config, engine.meters, hosts=None, token=None), scope, never, send)
        assert said[0]["status"] == 408
        assert time.monotonic() - began < 10


class TestGuard:
    PATHS = ("/v1/model", "/v1/monitors", "/metrics", "/openapi.json", "/nowhere")

    @pytest.fixture(scope="class")
    def secret(self):
        with client(token=TOKEN) as asking:
            yield asking.http

    @pytest.mark.parametrize(
        "given", ["", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", f"Basic {TOKEN}", "Bearer é"]
    )
    def test_tells_nothing_without_the_token(self, secret, given):
        headers = [(b"authorization", given.encode("latin-1"))] if given else []
        for path in self.PATHS:
            answer = secret.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert secret.post("/v1/generate", json=BODY, headers=headers).status_code == 401

    def test_answers_with_it(self, secret):
        bearing = {"authorization": f"Bearer {TOKEN}"}
        assert [secret.get(path, headers=bearing).status_code for path in self.PATHS] == [200, 200, 200, 200, 404]
        assert secret.post("/v1/generate", json=BODY, headers=bearing).status_code == 200

    def test_says_to_everyone_whether_it_runs(self, secret):
        assert [secret.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]

    def test_answers_under_its_own_names_and_to_no_foreign_page(self):
        with client(hosts={"127.0.0.1:80", "localhost:80"}) as asking:
            for host, status in (("localhost:80", 200), ("evil.example", 400), ("127.0.0.1:81", 400), ("", 400)):
                assert asking.http.get("/v1/model", headers={"host": host}).status_code == status
            foreign = {"host": "localhost:80", "sec-fetch-site": "cross-site"}
            assert asking.http.post("/v1/generate", json=BODY, headers=foreign).status_code == 403

    def test_marks_every_answer_as_no_page(self, secret):
        for path in ("/healthz", "/nowhere", "/v1/model"):
            headers = secret.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_same_request_with_the_same_seed_has_the_same_answer():
    body = {**BODY, "temperature": 1.0, "seed": 7, "max_new_tokens": 12}
    before = torch.random.get_rng_state()
    with client() as asking:
        answers = [asking.post(**body).json()["tokens"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert torch.equal(before, torch.random.get_rng_state())
