"""Cached, recomputed and literal decoding give the same tokens and logits, steered or not."""

import pytest
import torch

from interp_lab.decoding import (
    DecodingSettings,
    Steer,
    at_positions,
    decode,
    everywhere,
    from_position,
    generated,
    last_prompt_token,
    matching,
    prompt,
    stream,
)
from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site
from tests.decoding.kinds import KINDS, PROMPTS, direction, model_of
from tests.oracles.decoding import literal_decode

N_NEW = 7
SETTINGS = DecodingSettings(max_new_tokens=N_NEW, stop_tokens=())


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return model_of(request.param)


@pytest.fixture(scope="module")
def rotary():
    return model_of("grouped-query")


def require_literal(model, *, edits=(), steers=(), prompts=PROMPTS):
    """Cached and recomputed tokens, logits and audits equal the oracle and each other; returns what was decoded."""
    expected = [
        literal_decode(model, ids, N_NEW, edits=edits(row) if callable(edits) else edits)
        for row, ids in enumerate(prompts)
    ]
    found = []
    for cache in (True, False):
        under_way = stream(model, prompts, SETTINGS, steers=steers, cache=cache)
        logits = torch.stack([step.logits for step in under_way], dim=1)
        decoded = under_way.result()
        assert decoded.cached is cache
        assert decoded.tokens == tuple(tuple(tokens) for tokens, _ in expected)
        torch.testing.assert_close(logits, torch.stack([steps for _, steps in expected]), atol=2e-4, rtol=1e-4)
        found.append(decoded)
    for cached, recomputed in zip(*(decoded.audit.touches for decoded in found), strict=True):
        torch.testing.assert_close(cached.norms, recomputed.norms, equal_nan=True, atol=1e-4, rtol=1e-4)
    return found[0]


def test_unequal_prompts_in_one_batch(model):
    decoded = require_literal(model)
    assert len(set(decoded.tokens)) > 1


POLICIES = {
    "all": (everywhere(), lambda p, n: slice(None)),
    "prompt": (prompt(), lambda p, n: slice(0, n)),
    "generated": (generated(), lambda p, n: slice(n, None)),
    "from 4": (from_position(4), lambda p, n: slice(4, None)),
    "from the last prompt token": (from_position(-1), lambda p, n: slice(n - 1, None)),
    "last prompt token": (last_prompt_token(), lambda p, n: slice(n - 1, n)),
    "some": (at_positions(0, 4), lambda p, n: [k for k in (0, 4) if k < p]),
    "not the first": (~at_positions(0), lambda p, n: slice(1, None)),
    "generated before 7": (generated() & ~from_position(7), lambda p, n: slice(n, 7)),
    "the ends": (at_positions(0) | last_prompt_token(), lambda p, n: [0, n - 1]),
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_direction_added_under_every_policy(rotary, policy):
    require_steered(rotary, policy)


@pytest.mark.parametrize("policy", ["generated", "some"])
def test_a_direction_added_with_every_kind_of_positions(model, policy):
    require_steered(model, policy)


def require_steered(model, policy):
    where, index = POLICIES[policy]
    added = direction(scale=4.0)

    def edit(value, n):
        where_to = index(value.shape[1], n)
        value[:, where_to] += added

    steer = Steer(Intervention((Site("blocks.1.hook_resid_post"),), Op.ADD, (added,), "steer"), where)
    decoded = require_literal(model, edits=[("blocks.1.hook_resid_post", edit)], steers=[steer])
    assert decoded.tokens != decode(model, PROMPTS, SETTINGS).tokens


def test_tokens_chosen_by_id_in_prompt_and_answer(rotary):
    decoded = decode(rotary, PROMPTS, SETTINGS)
    frequent = max(set(decoded.tokens[0]), key=decoded.tokens[0].count)
    steer = Steer(
        Intervention((Site("hook_embed"),), Op.SCALE, (torch.tensor(0.3),), "dim"), matching([frequent, PROMPTS[0][0]])
    )
    seen = []

    def edit(value, n):
        same = torch.isin(seen[-1], torch.tensor([frequent, PROMPTS[0][0]]))
        value[same] *= 0.3

    watch = rotary.embed.register_forward_hook(lambda module, given, output: seen.append(given[0]))
    try:
        require_literal(rotary, edits=[("hook_embed", edit)], steers=[steer])
    finally:
        watch.remove()


def project_out(value, along):
    return value - (value @ along)[..., None] * along / (along @ along)


HALF = torch.tensor(0.5)
ROT_K, NEURON = Site("blocks.1.attn.hook_rot_k", head=1), Site("blocks.1.mlp.hook_post", latent=7)
PLACES = {
    "zero a head's output": (Site.of_head(1, 2), Op.REPLACE, torch.zeros(()), lambda v, at: v[:, at, 2].zero_()),
    "keys": (Site.of_head(1, 1, at="k"), Op.SCALE, HALF, lambda v, at: v[:, at, 1].mul_(0.5)),
    "values": (Site.of_head(0, 0, at="v"), Op.ADD, torch.ones(4), lambda v, at: v[:, at, 0].add_(1)),
    "rotated keys": (ROT_K, Op.ADD, torch.ones(4), lambda v, at: v[:, at, 1].add_(1)),
    "rotated queries": (Site("blocks.0.attn.hook_rot_q"), Op.SCALE, HALF, lambda v, at: v[:, at].mul_(0.5)),
    "pattern of a head": (Site.of_head(0, 3, at="pattern"), Op.SCALE, HALF, lambda v, at: v[:, 3, at].mul_(0.5)),
    "pattern of all": (
        Site("blocks.1.attn.hook_pattern"),
        Op.REPLACE,
        torch.tensor(0.1),
        lambda v, at: v[:, :, at].masked_fill_(v[:, :, at] > 0, 0.1),
    ),
    "scores": (Site("blocks.1.attn.hook_attn_scores"), Op.SCALE, HALF, lambda v, at: v[:, :, at].mul_(0.5)),
    "a neuron": (NEURON, Op.REPLACE, torch.tensor(3.0), lambda v, at: v[:, at, 7].fill_(3)),
    "a direction out of the stream": (
        Site("blocks.0.hook_resid_post"),
        Op.PROJECT_OUT,
        direction(),
        lambda v, at: v[:, at].copy_(project_out(v[:, at], direction())),
    ),
}  # fmt: skip


@pytest.mark.parametrize("policy", ["generated", "some"])
@pytest.mark.parametrize("place", PLACES)
def test_every_operation_at_every_kind_of_hook_point(rotary, policy, place):
    where, index = POLICIES[policy]
    site, op, payload, change = PLACES[place]

    axis = 2 if site.hook.endswith(("pattern", "scores")) else 1

    def edit(value, n):
        """The change, made everywhere, is taken over where it is meant."""
        at = torch.arange(value.shape[axis])[index(value.shape[axis], n)]
        everywhere_changed = value.clone()
        change(everywhere_changed, slice(None))
        value.index_copy_(axis, at, everywhere_changed.index_select(axis, at))

    steer = Steer(Intervention((site,), op, (payload,), place), where)
    require_literal(rotary, edits=[(site.hook, edit)], steers=[steer])


def test_a_dose_response_in_one_batch(rotary):
    """Per-row coefficients: each row is what it would be alone with its own dose."""
    doses, added, ids = [-2.0, 0.0, 0.5, 3.0], direction(), PROMPTS[0]
    steer = Steer(
        Intervention((Site("blocks.0.hook_resid_post"),), Op.ADD, (added,), "dose"), coefficients=torch.tensor(doses)
    )
    require_literal(
        rotary,
        prompts=[ids] * 4,
        steers=[steer],
        edits=lambda row: [("blocks.0.hook_resid_post", lambda value, n: value.add_(doses[row] * added))],
    )


def test_half_a_projection_goes_half_of_the_way(rotary):
    along = direction()
    steer = Steer(
        Intervention((Site("blocks.1.hook_resid_pre"),), Op.PROJECT_OUT, (along,), "half"),
        coefficients=torch.full((3,), 0.5),
    )
    edit = ("blocks.1.hook_resid_pre", lambda v, n: v.copy_(0.5 * v + 0.5 * project_out(v, along)))
    require_literal(rotary, steers=[steer], edits=[edit])


def test_gated_rows_payloads_per_prompt_and_two_steers_in_order(rotary):
    own = torch.stack([direction(seed) for seed in range(3)])
    gate = torch.tensor([True, False, True])
    hook = "blocks.1.hook_resid_post"
    shift = Intervention((Site(hook),), Op.ADD, (own[:, None],), "shift", per_example=True, gate=gate)
    double = Intervention((Site(hook, position=-1),), Op.SCALE, (torch.tensor(2.0),), "double")

    def edits(row):
        def edit(value, n):
            if gate[row]:
                value += own[row]
            value[:, n - 1] *= 2

        return [(hook, edit)]

    require_literal(rotary, edits=edits, steers=[Steer(shift), Steer(double)])


def test_a_gate_on_the_activation_and_a_schedule(rotary):
    along, hook = direction(), "blocks.0.hook_resid_post"

    def fading_if_aligned(activation, window):
        return (activation @ along > 0) * 0.9**window.positions

    def edit(value, n):
        strength = (value @ along > 0) * 0.9 ** torch.arange(value.shape[1])
        value += strength[..., None] * along

    steer = Steer(Intervention((Site(hook),), Op.ADD, (along,), "gated"), strength=fading_if_aligned)
    decoded = require_literal(rotary, edits=[(hook, edit)], steers=[steer])
    (touch,) = decoded.audit.touches
    assert 0 < touch.changed.sum() < touch.touched.sum()
