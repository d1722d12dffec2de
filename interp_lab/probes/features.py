"""Activations at every layer and place: `(site, example, d)`, sites by hook point and within it by place."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.hooks import capture_at
from interp_lab.probes.examples import ProbeExamples
from interp_lab.types import HookedModel


def hooks_of(model: HookedModel, maps: Sequence[str]) -> tuple[str, ...]:
    """Return the hook points of maps, `embed` first and then layer by layer.

    Raises: ValueError, for a map that the model has not.
    """
    n_layers = int(model.cfg.n_layers)
    own = [name for name in maps if name != "embed"]
    found = [f"blocks.{layer}.hook_{name}" for layer in range(n_layers) for name in own]
    missing = next((hook for hook in found if hook not in model.hook_dict), None)
    if missing is not None:
        raise ValueError(f"the model has no hook point {missing!r}; leave {missing.rsplit('hook_')[-1]!r} out of sites")
    return tuple(dict.fromkeys([*(["blocks.0.hook_resid_pre"] if "embed" in maps else []), *found]))


def read_features(
    model: HookedModel, examples: ProbeExamples, hooks: Sequence[str], *, batch_size: int = 128
) -> Float[Tensor, "site example d"]:
    """Read activations at every hook point and place, on the CPU; each text goes through the model once.

    Raises: ValueError, for a hook point that the model has not; NonFiniteActivationError, for NaN or inf.
    """
    found = capture_at(
        model, examples.tokens, hooks, mask=examples.mask, rows=torch.as_tensor(examples.documents),
        places=torch.as_tensor(examples.places), batch_size=batch_size,
    )  # fmt: skip
    return torch.cat([found[hook] for hook in hooks])
