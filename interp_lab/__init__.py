"""Mechanistic interpretability as measurement.

Importing the package loads nothing heavy; `interp_lab.load_model` and friends are resolved on
first use, so that `interp-lab --help` never pays for torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "load_model": "interp_lab.models",
    "WeightProcessing": "interp_lab.types",
    "Site": "interp_lab.types",
    "load_result": "interp_lab.registry",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol
    """Resolve a public name on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'interp_lab' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(_PUBLIC[name]), name)
