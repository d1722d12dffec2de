"""Rows of `interp-lab verify`: steering while decoding is what was meant, and the audit tells where it is not."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from interp_lab.decoding import (
    Decoded,
    DecodingSettings,
    Positions,
    Steer,
    TouchedNothingError,
    at_positions,
    decode,
    everywhere,
    from_position,
    generated,
)
from interp_lab.experiment import KnownAnswer
from interp_lab.hooks import Edit, capture, edited
from interp_lab.interventions import Intervention, Op, applied, every_write, project_out
from interp_lab.models import load_model
from interp_lab.types import Site

MODEL, HOOK, N_NEW = "organism", "blocks.1.hook_resid_post", 6
SAME = 1e-3
"""Most by which log-probabilities (nats) and lengths of changes may differ between two ways to the same."""
_SETTINGS = DecodingSettings(max_new_tokens=N_NEW, stop_tokens=())


def rows() -> list[KnownAnswer]:
    """Return the rows about steering while decoding."""
    return [
        KnownAnswer(
            "audit of steering that does nothing",
            "a vector of zeros, positions behind the end, a hook of one's own that slices under a cache: errors, all",
            catches_no_op,
            partial(catches_no_op, allow_no_change=True),
        ),
        KnownAnswer(
            "steering of what is generated, under a cache",
            "log-probabilities of every token as when the whole text is run anew and changed from the prompt's end on",
            acts_under_cache,
            partial(acts_under_cache, naive=True),
        ),
        KnownAnswer(
            "audit of steering in the first row only",
            "of a gate and of a hook of one's own, it names the rows not touched: those that go on as without steering",
            tells_rows,
            partial(tells_rows, naive=True),
        ),
        KnownAnswer(
            "steering with and without a cache, prompts of unequal length",
            f"adding, clamping and projecting out: the same tokens, log-probabilities and lengths within {SAME}",
            is_one_under_cache,
            partial(is_one_under_cache, by_column=True),
        ),
        KnownAnswer(
            "lengths of changes, one coefficient per row",
            f"the size of the coefficient times the length of the vector, within {SAME}",
            measures_lengths,
            partial(measures_lengths, forget=True),
        ),
        KnownAnswer(
            "directional ablation at every write",
            "nothing of the direction is left in the residual stream, at any layer and token",
            leaves_nothing,
            partial(leaves_nothing, one_layer=True),
        ),
    ]


def catches_no_op(*, allow_no_change: bool = False) -> tuple[bool, str]:
    """Whether steering that changes nothing is refused.

    Args:
        allow_no_change: what the check is switched off by; a sabotage.
    """
    model, vector = load_model(MODEL), _vector()
    steers = {
        "zeros": Steer(_adding(torch.zeros_like(vector))),
        "positions behind the end": Steer(_adding(vector), at_positions(40)),
    }
    asked: dict[str, dict[str, Any]] = {name: {"steers": [steer]} for name, steer in steers.items()}
    asked["slice of one's own"] = {"functions": {HOOK: _slicing(vector, len(_prompts()[0]))}}
    caught = []
    for name, given in asked.items():
        try:
            decode(model, _prompts()[:1], _SETTINGS, **given, allow_no_change=allow_no_change)
        except TouchedNothingError:
            caught.append(name)
    return len(caught) == len(asked), f"refused: {', '.join(caught) or 'none'}"


def acts_under_cache(*, naive: bool = False) -> tuple[bool, str]:
    """Whether cached decoding under the policy `generated` is that of whole texts, changed from the prompt's end on.

    Args:
        naive: change a slice from the prompt's end on by a hook of one's own, which sees one token at a time; a
            sabotage.
    """
    model, vector, ids = load_model(MODEL), _vector(), _prompts()[0]
    change = _slicing(vector, len(ids))
    if naive:
        with edited(model, {HOOK: change}):
            found = decode(model, [ids], _SETTINGS)
    else:
        found = decode(model, [ids], _SETTINGS, steers=[Steer(_adding(vector), generated())])
    plain = decode(model, [ids], _SETTINGS)
    with torch.inference_mode(), edited(model, {HOOK: change}):
        whole = model(torch.tensor([found.sequences[0]]))[0].log_softmax(-1)
    chosen = whole[len(ids) - 1 : -1].gather(-1, torch.tensor(found.tokens[0])[:, None])[:, 0]
    away = (torch.tensor(found.log_probs[0]) - chosen).abs().amax()
    as_plain = found.tokens == plain.tokens and _apart(found, plain) == 0
    told = f"largest difference {float(away):.5f} nats" + (", the same as without steering" if as_plain else "")
    return bool(away < SAME) and not as_plain, told


def tells_rows(*, naive: bool = False) -> tuple[bool, str]:
    """Whether the audit names the rows that steering left out: by a gate, or by a hook that writes to row 0 only.

    Args:
        naive: install the hook beside the decoding, so that no audit knows of it; a sabotage.
    """
    model, vector, prompts = load_model(MODEL), _vector(), _prompts()
    plain = decode(model, prompts, _SETTINGS)

    def change(activation: Tensor) -> Tensor:
        activation[0] += vector
        return activation

    if naive:
        with edited(model, {HOOK: change}):
            all_found = [decode(model, prompts, _SETTINGS)]
    else:
        first = torch.arange(len(prompts)) == 0
        all_found = [
            decode(model, prompts, _SETTINGS, steers=[Steer(_adding(vector, gate=first))]),
            decode(model, prompts, _SETTINGS, functions={HOOK: change}),
        ]
    same = [[row for row in range(len(prompts)) if one.log_probs[row] == plain.log_probs[row]] for one in all_found]
    named = [one.audit.untouched_rows() for one in all_found]
    right = all(rows == [1, 2, 3] for rows in (*named, *same))
    return right, f"named as not touched: {named}; as without steering: {same}"


def is_one_under_cache(*, by_column: bool = False) -> tuple[bool, str]:
    """Whether steering does the same with a cache and without.

    Args:
        by_column: act on the last three columns of whatever the model is run on; a sabotage.
    """
    model, vector = load_model(MODEL), _vector()
    where = Positions("last columns", lambda window: window.real & _last(window.positions)) if by_column else None
    apart, lengths = 0.0, 0.0
    for op, policy in ((Op.ADD, everywhere()), (Op.CLAMP, generated()), (Op.PROJECT_OUT, from_position(-2))):
        steer = Steer(Intervention((Site(HOOK),), op, (vector,), str(op)), where or policy)
        cached, whole = (decode(model, _prompts(), _SETTINGS, steers=[steer], cache=cache) for cache in (True, False))
        apart = max(apart, _apart(cached, whole))
        both = [found.audit.touches[0].norms.nan_to_num(-1.0) for found in (cached, whole)]
        lengths = max(lengths, float((both[0] - both[1]).abs().amax()))
    return apart < SAME and lengths < SAME, f"largest difference {apart:.5f} nats, of lengths {lengths:.5f}"


def measures_lengths(*, forget: bool = False) -> tuple[bool, str]:
    """Whether the audit's lengths are those of the changes that were asked for.

    Args:
        forget: the coefficients; a sabotage.
    """
    model, vector = load_model(MODEL), _vector()
    coefficients = torch.tensor([1.0, -2.0, 0.5, 0.0])
    steer = Steer(_adding(vector), coefficients=None if forget else coefficients)
    (touch,) = decode(model, _prompts(), _SETTINGS, steers=[steer]).audit.touches
    expected = (coefficients.abs() * vector.norm())[:, None].expand_as(touch.norms)
    away = float((touch.norms - expected)[touch.touched].abs().amax())
    return away < SAME, f"largest difference {away:.5f} of {float(vector.norm()):.1f}"


def leaves_nothing(*, one_layer: bool = False) -> tuple[bool, str]:
    """Whether a direction that is projected out of everything written is gone from the stream of every layer.

    Args:
        one_layer: project it out of the stream at one layer alone, behind which it is written again; a sabotage.
    """
    model, vector = load_model(MODEL), _vector()
    ablation = project_out((Site(HOOK),) if one_layer else every_write(model), vector, name="ablate")
    found = decode(model, _prompts(), _SETTINGS, steers=[Steer(ablation)])
    hooks = [f"blocks.{layer}.hook_resid_post" for layer in range(int(model.cfg.n_layers))]
    with applied(model, ablation):
        kept = capture(model, torch.tensor([found.sequences[0]]), hooks)
    left = max(float(torch.cosine_similarity(kept[hook], vector, dim=-1).abs().amax()) for hook in hooks)
    return left < SAME, f"largest cosine of what is in the stream with it: {left:.5f}"


def _slicing(vector: Tensor, start: int) -> Edit:
    """Return a hook that adds from a column on, of whatever it is given."""

    def change(activation: Tensor) -> Tensor:
        activation[:, start:] += vector
        return activation

    return change


def _vector() -> Tensor:
    """A direction at random, about as long as what the layer itself writes."""
    return torch.randn(128, generator=torch.Generator().manual_seed(0)) / 2


def _prompts() -> list[list[int]]:
    """Tokens at random, of unequal lengths."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(10, 500, (length,), generator=generator).tolist() for length in (9, 4, 7, 5)]


def _adding(vector: Tensor, *, gate: Tensor | None = None) -> Intervention:
    return Intervention((Site(HOOK),), Op.ADD, (vector,), "steer", gate=gate)


def _last(positions: Tensor) -> Tensor:
    return torch.arange(positions.shape[1]) >= positions.shape[1] - 3


def _apart(one: Decoded, other: Decoded) -> float:
    """Largest difference of log-probabilities, in nats; infinite where other tokens were generated."""
    if one.tokens != other.tokens:
        return float("inf")
    return float((torch.tensor(one.log_probs) - torch.tensor(other.log_probs)).abs().amax())
