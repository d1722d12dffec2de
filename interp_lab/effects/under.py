"""What an earlier run found to steer with, applied again: how it is written down, read back, and put into a model.

A steering run leaves `leading.safetensors`: for each side that something leads to, what is done where, resolved to one
operation with one vector at each hook point. Whoever measures under it needs no more than that.
"""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.config import RunRef
from interp_lab.decoding.where import Prompted, policy_of
from interp_lab.identity import ModelIdentity
from interp_lab.interventions import Intervention, Op, applied
from interp_lab.models.identity import identity_of
from interp_lab.runs.consumed import require_usable_in_fold
from interp_lab.runs.tensors import TensorFileError, load_tensors, save_tensors
from interp_lab.types import HookedModel, Site

LEADING = "leading"
"""Artefact of a run, and name of its file: what leads; `leading positive` and `leading negative` name a side."""
FORMAT = "interp_lab leading 1"
_WAY_OUT = "run the steering again, with this version"


@dataclass(frozen=True)
class Under:
    """One way of acting on a model, whole: where, on which tokens, what, with which vectors."""

    name: str
    side: str
    """`positive` or `negative`: where it moves the target to."""
    model: ModelIdentity
    """On which it was found."""
    hooks: tuple[str, ...]
    op: Op
    vectors: Float[Tensor, "hook d"]
    """Payload at each hook point: what is added, projected out, or clamped to."""
    where: str
    """Position policy, see `decoding.where`."""
    narrows: bool = False
    """Whether the target is a gap, and becomes smaller: that of the two sides which is meant unless one is named."""

    def intervention(self, model: HookedModel, batch: Prompted) -> Intervention:
        """Return what it does to a batch.

        Raises: ValueError, for a word of the policy that the tokenizer does not know.
        """
        tokens = policy_of(model, self.where)(batch.window)
        sites = tuple(Site(hook) for hook in self.hooks)
        if not tokens.any():
            return Intervention(sites, Op.ADD, tuple(torch.zeros_like(self.vectors)), self.name)
        return Intervention(sites, self.op, tuple(self.vectors), self.name, tokens=tokens)


@contextmanager
def in_force(model: HookedModel, under: Under | None, batch: Prompted) -> Generator[None]:
    """Put it into the model for one batch, while the block runs; `None` leaves the model as it is.

    Raises: ValueError, as `Under.intervention` and `interventions.applied`.
    """
    if under is None:
        yield
        return
    with applied(model, under.intervention(model, batch)):
        yield


def save_leading(found: Sequence[Under], folder: Path) -> None:
    """Write what leads into a run's folder; nothing, if nothing does."""
    if not found:
        return
    plain = [_plain(one) for one in found]
    header = {"format": FORMAT, "leading": json.dumps(plain, sort_keys=True)}
    save_tensors(folder / f"{LEADING}.safetensors", {one.side: one.vectors for one in found}, header=header)


def under_from(ref: RunRef, model: HookedModel) -> Under:
    """Return what a steering run found, for a model in memory.

    Args:
        ref: its artefact is `leading`, or names a side (`leading negative`).

    Raises: ValueError (TensorFileError, where it is the file's), if nothing leads there or not to that side, both sides
        might be meant, or it was found on a model of another kind or weight processing; FoldError, for a run that may
        not be used in the fold in force.
    """
    require_usable_in_fold(ref)
    asked = ref.artefact.removeprefix(LEADING).strip()
    if not ref.artefact.startswith(LEADING) or asked not in ("", "positive", "negative"):
        raise ValueError(
            f"artefact {ref.artefact!r} is nothing that can be applied; name {LEADING!r}, '{LEADING} positive' or "
            f"'{LEADING} negative'"
        )
    path = ref.run / f"{LEADING}.safetensors"
    if not path.is_file():
        raise TensorFileError(
            f"{ref.run} holds no {path.name}: it is no run of steering, an older one, one whose leading settings have "
            f"gates, or nothing leads in it; {_WAY_OUT}"
        )
    header, tensors = load_tensors(path, what="file of what leads", way_out=_WAY_OUT, expected=FORMAT)
    every = [_read(one, tensors) for one in json.loads(header["leading"])]
    found = _meant(every, asked, ref)
    identity_of(model).require_same(found.model, what=f"what leads in {ref.run}", hooks=found.hooks)
    return found


def _meant(every: Sequence[Under], asked: str, ref: RunRef) -> Under:
    wanted = [one for one in every if asked in ("", one.side)]
    if not asked and len(wanted) > 1:
        wanted = [one for one in wanted if one.narrows] or wanted
    if len(wanted) != 1:
        sides = ", ".join(f"'{LEADING} {one.side}'" for one in every)
        raise ValueError(f"artefact {ref.artefact!r} of {ref.run} names {len(wanted)} settings; there are: {sides}")
    return wanted[0]


def _plain(one: Under) -> dict[str, Any]:
    return {
        "name": one.name,
        "side": one.side,
        "model": one.model.as_dict(),
        "hooks": one.hooks,
        "op": one.op.value,
        "where": one.where,
        "narrows": one.narrows,
    }


def _read(plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Under:
    told = {name: plain[name] for name in ("name", "side", "where", "narrows")}
    model, hooks = ModelIdentity.from_dict(plain["model"]), tuple(plain["hooks"])
    return Under(model=model, hooks=hooks, op=Op(plain["op"]), vectors=tensors[plain["side"]], **told)
