"""Look at activations as the model computes them, and leave them as they are."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from torch import Tensor

from interp_lab.hooks.sites import require_hook
from interp_lab.types import HookedModel

Look = Callable[[Tensor], None]
"""Takes a copy of an activation, after the edits that were installed before."""


@contextmanager
def watched(model: HookedModel, looks: Mapping[str, Look]) -> Generator[None]:
    """Show the activations of every forward pass inside the block to functions that return nothing.

    They see a copy, so that nothing they do reaches the model.

    Args:
        looks: by full hook name.

    Raises: ValueError, for a hook point that the model has not.
    """
    for name in looks:
        require_hook(model, name)

    def hook_for(name: str) -> Callable[..., None]:
        def look(activation: Tensor, hook: object) -> None:
            looks[name](activation.detach().clone())

        return look

    with model.hooks(fwd_hooks=[(name, hook_for(name)) for name in looks]):
        yield
