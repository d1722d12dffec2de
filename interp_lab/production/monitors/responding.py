"""What the model writes under alarms: rows that end, and responses that act from the alarm on."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from interp_lab.decoding import DecodingSettings
from interp_lab.interventions import Intervention, Op
from interp_lab.production.monitors.bank import MonitorBank
from interp_lab.production.monitors.cases import Cases, says_it
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.production.monitors.monitor import Action, Monitor
from interp_lab.production.monitors.watched import decode_watched
from interp_lab.types import HookedModel, Site


@dataclass(frozen=True)
class Outcome:
    """What became of each text."""

    says: Float[np.ndarray, " text"]
    """1 where a word was written that should not be."""
    changed: Float[np.ndarray, " text"]
    """1 where something else was written than unwatched."""
    alarmed: Float[np.ndarray, " text"]


def hook_after(hook: str) -> str:
    """Return the hook point, after the layer that follows a monitor's, at which responses act."""
    layer = Site(hook).layer
    assert layer is not None, "monitors of the experiment read layers"
    return f"blocks.{layer + 1}.hook_resid_post"


def responding(monitor: Monitor, added: Float[np.ndarray, " d"], *, name: str) -> Monitor:
    """Return a monitor that adds a vector, in the next layer, from the token that raises its alarm on."""
    payload = torch.from_numpy(np.asarray(added, dtype=np.float32))
    response = Intervention((Site(hook_after(monitor.hook)),), Op.ADD, (payload,), name)
    return replace(monitor, action=Action.STEER, response=response, at_once=True)


def stopping(monitor: Monitor) -> Monitor:
    """Return a monitor that ends a text before the token that follows its alarm."""
    return replace(monitor, action=Action.STOP)


def outcome(model: HookedModel, cases: Cases, monitor: Monitor, config: MonitorsConfig) -> Outcome:
    """Let the model write again, under the eyes of a monitor that acts."""
    written: list[tuple[int, ...]] = []
    alarmed = np.zeros(len(cases))
    settings = DecodingSettings(max_new_tokens=cases.n_new, stop_tokens=())
    for start in range(0, len(cases), config.batch_size):
        found = decode_watched(
            model, cases.prompts[start : start + config.batch_size], MonitorBank((monitor,)), settings
        )
        written += found.decoded.tokens
        alarmed[[start + alarm.row for alarm in found.alarms]] = 1.0
    changed = np.array([new != old for new, old in zip(written, cases.written, strict=True)], dtype=np.float64)
    return Outcome(says_it(model, written, config).astype(np.float64), changed, alarmed)
