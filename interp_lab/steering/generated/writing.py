"""Continuations of many settings in one batch, each row with its own vectors and coefficient."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.decoding import Decoded, DecodingSettings, Steer, decode
from interp_lab.decoding.where import policy_of
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Intervention, Op
from interp_lab.steering.gates import Gate
from interp_lab.steering.setting import Setting, at_each_hook, operation, require_fitting
from interp_lab.types import HookedModel, Site


@dataclass(frozen=True)
class Subject:
    """A setting with what it needs, and random directions to stand beside it."""

    setting: Setting
    vectors: Float[Tensor, "hook d_model"]
    random: Float[Tensor, "draw hook d_model"]
    """As long as the vectors, hook by hook."""
    gate: Gate | None = None
    midpoints: Float[Tensor, " hook"] | None = None
    """As in `intervention_for`."""
    random_midpoints: Float[Tensor, "draw hook"] | None = None
    """The same along each random direction."""

    def drawn(self, nth: int) -> "Subject":
        """Return the same setting with one of its random directions."""
        setting = replace(self.setting, direction=f"random {nth + 1}")
        midpoints = None if self.random_midpoints is None else self.random_midpoints[nth]
        return Subject(setting, self.random[nth], self.random[:0], self.gate, midpoints)


@dataclass(frozen=True)
class Written:
    """What was written, row by row, and what steering did to it."""

    tokens: tuple[tuple[int, ...], ...]
    """Generated, stop token included."""
    texts: tuple[str, ...]
    touched: Float[np.ndarray, " row"]
    """Share of the tokens that were read whose activation was changed."""
    norm: Float[np.ndarray, " row"]
    """Mean length of the changes (activation units); 0 where there is none."""
    first: Float[np.ndarray, " row"]
    """1 where something was changed before the first token was written, else 0."""


def written(
    model: HookedModel,
    prompts: Sequence[Sequence[int]],
    subjects: Sequence[Subject | None],
    settings: Sequence[DecodingSettings],
    *,
    rows_at_once: int,
    progress: Progress = silent,
) -> Written:
    """Continue each prompt under its own setting, `None` for none; any settings may be mixed.

    Raises: ValueError, as `decode` and `steers_for`.
    """
    parts = []
    for first in range(0, len(prompts), rows_at_once):
        rows = slice(first, first + rows_at_once)
        steers = steers_of_rows(model, subjects[rows])
        decoded = decode(model, prompts[rows], settings[rows], steers=steers, allow_no_change=True)
        parts.append(_read(model, decoded))
        progress(min(first + rows_at_once, len(prompts)), len(prompts), "continuations")
    return Written(
        tuple(row for part in parts for row in part.tokens),
        tuple(text for part in parts for text in part.texts),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("touched", "norm", "first")),
    )


def steers_of_rows(model: HookedModel, subjects: Sequence[Subject | None]) -> tuple[Steer, ...]:
    """Return steers under which every row of a batch has its own vectors and coefficient, `None` for none.

    Rows that are steered at the same hooks and tokens in the same way share a steer, whatever their directions.
    """
    groups: dict[_Group, dict[int, Tensor]] = {}
    made: dict[int, tuple[Op, Tensor]] = {}
    for row, subject in enumerate(subjects):
        if subject is None:
            continue
        if id(subject) not in made:
            require_fitting(subject.setting, subject.vectors, subject.gate)
            made[id(subject)] = operation(subject.setting, subject.vectors, subject.midpoints)
        op, payload = made[id(subject)]
        groups.setdefault(_Group(subject.setting.hooks, op, subject.setting.where, subject.gate), {})[row] = payload
    return tuple(
        steer
        for nth, (group, payloads) in enumerate(groups.items())
        for steer in _steers(model, group, payloads, name=f"group {nth + 1}", n_rows=len(subjects))
    )


class _Group(NamedTuple):
    """What rows have in common that share a steer."""

    hooks: tuple[str, ...]
    op: Op
    where: str
    gate: Gate | None


def _steers(model: HookedModel, group: _Group, payloads: dict[int, Tensor], *, name: str, n_rows: int) -> list[Steer]:
    every = next(iter(payloads.values())).repeat(n_rows, 1, 1)  # rows of other groups are closed, whatever stands there
    open_rows = torch.zeros(n_rows, dtype=torch.bool)
    for row, payload in payloads.items():
        every[row], open_rows[row] = payload, True
    n_hooks = len(group.hooks)
    strengths = [None] * n_hooks if group.gate is None else at_each_hook(group.gate, n_hooks=n_hooks)
    return [
        Steer(
            Intervention(
                (Site(hook),), group.op, (every[:, nth],), f"{name} at {hook}", per_example=True, gate=open_rows
            ),
            policy_of(model, group.where),
            strength=strength,
        )
        for nth, (hook, strength) in enumerate(zip(group.hooks, strengths, strict=True))
    ]


def _read(model: HookedModel, decoded: Decoded) -> Written:
    """Take the continuations and the audit of one batch."""
    n_rows = len(decoded.prompts)
    lengths = torch.tensor([len(ids) for ids in decoded.prompts])
    n_read = torch.tensor([len(ids) - 1 for ids in decoded.sequences])  # the last token is never read
    norms = [touch.norms.nan_to_num() for touch in decoded.audit.touches]
    if not norms:
        nothing = np.zeros(n_rows)
        return Written(decoded.tokens, tuple(decoded.texts(model)), nothing, nothing, nothing)
    every = torch.stack(norms)
    changed = (every > 0).any(0)
    before = torch.arange(changed.shape[1]) < lengths[:, None]
    n_changes = (every > 0).sum((0, 2))
    return Written(
        tokens=decoded.tokens,
        texts=tuple(decoded.texts(model)),
        touched=(changed.sum(1) / n_read.clamp_min(1)).numpy().astype(np.float64),
        norm=(every.sum((0, 2)) / n_changes.clamp_min(1)).numpy().astype(np.float64),
        first=(changed & before).any(1).numpy().astype(np.float64),
    )
