"""An intervention while a model generates: at which tokens, how strongly in which row."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.decoding.batch import Window
from interp_lab.decoding.positions import Positions, everywhere
from interp_lab.interventions import Intervention
from interp_lab.types import Site

Strength = Callable[[Float[Tensor, "batch pos ..."], Window], Float[Tensor, "batch pos"]]
"""A factor for each token, from its activation and its place: a gate (0 or 1), a schedule.

It must decide on each token by itself, so that it says the same with a cache, where it sees one at a time. `gates` has
the usual ones.
"""


@dataclass(frozen=True)
class Steer:
    """An intervention, and the tokens of each row's own sequence at which it acts.

    A site's `position` is absolute, too (negative counts from the end of the prompt), and must agree
    with `where`. At attention patterns and scores the position is the query's, and only keys that the
    query may see are changed. Payloads have no position axis, or one of size 1; nor do they have a key axis.
    """

    intervention: Intervention
    where: Positions = everywhere()  # noqa: RUF009 - frozen, so one instance will do
    coefficients: Float[Tensor, " batch"] | None = None
    """Per prompt: a payload that is added or clamped to is multiplied by it (0 clamps the projection to 0); other
    operations go this share of the way. `None` is 1."""
    strength: Strength | None = None
    """Share of the way that the whole goes, token by token: 0 leaves a token as it is. Its activation is that at the
    hook point, before this edit."""

    def __post_init__(self) -> None:
        if self.coefficients is not None and not torch.isfinite(self.coefficients).all():
            raise ValueError(f"the coefficients of {self.intervention.name!r} hold NaN or inf")
        given = {name: getattr(self.intervention, name) for name in ("positions", "since", "tokens")}
        for what, value in given.items():
            if value is not None:
                raise ValueError(f"{self.name!r} has {what} per prompt; while decoding, `where` says which tokens")
        if self.intervention.codec is not None:
            raise ValueError(f"{self.name!r} acts on the latents of a codec; steer along its decoder direction instead")
        for site in self.intervention.sites:
            if site.by_query and site.latent is not None:
                raise ValueError(f"{site} names one key; during decoding keys move with the padding: name a head only")

    @property
    def name(self) -> str:
        """What tables call it: the intervention and its positions."""
        return f"{self.intervention.name} ({self.where})"

    def require_rows(self, n_rows: int) -> None:
        """Refuse to act on a number of prompts that it was not made for.

        Raises: ValueError, naming what has another number.
        """
        given = {"coefficients": self.coefficients, "gate": self.intervention.gate}
        if self.intervention.per_example:
            given |= {f"payload at {s}": p for s, p in zip(self.intervention.sites, self.intervention.payloads)}  # noqa: B905 - equal by construction
        for what, value in given.items():
            if value is not None and (value.ndim == 0 or len(value) != n_rows):
                raise ValueError(f"{what} of {self.name!r} is for {tuple(value.shape)} prompts, and there are {n_rows}")

    def rows(self, index: Int[Tensor, " batch"]) -> "Steer":
        """Return it for some of the prompts that it was made for."""
        coefficients = None if self.coefficients is None else self.coefficients[index.to(self.coefficients.device)]
        return replace(self, intervention=self.intervention.rows(index), coefficients=coefficients)

    def selected(self, position: int | None, window: Window) -> Bool[Tensor, "batch pos"]:
        """Return the tokens of a window at which it acts, at sites of this position."""
        selected = self.where(window)
        if position is not None:
            before = 0 if position >= 0 else window.prompt_lengths
            selected = selected & (window.positions == position + before)
        gate = self.intervention.gate
        return selected if gate is None else selected & gate.cpu()[:, None]

    def per_token(self, site: Site, payload: Tensor, *, n_axes: int) -> Tensor:
        """Return a payload with the batch and position axes of what the site holds, of size 1 where it has none.

        Args:
            n_axes: of what the site holds, batch and position first.

        Raises: ValueError, if it has a position axis, or a key axis, of its own.
        """
        batched = int(self.intervention.per_example)
        missing = n_axes - 2 + batched - payload.ndim
        has_positions = missing < 0
        if missing < -1 or (has_positions and payload.shape[batched] != 1):
            raise ValueError(
                f"the payload of {self.name!r} at {site} has shape {tuple(payload.shape)}, with a position axis; "
                "while decoding, positions are chosen by `where` or the site: give one value for all of them"
            )
        if site.by_query and payload.ndim > batched and payload.shape[-1] != 1:
            raise ValueError(f"the payload of {self.name!r} at {site} has a key axis, and keys grow; give one number")
        rest = payload.shape[batched + has_positions :]
        return payload.reshape(*payload.shape[:batched] or (1,), 1, *[1] * max(missing, 0), *rest)
