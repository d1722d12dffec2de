"""Rows of `interp-lab verify`: monitors of single tokens, whose every alarm is known, and a threshold's promise."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.stats import norm

from interp_lab.decoding import DecodingSettings, decode
from interp_lab.experiment import KnownAnswer
from interp_lab.hooks import capture
from interp_lab.models import load_model
from interp_lab.production.monitors.bank import MonitorBank
from interp_lab.production.monitors.monitor import Action, Monitor
from interp_lab.production.monitors.watched import decode_watched, readings_on
from interp_lab.stats import threshold_at
from interp_lab.types import HookedModel

MODEL = "compiled/induction"
"""Its embeddings are orthogonal and of length one, so that the embedding of a token, as weights, reads that token."""
N_PROMPTS, LENGTH, N_NEW = 24, 12, 6
RATE = 0.05
N_SETS, N_CONTROLS = 400, 99


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        KnownAnswer(
            f"monitors of single tokens, {MODEL}",
            "a score of 1 where the token stands, of 0 elsewhere; one alarm, at its first place",
            reads_tokens,
            partial(reads_tokens, shift=1),
        ),
        KnownAnswer(
            f"monitors that stop, {MODEL}",
            "what is written unwatched, up to and with the token that raises the alarm",
            stops_in_time,
            partial(stops_in_time, action=Action.FLAG),
        ),
        KnownAnswer(
            f"threshold at {RATE:.0%} false positives, normal scores",
            f"{RATE:.0%} of new controls above it, to half a point, over {N_SETS} sets of {N_CONTROLS}",
            keeps_its_promise,
            partial(keeps_its_promise, taken_at=2 * RATE),
        ),
    ]


def _monitors(model: HookedModel, tokens: Sequence[int], *, action: Action, reads: str) -> MonitorBank:
    every = torch.arange(int(model.cfg.d_vocab))[:, None]
    weights = capture(model, every, ["hook_embed"])["hook_embed"][:, 0]
    settings: dict[str, Any] = {"threshold": 0.5, "action": action, "reads": reads}
    return MonitorBank(tuple(Monitor(f"token {one}", "hook_embed", weights[one], **settings) for one in tokens))


def _prompts(model: HookedModel) -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, int(model.cfg.d_vocab), (N_PROMPTS, LENGTH), generator=generator).tolist()


def reads_tokens(*, shift: int = 0) -> tuple[bool, str]:
    """Whether a monitor for every token scores 1 where it stands, and raises its alarm at the first place.

    Args:
        shift: take the embedding of so many tokens further on; anything but 0 is a sabotage.
    """
    model = load_model(MODEL)
    prompts, tokens = _prompts(model), range(1, int(model.cfg.d_vocab))
    turned = [1 + (token - 1 + shift) % len(tokens) for token in tokens]
    found, alarms = readings_on(model, prompts, _monitors(model, turned, action=Action.FLAG, reads="all+bos"))
    stands = np.array(prompts)[:, :, None] == np.array(tokens)
    wrong = float(np.abs(found.scores - stands).max())
    expected = {(row, prompt.index(token)) for row, prompt in enumerate(prompts) for token in set(prompt)}
    right = {(int(alarm.request), alarm.position) for alarm in alarms} == expected
    return wrong < 1e-4 and right, f"largest error of a score {wrong:.1e}; alarms {'' if right else 'not '}as expected"


def stops_in_time(*, action: Action = Action.STOP) -> tuple[bool, str]:
    """Whether rows end right after the token that raises the alarm, whatever else is decoded beside them.

    Args:
        action: anything but a stop is a sabotage.
    """
    model = load_model(MODEL)
    prompts, settings = _prompts(model), DecodingSettings(max_new_tokens=N_NEW, stop_tokens=())
    alone = decode(model, prompts, settings).tokens
    target = alone[0][N_NEW // 2]
    bank = _monitors(model, [target], action=action, reads="generated")
    found = decode_watched(model, prompts, bank, settings).decoded.tokens
    cut = [new[: new[:-1].index(target) + 1] if target in new[:-1] else new for new in alone]
    hits = sum(one == other for one, other in zip(found, cut, strict=True))
    return hits == N_PROMPTS, f"{hits} of {N_PROMPTS} rows"


def keeps_its_promise(*, taken_at: float = RATE) -> tuple[bool, str]:
    """Whether so many new controls lie above the threshold as were promised.

    Args:
        taken_at: the rate that the threshold is taken at; another one is a sabotage.
    """
    rng = np.random.default_rng(0)
    above = [norm.sf(threshold_at(rng.normal(size=N_CONTROLS), taken_at).value) for _ in range(N_SETS)]
    share = float(np.mean(above))
    return abs(share - RATE) < 0.005, f"{share:.2%}"
