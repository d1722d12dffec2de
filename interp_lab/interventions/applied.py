"""Interventions in force for the length of a `with` block, whatever runs in it."""

from collections.abc import Generator
from contextlib import contextmanager

from interp_lab.hooks import Edit, edited, require_site
from interp_lab.interventions.combined import Combined, in_turn
from interp_lab.interventions.intervention import Intervention
from interp_lab.types import HookedModel


@contextmanager
def applied(model: HookedModel, *interventions: Intervention | Combined) -> Generator[dict[str, int]]:
    """Apply interventions, in order, while the block runs; yields how often each hook point fired.

    Raises: ValueError, for a site the model has not; HookNeverFiredError, if one was never reached.
    """
    edits: dict[str, list[Edit]] = {}
    for intervention in interventions:
        for site in intervention.sites:
            require_site(model, site)
        for hook, edit in intervention.edits().items():
            edits.setdefault(hook, []).append(edit)
    with edited(model, {hook: in_turn(these) for hook, these in edits.items()}) as fired:
        yield fired
