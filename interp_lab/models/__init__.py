"""The only place where a model is built: bundled, compiled, from a directory, from the hub; on either backend.

`models.experiment` (experiments on a model) is imported by its own name: it needs run folders, and with them half a
second of pandas, which whoever loads a model should not wait for.
"""

from interp_lab.models.build import build_hooked
from interp_lab.models.forward import forward_from
from interp_lab.models.identity import declare_identity, identity_of
from interp_lab.models.load import known_models, load_model, shape_named
from interp_lab.models.shape import is_bridge, is_causal, n_heads, n_key_value_heads, norm_kind, norms_after

__all__ = [
    "build_hooked",
    "declare_identity",
    "forward_from",
    "identity_of",
    "is_bridge",
    "is_causal",
    "known_models",
    "load_model",
    "n_heads",
    "n_key_value_heads",
    "norm_kind",
    "norms_after",
    "shape_named",
]
