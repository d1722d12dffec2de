"""Edit activations for the length of a `with` block."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from interp_lab.hooks.sites import at_site, require_editable, require_site
from interp_lab.types import HookedModel, Site

Edit = Callable[[Tensor], Tensor]
"""Takes a copy of an activation (free to write into it), returns what the model goes on with."""


class HookNeverFiredError(RuntimeError):
    """An edit was installed and the model ran, or should have run, without passing through it."""


@contextmanager
def edited(model: HookedModel, edits: Mapping[str, Edit]) -> Generator[dict[str, int]]:
    """Edit activations while the block runs; yields how often each hook point fired.

    Each edit is given a copy of the activation. Hooks are removed on leaving, also by an exception,
    and only these: hooks that were there before stay.

    Args:
        edits: by full hook name.

    Raises:
        ValueError, for no hook points, or one that the model has not or that takes no edits.
        HookNeverFiredError, on leaving without an exception, if an edit was never reached.
    """
    if not edits:
        raise ValueError("no hook point to edit: the block would change nothing; name at least one site")
    for name in edits:
        require_editable(model, name)
    fired = dict.fromkeys(edits, 0)

    def hook_for(name: str) -> Callable[..., Tensor]:
        def run(activation: Tensor, hook: object) -> Tensor:
            fired[name] += 1
            return edits[name](activation.clone())

        return run

    with model.hooks(fwd_hooks=[(name, hook_for(name)) for name in edits]):
        yield fired
    silent = [name for name, count in fired.items() if count == 0]
    if silent:
        raise HookNeverFiredError(
            f"{', '.join(silent)} never fired: the model was not run inside the block, or stopped before it"
        )


def edited_at(model: HookedModel, sites: Sequence[Site], edit: Edit) -> Mapping[str, Edit]:
    """Return edits, by hook name, that apply `edit` to the view of each site; sites are checked first."""
    by_hook: dict[str, list[Site]] = {}
    for site in sites:
        require_site(model, site)
        by_hook.setdefault(site.hook, []).append(site)

    def edit_all(activation: Tensor, these: list[Site]) -> Tensor:
        for site in these:
            view = at_site(activation, site)
            view.copy_(edit(view))
        return activation

    return {name: (lambda activation, these=these: edit_all(activation, these)) for name, these in by_hook.items()}


@contextmanager
def replace(model: HookedModel, site: Site, value: Tensor) -> Generator[dict[str, int]]:
    """Replace the activation at a site by `value`, which must broadcast to it; raises as `edited`, `require_site`."""
    with edited(model, edited_at(model, [site], lambda view: _fitting(value, view, site).expand_as(view))) as fired:
        yield fired


@contextmanager
def add(model: HookedModel, site: Site, value: Tensor) -> Generator[dict[str, int]]:
    """Add `value`, which must broadcast, to the activation at a site; raises as `edited` and `require_site`."""
    with edited(model, edited_at(model, [site], lambda view: view + _fitting(value, view, site))) as fired:
        yield fired


@contextmanager
def ablate(model: HookedModel, *sites: Site) -> Generator[dict[str, int]]:
    """Set the activations at the sites to zero (mean and resample ablation: `interventions.ablation`)."""
    with edited(model, edited_at(model, sites, torch.zeros_like)) as fired:
        yield fired


def _fitting(value: Tensor, view: Tensor, site: Site) -> Tensor:
    try:
        fits = torch.broadcast_shapes(value.shape, view.shape) == view.shape
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(f"a value of shape {tuple(value.shape)} does not broadcast to {tuple(view.shape)} at {site}")
    return value.to(view)
