"""What latents write, added along directions: the cheapest way to change latents whose values are known already."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.engine import sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Intervention, Op
from interp_lab.metrics import Metric
from interp_lab.types import HookedModel, Site, Tokens


@dataclass(frozen=True)
class Directions:
    """A dictionary that reads nothing and writes its rows: what is added to a latent is added along its row."""

    decoder_rows: Float[Tensor, "latent d_in"]

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return zeros."""
        return activation.new_zeros(()).expand(*activation.shape[:-1], len(self.decoder_rows))

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return the sum of the rows, so many times each."""
        return latents @ self.decoder_rows.to(latents)


@dataclass(frozen=True)
class Prompts:
    """What is run, what is read of it, and where the dictionary stands."""

    model: HookedModel
    hook: str
    tokens: Tokens
    mask: Bool[Tensor, "batch pos"]
    metric: Metric
    memory_budget: int | None = None

    def adding(
        self, rows: Float[Tensor, "row d_in"], changes: Sequence[Float[Tensor, "batch pos"]], *, what: str
    ) -> list[Intervention | None]:
        """Return one intervention per row: so many times the row are added at each token.

        A prompt without any change is not run at all, and before its first change nothing is computed anew.

        Returns: `None` where nothing changes on any prompt.
        """
        directions = Directions(rows)
        return [
            self._intervention(
                (Site(self.hook, latent=nth),), (change,), change != 0, f"{what} {nth}", codec=directions
            )
            for nth, change in enumerate(changes)
        ]

    def adding_vectors(self, vectors: Float[Tensor, "batch pos d_in"], *, what: str) -> Intervention | None:
        """Return the intervention that adds a vector at each token; `None` if all are zero."""
        shape = _shape_at(self.model, self.hook)
        payload = vectors.unflatten(-1, shape) if len(shape) > 1 else vectors
        return self._intervention((Site(self.hook),), (payload,), (vectors != 0).any(-1), what, codec=None)

    def measured(
        self, made: Sequence[Intervention | None], *, metric: Metric | None = None, progress: Progress = silent
    ) -> Float[np.ndarray, "site example"]:
        """Return what each intervention changes of the metric; nothing where there is none to make."""
        there = [nth for nth, one in enumerate(made) if one is not None]
        changes = np.zeros((len(made), len(self.tokens)))
        if there:
            wanted = [one for one in made if one is not None]
            changes[there] = sweep(
                self.model, self.tokens, wanted, metric or self.metric, mask=self.mask,
                memory_budget=self.memory_budget, progress=progress,
            ).changes  # fmt: skip
        return changes

    def _intervention(
        self,
        sites: tuple[Site, ...],
        payloads: tuple[Tensor, ...],
        touched: Bool[Tensor, "batch pos"],
        name: str,
        *,
        codec: Directions | None,
    ) -> Intervention | None:
        gate = touched.any(1)
        if not bool(gate.any()):
            return None
        first = torch.where(gate, touched.long().argmax(1), 0)
        return Intervention(
            sites, Op.ADD, payloads, name, per_example=True, gate=gate.cpu(), since=first.cpu(), codec=codec
        )


def _shape_at(model: HookedModel, hook: str) -> tuple[int, ...]:
    """Return the shape of one token's activation, as far as it is split by head."""
    if not Site(hook).has_head_axis:
        return (-1,)
    return (int(model.cfg.n_heads), int(model.cfg.d_head))
