"""A service that listens: many clients at once, clients that leave, and its end."""

import asyncio
import multiprocessing
import os
import re
import signal
import stat
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from interp_lab.apps.serve import listening, read_token
from interp_lab.cli.main import main
from interp_lab.decoding import DecodingSettings, decode
from tests.apps.serve.served import MONITORS, Gate, running, tiny, until

BODY = {"prompt": [1, 2, 3], "max_new_tokens": 20, "stop_tokens": []}
PROMPTS = [[a, b, c] for a in range(1, 9) for b in (3, 11) for c in (5, 17)]


class TestLoad:
    N_CLIENTS, ROOM = 12, 4

    def test_loses_and_mixes_up_nothing_and_keeps_its_bound(self):
        settings = DecodingSettings(max_new_tokens=5, stop_tokens=())
        expected = [list(one) for one in decode(tiny(), PROMPTS, settings).tokens]
        waiting: list[float] = []
        with running(MONITORS, queue_size=self.ROOM, max_batch=4) as service:
            service.engine.meters.waiting.set = waiting.append
            answers, n_refused = asyncio.run(self.asked(service.url))
            assert {tuple(PROMPTS[nth]): one["tokens"] for nth, one in answers.items()} == {
                tuple(prompt): tokens for prompt, tokens in zip(PROMPTS, expected, strict=True)
            }
            ids = [one["id"] for one in answers.values()]
            assert len(set(ids)) == len(PROMPTS)
            n_requests = service.engine.meters.took._sum.get()
            assert n_requests > 0
        assert max(waiting) <= self.ROOM
        assert waiting[-1] == 0
        assert n_refused > 0  # or the bound was never reached

    async def asked(self, url):
        """Every client asks for its share, one after the other, again where there was no room."""
        answers, refused = {}, []

        async def one_client(http, number):
            for nth in range(number, len(PROMPTS), self.N_CLIENTS):
                body = {**BODY, "prompt": PROMPTS[nth], "max_new_tokens": 5}
                while (answer := await http.post("/v1/generate", json=body)).status_code == 503:
                    assert answer.json()["error"]["code"] == "queue_full"
                    refused.append(nth)
                    await asyncio.sleep(0.02)
                assert answer.status_code == 200
                answers[nth] = answer.json()

        async with httpx2.AsyncClient(base_url=url, timeout=60) as http:
            await asyncio.gather(*(one_client(http, number) for number in range(self.N_CLIENTS)))
        return answers, len(refused)


class TestAClientThatLeaves:
    @pytest.mark.parametrize("path", ["/v1/generate", "/v1/generate/stream"])
    def test_makes_room(self, path, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with running() as service:
            with pytest.raises(httpx2.TimeoutException):
                httpx2.post(service.url + path, json=BODY, timeout=0.5)
            ends = service.engine.meters.requests.labels("client_gone")._value
            until(lambda: ends.get() == 1)
            gate.open()
            until(lambda: not service.engine._running)
            assert service.engine.meters.generated._value.get() <= 1  # of 20

    def test_in_the_queue_too(self, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with running(max_batch=1) as service, ThreadPoolExecutor(1) as pool:
            first = pool.submit(httpx2.post, service.url + "/v1/generate", json=BODY, timeout=60)
            until(lambda: bool(service.engine._running))
            with pytest.raises(httpx2.TimeoutException):
                httpx2.post(service.url + "/v1/generate", json=BODY, timeout=0.5)
            until(lambda: service.engine.n_waiting == 0)
            gate.open()
            assert first.result().status_code == 200


class TestTheEnd:
    def test_lets_what_runs_end_and_takes_nothing_more(self, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with running(max_batch=1) as service, ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(httpx2.post, service.url + "/v1/generate", json=BODY, timeout=60) for _ in range(2)]
            until(lambda: bool(service.engine._running) and service.engine.n_waiting == 1)
            service.server.handle_exit(signal.SIGTERM, None)
            until(lambda: not service.server.servers[0].is_serving())
            with pytest.raises(httpx2.ConnectError):
                httpx2.post(service.url + "/v1/generate", json=BODY, timeout=5)
            gate.open()
            assert [one.result().status_code for one in asked] == [200, 200]

    def test_tells_what_does_not_end_in_time(self, monkeypatch):
        gate = Gate().put_before(monkeypatch)
        with running(max_batch=1, grace_s=0.2) as service, ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(httpx2.post, service.url + "/v1/generate", json=BODY, timeout=60) for _ in range(2)]
            until(lambda: bool(service.engine._running) and service.engine.n_waiting == 1)
            service.server.handle_exit(signal.SIGTERM, None)
            answers = [one.result() for one in asked]
            gate.open()
        assert [(one.status_code, one.json()["error"]["code"]) for one in answers] == [(503, "stopping")] * 2

    def test_comes_at_once_if_the_model_cannot_be_loaded(self, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(["serve", "--model=compiled/inductoin"])
        told = capsys.readouterr()
        assert (stopped.value.code, told.err.count("\n")) == (1, 1)
        assert "did you mean 'compiled/induction'" in told.err

    def test_of_the_process_on_sigterm_is_no_failure(self, tmp_path):
        said = tmp_path / "said"
        process = multiprocessing.get_context("fork").Process(target=serving, args=(said,))  # all is imported already
        process.start()
        try:
            until(lambda: said.exists() and "http" in said.read_text())
            [url] = re.findall(r"http://127\.0\.0\.1:\d+", said.read_text())
            until(lambda: httpx2.get(url + "/readyz", timeout=30).status_code == 200, seconds=60)
            assert httpx2.post(url + "/v1/generate", json={**BODY, "max_new_tokens": 3}, timeout=60).status_code == 200
            os.kill(process.pid, signal.SIGTERM)
            process.join(60)
        finally:
            process.kill()
        assert process.exitcode == 0
        [first, last] = said.read_text().splitlines()
        assert re.fullmatch(r"compiled/induction and 0 monitors at \S+ until SIGTERM or Ctrl-C", first)
        assert last == "stopped"


def serving(said):
    sys.stdout = said.open("w", buffering=1)
    main(["serve", "--model=compiled/induction", "--max_new_tokens=20"])


class TestWhereItListens:
    TOKEN = "0123456789abcdef"

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
    def test_elsewhere_only_with_a_token(self, host):
        with pytest.raises(ValueError, match=f"at {re.escape(host)} others can reach this .* no token"):
            listening(host, None, token=None)

    @pytest.mark.parametrize(("host", "token"), [("127.0.0.1", None), ("localhost", None), ("0.0.0.0", TOKEN)])
    def test_on_this_machine_or_with_one(self, host, token):
        with listening(host, None, token=token) as listener:
            assert listener.getsockname()[1] > 0

    def test_names_the_port_that_is_taken(self):
        with (
            listening("127.0.0.1", None, token=None) as taken,
            pytest.raises(ValueError, match="is taken; leave --port"),
        ):
            listening("127.0.0.1", taken.getsockname()[1], token=None)

    def test_reads_the_token_from_a_file_of_ones_own_or_the_environment(self, tmp_path):
        file = tmp_path / "token"
        file.write_text(self.TOKEN + "\n")
        file.chmod(stat.S_IRUSR)
        assert read_token(file, {}) == self.TOKEN
        assert read_token(None, {"INTERP_LAB_SERVE_TOKEN": self.TOKEN}) == self.TOKEN
        assert read_token(None, {}) is None
        file.chmod(0o644)
        with pytest.raises(ValueError, match=r"others may read the token.*chmod 600"):
            read_token(file, {})

    @pytest.mark.parametrize("token", ["", "short", "has blanks in it, many", "é" * 20])
    def test_refuses_a_token_that_is_none(self, token):
        with pytest.raises(ValueError, match="use 16 or more of plain ASCII"):
            read_token(None, {"INTERP_LAB_SERVE_TOKEN": token})

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--host", "0.0.0.0"], "it has no token; give one with --token-file"),
            (["--queue_size=0"], "queue_size"),
            (["--monitors", "nowhere.yaml"], "nowhere.yaml"),
        ],
    )
    def test_says_so_in_a_line(self, arguments, says, capsys, monkeypatch):
        monkeypatch.delenv("INTERP_LAB_SERVE_TOKEN", raising=False)
        began = time.monotonic()
        with pytest.raises(SystemExit) as stopped:
            main(["serve", *arguments])
        told = capsys.readouterr().err
        assert (stopped.value.code, told.count("\n")) == (1, 1)
        assert says in told
        assert time.monotonic() - began < 30  # the model is not loaded first
