"""A direction at each of several hook points, with the model that it belongs to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.hooks import require_hook
from interp_lab.identity import Direction, ModelIdentity
from interp_lab.models import identity_of
from interp_lab.models.hub import official_name
from interp_lab.types import HookedModel, nearest


@dataclass(frozen=True)
class Directions:
    """Directions of one kind, such as those from negative to positive texts, by hook point.

    The scale belongs to them: one coefficient means the same for every method (see `directions_of`).
    """

    vectors: Float[Tensor, "hook d"]
    hooks: tuple[str, ...]
    """Full names, in the order of the vectors."""
    model: ModelIdentity
    """On which they were found; checked on use."""
    method: str
    """How they were found, such as `mean_difference`."""
    name: str
    """What they stand for, such as the name of a contrast."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of how they were made; plain data, as JSON has it."""

    def __post_init__(self) -> None:
        if not self.hooks or len(self.hooks) != len(self.vectors):
            raise ValueError(
                f"directions {self.name!r} have {len(self.vectors)} vectors for {len(self.hooks)} hook points; give "
                "each hook point one, and at least one"
            )
        twice = next((hook for hook in self.hooks if self.hooks.count(hook) > 1), None)
        if twice is not None:
            raise ValueError(f"directions {self.name!r} name {twice!r} twice; give each hook point one vector")
        for hook, vector in zip(self.hooks, self.vectors, strict=True):
            if not bool(vector.isfinite().all()):
                raise ValueError(f"the direction {self.name!r} at {hook} holds NaN or inf; leave that hook point out")
            if not bool(vector.any()):
                raise ValueError(
                    f"the direction {self.name!r} at {hook} has length zero, so it points nowhere; leave that hook "
                    "point out (to steer by nothing, use the coefficient 0)"
                )

    @property
    def width(self) -> int:
        """Entries of a vector."""
        return self.vectors.shape[-1]

    @property
    def norms(self) -> Float[Tensor, " hook"]:
        """Length at each hook point, in units of activation."""
        return self.vectors.norm(dim=-1)

    def at(self, hook: str) -> Direction:
        """Return the direction at one hook point.

        Raises: ValueError, for a hook point where there is none, with the nearest.
        """
        return Direction(self.vectors[self._index(hook)], hook, self.model, self.method)

    def only(self, hooks: Sequence[str]) -> "Directions":
        """Return the directions at some of the hook points, in this order.

        Raises: ValueError, as `at`, or for no hook point.
        """
        index = [self._index(hook) for hook in hooks]
        return replace(self, vectors=self.vectors[index], hooks=tuple(hooks))

    def times(self, factor: float) -> "Directions":
        """Return them longer or shorter, or pointing the other way; `about["times"]` says by how much in all.

        Raises: ValueError, for zero, NaN or inf.
        """
        if not math.isfinite(factor) or factor == 0:
            raise ValueError(f"directions times {factor} are none; give a finite factor that is not zero")
        about = {**self.about, "times": factor * self.about.get("times", 1.0)}
        if self.midpoints is not None:
            about["midpoint"] = {hook: math.copysign(1, factor) * at for hook, at in self.about["midpoint"].items()}
        return replace(self, vectors=self.vectors * factor, about=about)

    @property
    def midpoints(self) -> Float[Tensor, " hook"] | None:
        """Projection on each vector of the point halfway between the two sides of its contrast, in units of activation.

        That is what a clamp of coefficient 0 sets. `None` if no contrast is known: of a probe, or of a foreign file.
        """
        known = self.about.get("midpoint")
        return None if known is None else torch.tensor([known[hook] for hook in self.hooks]).to(self.vectors)

    def require_fits(self, model: HookedModel) -> None:
        """Refuse a model other than the one that they were found on, or one without their hook points.

        Two names of one model are the same, and of the weight processing only those steps count that change
        activations at these hook points (`identity.steps_seen_at`).

        Raises: ValueError, for another model, weight processing, hook point or width, naming what differs.
        """
        own, made_on = identity_of(model), self.model
        if own.name != made_on.name and official_name(own.name) == (official_name(made_on.name) or ""):
            made_on = replace(made_on, name=own.name)
        own.require_same(made_on, what=f"directions {self.name!r}", hooks=self.hooks)
        for hook in self.hooks:
            require_hook(model, hook)
            width = width_at(model, hook)
            if width != self.width:
                raise ValueError(
                    f"directions {self.name!r} have {self.width} entries, and activations at {hook} have {width}; use "
                    "directions that were found there"
                )

    def _index(self, hook: str) -> int:
        if hook not in self.hooks:
            raise ValueError(
                f"directions {self.name!r} have none at {hook!r}{nearest(hook, self.hooks)}; they are at "
                f"{', '.join(self.hooks)}"
            )
        return self.hooks.index(hook)


def width_at(model: HookedModel, hook: str) -> int:
    """Return how many entries a token's activation at a hook point has; heads lie on an axis of their own.

    Raises: ValueError, for a hook point where a token has no single vector.
    """
    cfg, last = model.cfg, hook.rpartition(".")[2]
    if hook.endswith((".mlp.hook_pre", ".mlp.hook_post", ".mlp.hook_pre_linear")):
        return int(cfg.d_mlp)
    if last in _OF_THE_STREAM or last.startswith("hook_resid"):
        return int(cfg.d_model)
    raise ValueError(
        f"a token has no single vector at {hook!r}; take directions at hook_resid_pre, hook_resid_mid, "
        "hook_resid_post, hook_attn_out, hook_mlp_out or mlp.hook_post"
    )


_OF_THE_STREAM = ("hook_embed", "hook_pos_embed", "hook_attn_out", "hook_mlp_out", "hook_mlp_in", "hook_normalized")
