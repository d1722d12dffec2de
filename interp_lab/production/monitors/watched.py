"""Texts under watch: generated ones, and texts as they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from interp_lab.decoding import Decoded, DecodingSettings, Prompts, Steer, Window, decode, prompt_ids
from interp_lab.decoding.batch import Batch
from interp_lab.hooks import capture, device_of
from interp_lab.production.monitors.alarms import Alarm, EventLog, OnAlarm
from interp_lab.production.monitors.bank import MonitorBank
from interp_lab.production.monitors.readings import Readings
from interp_lab.production.monitors.watching import Watching
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Watched:
    """What was generated, and what the monitors said meanwhile."""

    decoded: Decoded
    readings: Readings
    alarms: tuple[Alarm, ...]


def decode_watched(
    model: HookedModel,
    prompts: Prompts,
    bank: MonitorBank,
    settings: DecodingSettings | Sequence[DecodingSettings] | None = None,
    *,
    steers: Sequence[Steer] = (),
    on_alarm: OnAlarm | None = None,
    log: EventLog | None = None,
    cache: bool = True,
) -> Watched:
    """Generate under the eyes of monitors, which act as each of them says.

    Raises: as `decode`; ValueError, for monitors that do not fit the model.
    """
    watching = Watching(model, bank, on_alarm=on_alarm, log=log)
    decoded = decode(model, prompts, settings, steers=[*steers, *watching.steers], watcher=watching, cache=cache)
    return Watched(decoded, watching.readings(), tuple(watching.alarms))


def readings_on(
    model: HookedModel,
    prompts: Prompts,
    bank: MonitorBank,
    *,
    prompt_lengths: Sequence[int] | None = None,
    batch_size: int = 64,
) -> tuple[Readings, tuple[Alarm, ...]]:
    """Read texts as they are, in one forward pass each; the numbers are those of a decoding that wrote them.

    Args:
        prompt_lengths: tokens of each text that count as its prompt; `None` counts all of them.

    Raises: ValueError, for texts as `prompt_ids`, or monitors that do not fit the model.
    """
    ids = prompt_ids(model, prompts)
    lengths = [len(one) for one in ids] if prompt_lengths is None else list(prompt_lengths)
    if len(lengths) != len(ids):
        raise ValueError(f"{len(lengths)} lengths of prompts for {len(ids)} texts; give one each")
    found, alarms = [], []
    for start in range(0, len(ids), batch_size):
        rows = range(start, min(start + batch_size, len(ids)))
        watching = Watching(model, bank, requests=[str(row) for row in rows])
        _pass(model, [ids[row] for row in rows], [lengths[row] for row in rows], watching)
        found.append(watching.readings())
        alarms += watching.alarms
    return _joined(bank.names, found), tuple(alarms)


def _pass(model: HookedModel, ids: Sequence[Sequence[int]], lengths: Sequence[int], watching: Watching) -> None:
    whole = Batch(ids, n_new=0)
    window = whole.window(whole.length)
    window = Window(window.tokens, window.positions, torch.tensor(lengths)[:, None], window.rows)
    device = device_of(model)
    held = capture(model, window.tokens.to(device), watching.hooks, mask=window.real.to(device))
    with torch.inference_mode():
        for hook in watching.hooks:
            watching.observe(hook, held[hook], window)
        watching.stopping()


def _joined(names: tuple[str, ...], parts: Sequence[Readings]) -> Readings:
    width = max(part.scores.shape[1] for part in parts)

    def wide(values: Float[np.ndarray, "row pos monitor"]) -> Float[np.ndarray, "row wide monitor"]:
        return np.pad(values, ((0, 0), (0, width - values.shape[1]), (0, 0)), constant_values=np.nan)

    together = [np.concatenate([wide(getattr(part, name)) for part in parts]) for name in ("scores", "running")]
    return Readings(names, *together)
