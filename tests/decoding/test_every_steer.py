"""Every position policy with every operation, gate and schedule: cached, recomputed, and a literal walk over tokens.

Prompts are of unequal length, so left-padded; each row has its own coefficient; and what the audit says is the length
of the change that the walk saw.
"""

import pytest
import torch

from interp_lab.decoding import (
    DecodingSettings,
    Steer,
    at_positions,
    decaying,
    decode,
    everywhere,
    from_position,
    generated,
    last_prompt_token,
    linear_schedule,
    matching,
    product_of,
    projection_above,
    prompt,
    similarity_above,
    stream,
)
from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site
from tests.decoding.kinds import PROMPTS, direction, model_of
from tests.oracles.decoding import literal_steered

HOOK, N_NEW = "blocks.0.hook_resid_post", 4
SETTINGS = DecodingSettings(max_new_tokens=N_NEW, stop_tokens=())
ALONG, ACROSS = direction(scale=2.0), direction(7)
UNIT = ACROSS / ACROSS.norm()
COEFFICIENTS = {Op.ADD: [1.0, -2.0, 0.5], Op.CLAMP: [1.5, 0.0, -1.0], Op.PROJECT_OUT: [1.0, 0.5, 1.0]}

POLICIES = {
    "all": (everywhere(), lambda p, token, n: True),
    "prompt": (prompt(), lambda p, token, n: p < n),
    "generated": (generated(), lambda p, token, n: p >= n),
    "from 2": (from_position(2), lambda p, token, n: p >= 2),
    "last prompt token": (last_prompt_token(), lambda p, token, n: p == n - 1),
    "at 0 and the last but one": (at_positions(0, -2), lambda p, token, n: p in (0, n - 2)),
    "matching": (matching(range(1, 24, 2)), lambda p, token, n: token % 2 == 1),
}
STRENGTHS = {
    "always": (None, lambda vector, p, n: 1.0),
    "projection": (projection_above(ACROSS, 0.2), lambda vector, p, n: float(vector @ UNIT > 0.2)),
    "similarity": (
        similarity_above(3 * ACROSS, 0.05),
        lambda vector, p, n: float(vector @ UNIT / vector.norm() > 0.05),
    ),
    "linear": (linear_schedule(1.5, 0.5, over=2), lambda vector, p, n: [1.5, 1.5, 1.0, 0.5, 0.5][max(p - n + 1, 0)]),
    "decaying": (decaying(2.0), lambda vector, p, n: 2 ** (-max(p - n, 0) / 2)),
}


def by_hand(op, vector, coefficient, strength):
    """All of the operation, and from where the vector was as large a share of the way there."""
    unit = ALONG / ALONG.norm()
    across = vector - (vector @ unit) * unit
    if op is Op.ADD:
        target = vector + coefficient * ALONG
    elif op is Op.CLAMP:
        target = across + coefficient * ALONG
    else:
        target = vector + coefficient * (across - vector)
    return vector + strength * (target - vector)


@pytest.fixture(scope="module")
def model():
    return model_of("rotary")


def literal(model, op, selects, share):
    def walked(row):
        def change(vector, p, sequence, n):
            if not selects(p, sequence[p], n):
                return None
            return by_hand(op, vector, COEFFICIENTS[op][row], share(vector, p, n))

        return literal_steered(model, PROMPTS[row], N_NEW, hook=HOOK, change=change)

    return [walked(row) for row in range(len(PROMPTS))]


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("op", COEFFICIENTS)
@pytest.mark.parametrize("policy", POLICIES)
def test_cached_recomputed_and_literal_are_one(model, policy, op, strength):
    (where, selects), (made, share) = POLICIES[policy], STRENGTHS[strength]
    expected = literal(model, op, selects, share)
    steer = Steer(
        Intervention((Site(HOOK),), op, (ALONG,), "steer"), where, torch.tensor(COEFFICIENTS[op]), strength=made
    )
    for cache in (True, False):
        under_way = stream(model, PROMPTS, SETTINGS, steers=[steer], cache=cache)
        logits = torch.stack([step.logits for step in under_way], dim=1)
        decoded = under_way.result()
        assert decoded.tokens == tuple(tuple(tokens) for tokens, _, _ in expected)
        torch.testing.assert_close(logits, torch.stack([steps for _, steps, _ in expected]), atol=2e-4, rtol=1e-4)
        (touch,) = decoded.audit.touches
        for row, (_, _, lengths) in enumerate(expected):
            acted = touch.touched[row].nonzero()[:, 0].tolist()
            assert acted == sorted(lengths)
            torch.testing.assert_close(
                touch.norms[row, acted], torch.tensor([lengths[p] for p in acted]), atol=1e-4, rtol=1e-4
            )
    if policy == "all" and strength in ("projection", "similarity"):
        assert 0 < touch.changed[0].sum() < touch.touched[0].sum(), "a gate that is always open or shut shows nothing"


@pytest.mark.parametrize("op", COEFFICIENTS)
def test_a_coefficient_per_row_is_a_run_per_coefficient(model, op):
    """A dose-response in one call; of a clamp, too, whose zero sets the projection to zero."""
    doses = [-2.0, 0.0, 0.3, 1.0, 4.0] if op is not Op.PROJECT_OUT else [0.0, 0.25, 0.5, 1.0]
    made = Intervention((Site(HOOK), Site("blocks.1.hook_resid_mid")), op, (ALONG, ACROSS), "steer")
    together = decode(
        model, [PROMPTS[0]] * len(doses), SETTINGS, steers=[Steer(made, coefficients=torch.tensor(doses))]
    )
    for row, dose in enumerate(doses):
        steer = Steer(made, coefficients=torch.tensor([dose]))
        alone = decode(model, PROMPTS[:1], SETTINGS, steers=[steer])
        assert together.tokens[row] == alone.tokens[0]
        assert together.log_probs[row] == pytest.approx(alone.log_probs[0], abs=1e-5)
        for all_rows, own in zip(together.audit.touches, alone.audit.touches, strict=True):
            torch.testing.assert_close(all_rows.norms[row], own.norms[0], equal_nan=True, atol=1e-5, rtol=1e-5)
    assert len(set(together.tokens)) > 1


def test_a_clamp_without_a_coefficient_sets_the_projection_to_the_payload(model):
    made = Intervention((Site(HOOK),), Op.CLAMP, (ALONG,), "clamp")
    expected = literal_steered(
        model, PROMPTS[0], N_NEW, hook=HOOK, change=lambda vector, *_: by_hand(Op.CLAMP, vector, 1.0, 1.0)
    )[0]
    assert decode(model, PROMPTS[:1], SETTINGS, steers=[Steer(made)]).tokens[0] == tuple(expected)


def test_several_vectors_at_once_follow_each_other(model):
    """At one hook point in the order given, each by its own policy and gate: a projection sees what was added."""
    near = Intervention((Site(HOOK),), Op.ADD, (ALONG,), "push")
    far = Intervention((Site(HOOK),), Op.PROJECT_OUT, (ALONG + ACROSS,), "cut")
    third = Intervention((Site(HOOK),), Op.CLAMP, (ACROSS,), "hold", gate=torch.tensor([True, False, True]))
    strength = projection_above(ACROSS, 0.0)
    steers = [Steer(near, prompt()), Steer(far, from_position(1)), Steer(third, generated(), strength=strength)]
    both = ALONG + ACROSS

    def change(vector, p, sequence, n, row):
        if p < n:
            vector = vector + ALONG
        if p >= 1:
            vector = vector - both * (vector @ both) / (both @ both)
        if p >= n and row != 1 and vector @ UNIT > 0:
            vector = vector - UNIT * (vector @ UNIT) + ACROSS
        return vector

    expected = [
        literal_steered(model, ids, N_NEW, hook=HOOK, change=lambda v, p, s, n, row=row: change(v, p, s, n, row))[0]
        for row, ids in enumerate(PROMPTS)
    ]
    for cache in (True, False):
        decoded = decode(model, PROMPTS, SETTINGS, steers=steers, cache=cache)
        assert [list(tokens) for tokens in decoded.tokens] == expected


def test_a_gate_and_a_schedule_at_once(model):
    gate, fading = STRENGTHS["projection"], STRENGTHS["decaying"]
    steer = Steer(
        Intervention((Site(HOOK),), Op.ADD, (ALONG,), "steer"),
        strength=product_of(gate[0], fading[0]),
    )
    (touch,) = decode(model, PROMPTS, SETTINGS, steers=[steer]).audit.touches
    lengths = literal_steered(
        model, PROMPTS[0], N_NEW, hook=HOOK,
        change=lambda v, p, s, n: v + gate[1](v, p, n) * fading[1](v, p, n) * ALONG,
    )[2]  # fmt: skip
    torch.testing.assert_close(touch.norms[0, : len(lengths)], torch.tensor(list(lengths.values())))
    assert len({round(length, 4) for length in lengths.values()}) > 2
