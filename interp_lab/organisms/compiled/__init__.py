"""Tiny attention-only models whose weights were written by hand, so that their circuits are known to the edge."""

from collections.abc import Callable

from interp_lab.organisms.compiled.backup import compile_backup
from interp_lab.organisms.compiled.copying import compile_copying
from interp_lab.organisms.compiled.duplicate_token import compile_duplicate_token
from interp_lab.organisms.compiled.induction import compile_induction, compile_look_alike
from interp_lab.organisms.compiled.linear import compile_linear
from interp_lab.organisms.compiled.model import CompiledModel, Pairs
from interp_lab.organisms.compiled.truth import ATTENTION_TYPES, AblationName, HeadType, Knockout, Truth
from interp_lab.types import nearest

_COMPILERS: dict[str, Callable[[], CompiledModel]] = {
    "compiled/induction": compile_induction,
    "compiled/duplicate-token": compile_duplicate_token,
    "compiled/copying": compile_copying,
    "compiled/look-alike": compile_look_alike,
    "compiled/backup": compile_backup,
    "compiled/linear": compile_linear,
}

__all__ = [
    "ATTENTION_TYPES",
    "AblationName",
    "CompiledModel",
    "HeadType",
    "Knockout",
    "Pairs",
    "Truth",
    "compile_model",
    "compiled_names",
]


def compiled_names() -> tuple[str, ...]:
    """Return the names of the compiled models."""
    return tuple(_COMPILERS)


def compile_model(name: str) -> CompiledModel:
    """Write a compiled model's weights; the same bits every time, and new tensors every time.

    Raises: ValueError, for a name that is not among `compiled_names()`.
    """
    if name not in _COMPILERS:
        raise ValueError(
            f"no compiled model {name!r}{nearest(name, _COMPILERS)}; there are: {', '.join(compiled_names())}"
        )
    return _COMPILERS[name]()
