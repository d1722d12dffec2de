"""The OpenAPI document: whole, true, and held to by whatever is sent."""

from collections import Counter

import pytest
from jsonschema import Draft202012Validator

from interp_lab.apps.serve import WatchEntry, Watchlist
from interp_lab.models import load_model
from interp_lab.production.monitors import Monitor
from tests.apps.serve.fuzzing import Fuzzer
from tests.apps.serve.served import client, entry, weights

OPERATIONS = [
    ("post", "/v1/generate"), ("post", "/v1/generate/stream"), ("get", "/v1/model"), ("get", "/v1/monitors"),
    ("get", "/metrics"), ("get", "/healthz"), ("get", "/readyz"),
]  # fmt: skip
N_REQUESTS = 400


def monitors(model) -> Watchlist:
    made: list[WatchEntry] = [entry("plain", over="mean"), entry("a", threshold=0.5, action="stop", route="b")]
    own = [Monitor(one.name, "blocks.1.hook_resid_post", weights(0).repeat(8), **one.settings) for one in made]
    return Watchlist.loaded(made, own, model)


@pytest.fixture(scope="module")
def asking():
    model = load_model("organism")
    with client(monitors(model), model=model, max_new_tokens=8, max_body_bytes=60_000) as asking:
        yield asking


@pytest.fixture(scope="module")
def document(asking):
    return asking.http.get("/openapi.json").json()


def holds(document, answer, method, path):
    """Whether the document says that this answers there."""
    responses = document["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, (answer.status_code, answer.text[:300])
    content = responses[str(answer.status_code)]["content"]
    [kind] = [one for one in content if answer.headers["content-type"].startswith(one)]
    if kind == "application/json":
        schema = {**content[kind]["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(answer.json())


class TestTheDocument:
    def test_has_every_operation_and_no_other(self, document):
        found = [(method, path) for path, methods in document["paths"].items() for method in methods]
        assert sorted(found) == sorted(OPERATIONS)

    def test_says_what_every_field_means(self, document):
        undocumented = {"model", "token", "prompt_tokens", "tokens", "seed"}  # their names say it
        schemas = document["components"]["schemas"]
        for name in ("GenerateRequest", "Watch", "Explain"):
            for field, schema in schemas[name]["properties"].items():
                assert "description" in schema or field in undocumented, (name, field)

    def test_has_every_status_that_refuses(self, document):
        for path in ("/v1/generate", "/v1/generate/stream"):
            responses = document["paths"][path]["post"]["responses"]
            assert set(responses) >= {"200", "400", "401", "403", "408", "413", "415", "422", "500", "503"}
            assert "Retry-After" in responses["503"]["headers"]

    def test_says_who_must_bear_a_token(self, document):
        with client(token="0123456789abcdef") as asking:
            secret = asking.http.get("/openapi.json", headers={"authorization": "Bearer 0123456789abcdef"}).json()
        bearing = {path: "security" in one for path, methods in secret["paths"].items() for one in methods.values()}
        assert bearing == {path: path not in ("/healthz", "/readyz") for _, path in OPERATIONS}
        assert not any("security" in one for methods in document["paths"].values() for one in methods.values())

    @pytest.mark.parametrize(("method", "path"), [one for one in OPERATIONS if one[0] == "get"])
    def test_is_true_of_what_is_read(self, asking, document, method, path):
        answer = asking.http.request(method, path)
        assert answer.status_code == 200
        holds(document, answer, method, path)


class TestWhateverIsSent:
    @pytest.mark.parametrize("path", ["/v1/generate", "/v1/generate/stream"])
    def test_is_answered_as_documented_and_never_by_a_fault(self, asking, document, path):
        fuzzer = Fuzzer(document, seed=len(path))
        schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        found = Counter()
        for _ in range(N_REQUESTS // 2):
            body = fuzzer.body(schema)
            answer = asking.http.post(path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code < 500, (body[:500], answer.text)
            assert "Traceback" not in answer.text
            assert "event: error" not in answer.text
            holds(document, answer, "post", path)
            found[answer.status_code] += 1
        assert found[200] > 10  # some of it was answered,
        assert found[422] > 50  # some was refused for what it says,
        assert found[400] > 1  # and some for what it is

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"])
    def test_by_other_methods_is_refused(self, asking, document, method):
        for path in document["paths"]:
            answer = asking.http.request(method, path)
            assert answer.status_code == 405

    @pytest.mark.parametrize("path", ["/", "/v1/generate/", "/%00", "//", "/v1", "/../../etc/passwd", "/" + "y" * 5000])
    def test_elsewhere_is_refused(self, asking, path):
        answer = asking.http.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
