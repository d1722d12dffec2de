"""Which layers, rows and tokens were touched while decoding, and by how much each activation changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.types import Site


class TouchedNothingError(RuntimeError):
    """A model was steered while decoding, and not one activation changed."""


@dataclass(frozen=True)
class Touch:
    """What one steer did at one hook point."""

    steer: str
    hook: str
    norms: Float[Tensor, "batch pos"]
    """Euclidean length of the change, by prompt and absolute position; NaN where it did not act."""

    @property
    def touched(self) -> Bool[Tensor, "batch pos"]:
        """Where it acted, be it with a change of zero."""
        return ~self.norms.isnan()

    @property
    def changed(self) -> Bool[Tensor, "batch pos"]:
        """Where the activation is another one after it."""
        return self.norms.nan_to_num() > 0


@dataclass(frozen=True)
class Audit:
    """Every change made while decoding; empty if nothing was asked for."""

    touches: tuple[Touch, ...] = ()

    def untouched_rows(self) -> list[int]:
        """Return the prompts that some steer did not act on, at some of its hook points."""
        rows = [touch.touched.any(-1) for touch in self.touches]
        return (~torch.stack(rows).all(0)).nonzero()[:, 0].tolist() if rows else []

    def table(self) -> pd.DataFrame:
        """Return one line per steer, hook point, row and absolute position that was touched."""
        lines = []
        for touch in self.touches:
            for row, position in touch.touched.nonzero().tolist():
                place = {"steer": touch.steer, "hook": touch.hook, "layer": Site(touch.hook).layer}
                lines.append({**place, "row": row, "position": position, "norm": float(touch.norms[row, position])})
        return pd.DataFrame(lines, columns=["steer", "hook", "layer", "row", "position", "norm"])

    def require_touch(self) -> None:
        """Refuse a steer that acted nowhere at one of its hook points.

        Raises: TouchedNothingError.
        """
        for touch in self.touches:
            if not touch.touched.any():
                raise TouchedNothingError(
                    f"{touch.steer} touched nothing at {touch.hook}: no token that the model read was selected "
                    "(the last token generated is never read); look at its positions and its gate"
                )

    def require_change(self, steer: str) -> None:
        """Refuse a steer that acted, but left every activation as it was.

        Raises: TouchedNothingError.
        """
        own = [touch for touch in self.touches if touch.steer == steer]
        if own and not any(touch.changed.any() for touch in own):
            raise TouchedNothingError(
                f"{steer} changed nothing at {', '.join(touch.hook for touch in own)}: every change has length zero; "
                "if that is what it should do (an inert head, say), pass allow_no_change=True"
            )


PENDING = 2**16
"""Norms that may wait to be filed: one by one they cost more than what they measure."""


@dataclass(frozen=True)
class _Note:
    key: tuple[int, str]
    rows: Int[Tensor, " batch"]
    positions: Int[Tensor, "batch pos"]
    selected: Bool[Tensor, "batch pos"]
    norms: Float[Tensor, "batch pos"]
    """On the model's device; fetched when they are filed."""


class Auditor:
    """Collects norms while decoding."""

    def __init__(self, *, n_rows: int, n_positions: int) -> None:
        self._shape = (n_rows, n_positions)
        self._norms: dict[tuple[int, str], Tensor] = {}
        self._notes: list[_Note] = []
        self._waiting = 0

    def expect(self, nth: int, hook: str) -> None:
        """Announce a steer, by number, and one of its hook points; until noted, it touched nothing there."""
        self._norms[nth, hook] = torch.full(self._shape, torch.nan)

    def note(
        self,
        nth: int,
        hook: str,
        *,
        rows: Int[Tensor, " batch"],
        positions: Int[Tensor, "batch pos"],
        selected: Bool[Tensor, "batch pos"],
        norms: Float[Tensor, "batch pos"],
    ) -> None:
        """Keep the norms of the tokens that were selected."""
        self._notes.append(_Note((nth, hook), rows, positions, selected, norms))
        self._waiting += norms.numel()
        if self._waiting > PENDING:
            self._file()

    def audit(self, names: Sequence[str]) -> Audit:
        """Return what was collected, under the steers' names."""
        self._file()
        found = [(names[nth], hook, norms.clone()) for (nth, hook), norms in self._norms.items()]
        return Audit(tuple(Touch(name, hook, norms) for name, hook, norms in found))

    def _file(self) -> None:
        """Put what is waiting into its place; of one token noted twice, the later number counts."""
        by_key: dict[tuple[tuple[int, str], int], list[_Note]] = {}
        for note in self._notes:
            # A step of one column reads other positions than those before it, so that their order does not matter.
            alone = note.norms.shape[1] == 1
            by_key.setdefault((note.key, -1 if alone else len(by_key)), []).append(note)
        for (key, _), notes in by_key.items():
            width = notes[0].norms.shape[1]
            rows = torch.cat([note.rows for note in notes])[:, None].expand(-1, width)
            selected, positions, norms = (
                torch.cat([getattr(note, name) for note in notes]) for name in ("selected", "positions", "norms")
            )
            self._norms[key][rows[selected], positions[selected]] = norms.cpu()[selected].to(self._norms[key])
        self._notes, self._waiting = [], 0
