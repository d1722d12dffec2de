"""The same decoding on a TransformerBridge: cached where its model returns a cache, and said so where not."""

import pytest
import torch

from interp_lab.decoding import DecodingSettings, Steer, decode, generated, matching, prompt, stream
from interp_lab.interventions import Intervention, Op
from interp_lab.models import load_model
from interp_lab.production.monitors import Monitor, MonitorBank, decode_watched
from interp_lab.types import Site
from tests.decoding.kinds import direction
from tests.models.fixtures import save_directory

PROMPTS = [[3, 1, 4, 1, 5], [6], [5, 3, 5]]
SETTINGS = [DecodingSettings(max_new_tokens=n, stop_tokens=()) for n in (6, 8, 3)]
EVEN = matching(range(0, 40, 2))


@pytest.fixture(scope="module", params=["gpt2", "llama", "neox"])
def pair(request, tmp_path_factory):
    directory = save_directory(tmp_path_factory.mktemp("models") / f"tiny-{request.param}", request.param)
    return [load_model(directory, "cpu", backend=backend) for backend in ("hooked", "bridge")]


def logits_and_result(model, *, steers, cache):
    under_way = stream(model, PROMPTS, SETTINGS, steers=steers, cache=cache)
    logits = torch.cat([step.logits for step in under_way])
    return logits, under_way.result()


def adding(hook, size, where):
    return Steer(
        Intervention((Site(hook),), Op.ADD, (direction(size=size, scale=3.0),), "shift"),
        where,
        coefficients=torch.tensor([1.0, -1.0, 0.5]),
    )


@pytest.mark.parametrize(
    "steers",
    [
        [],
        [adding("blocks.0.hook_resid_post", 32, generated())],
        [adding("blocks.1.attn.hook_z", 8, prompt()), adding("blocks.0.hook_resid_pre", 32, EVEN)],
        [adding("blocks.1.attn.hook_v", 8, EVEN), adding("blocks.0.attn.hook_k", 8, generated())],
    ],
    ids=["plain", "generated", "prompt and by id", "keys and values"],
)
def test_cached_and_recomputed_on_both_backends_agree(pair, steers):
    hooked, bridge = pair
    expected, reference = logits_and_result(hooked, steers=steers, cache=True)
    for cache in (True, False):
        logits, found = logits_and_result(bridge, steers=steers, cache=cache)
        assert found.cached is cache
        assert (found.tokens, found.stops) == (reference.tokens, reference.stops)
        torch.testing.assert_close(logits.log_softmax(-1), expected.log_softmax(-1), atol=1e-4, rtol=1e-4)
        for ours, theirs in zip(found.audit.touches, reference.audit.touches, strict=True):
            torch.testing.assert_close(ours.norms, theirs.norms, equal_nan=True, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("cache", [True, False])
def test_watched_on_both_backends_scores_and_alarms_agree(pair, cache):
    one = Monitor("m", "blocks.1.hook_resid_post", direction(size=32), threshold=0.5, reads="all+bos", over="mean")
    expected, found = (decode_watched(model, PROMPTS, MonitorBank((one,)), SETTINGS, cache=cache) for model in pair)
    assert found.decoded.tokens == expected.decoded.tokens == decode(pair[1], PROMPTS, SETTINGS).tokens
    places = [{(alarm.row, alarm.position) for alarm in each.alarms} for each in (expected, found)]
    assert places[0] == places[1]
    ours, theirs = (torch.from_numpy(each.readings.scores) for each in (found, expected))
    torch.testing.assert_close(ours, theirs, equal_nan=True, atol=1e-4, rtol=1e-3)


def test_the_native_bridge_returns_no_cache_and_runs_everything():
    hooked, native = (load_model("compiled/induction", "cpu", backend=backend) for backend in ("hooked", "bridge"))
    prompts = [[1, 2, 3, 1, 2], [2, 1], [3]]
    decoded = decode(native, prompts, SETTINGS)
    assert not decoded.cached
    reference = decode(hooked, prompts, SETTINGS)
    assert reference.cached
    assert decoded.tokens == reference.tokens
