"""Record, replace, add and ablate activations, for the length of a `with` block.

The only place where hooks are registered. Names and indices are checked before anything runs,
activations are copied before they are edited, hooks are removed whatever happens, and an edit that
never fired is an error: a silent no-op is the commonest bug of intervention code.
"""

from interp_lab.hooks.edit import Edit, HookNeverFiredError, ablate, add, edited, replace
from interp_lab.hooks.places import capture_at
from interp_lab.hooks.record import NonFiniteActivationError, capture, masked, ready_tokens, record, require_finite
from interp_lab.hooks.sites import (
    at_site,
    device_of,
    hook_names,
    n_heads_at,
    read_only_hooks,
    require_editable,
    require_hook,
    require_site,
    site_index,
)
from interp_lab.hooks.watch import Look, watched

__all__ = [
    "Edit",
    "HookNeverFiredError",
    "Look",
    "NonFiniteActivationError",
    "ablate",
    "add",
    "at_site",
    "capture",
    "capture_at",
    "device_of",
    "edited",
    "hook_names",
    "masked",
    "n_heads_at",
    "read_only_hooks",
    "ready_tokens",
    "record",
    "replace",
    "require_editable",
    "require_finite",
    "require_hook",
    "require_site",
    "site_index",
    "watched",
]
