"""`load_model`: from a name or a path to a model with an identity."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from interp_lab.identity import WeightProcessing
from interp_lab.models.build import build_hooked
from interp_lab.models.hub import closest_names, load_from_hub, official_name
from interp_lab.models.identity import declare_identity, identity_of
from interp_lab.models.local import load_directory
from interp_lab.models.native import to_bridge
from interp_lab.models.settings import device_named, dtype_named, processing_named
from interp_lab.models.tokenizers import read_tokenizer
from interp_lab.models.untrained import draw_anew, generator_of_named
from interp_lab.types import HookedModel, nearest

_COMPILED = "compiled/"
_UNTRAINED = re.compile(r"untrained(?:@(\d+))?/(.+)")
"""A model with the shape and the tokenizer of another, and weights drawn at random by a seed."""
Backend = Literal["hooked", "bridge"]


def load_model(
    name_or_path: str | Path,
    device: str | None = None,
    *,
    dtype: str | torch.dtype = "float32",
    processing: WeightProcessing | str = "folded",
    backend: Backend = "hooked",
) -> HookedModel:
    """Load a model in eval mode, with an identity that says what it is (`identity_of`).

    A name is looked up among the bundled models (`organism-attn`), the compiled ones
    (`compiled/induction`), the directories on disk, and the names that TransformerLens knows on the
    hub, in that order; a `Path` is a directory. Only the last kind ever uses the network. With `untrained/` before it
    (`untrained@3/organism` for another seed than 0) a name stands for the same model with random weights: what is found
    in that is no finding. The random generators, the root logger and the warning filters are left as they were.

    Args:
        device: `None` is CUDA where there is one, else the CPU.
        processing: `folded` (TransformerLens's default), `raw`, or the steps themselves. Steps that
            would change what the model computes are left out on `hooked`, which its identity shows,
            and refused on `bridge`.
        backend: `hooked` is a `HookedTransformer`; `bridge` a `TransformerBridge` with the same hook names.

    Raises: ValueError, for an unknown name, a path that holds no model, an unknown device, dtype or
        processing, a model that the backend cannot express, or a hub that cannot be reached.
    """
    processing, dtype, device = processing_named(processing), dtype_named(dtype), device_named(device)
    require_backend(backend)
    name = str(name_or_path)
    untrained = _UNTRAINED.fullmatch(name) if isinstance(name_or_path, str) else None
    if untrained:
        seed, shape = int(untrained[1] or 0), untrained[2]
        model = load_model(shape, device, dtype=dtype, processing=processing, backend=backend)
        draw_anew(model, generator=generator_of_named(seed))
        declare_identity(model, name=name, processing=identity_of(model).processing)
        return model
    names = known_models()
    if isinstance(name_or_path, str) and any(name in group for group in names.values()):
        read = _read_compiled if name in names["compiled"] else _read_bundled
        config, state_dict, tokenizer = read(name)
        model = build_hooked(
            config, state_dict, tokenizer=tokenizer, name=name, processing=processing, device=device, dtype=dtype
        )
        return to_bridge(model) if backend == "bridge" else model
    path = Path(name).expanduser()
    if path.exists():
        return load_directory(path, name=name, processing=processing, backend=backend, device=device, dtype=dtype)
    _require_no_path(name_or_path)
    official = None if name.startswith(_COMPILED) else official_name(name)
    if official is None:
        raise ValueError(_unknown(name))
    return load_from_hub(official, name=name, processing=processing, backend=backend, device=device, dtype=dtype)


def require_backend(backend: str) -> None:
    """Refuse a backend that there is not.

    Raises: ValueError.
    """
    known = get_args(Backend)
    if backend not in known:
        raise ValueError(f"unknown backend {backend!r}{nearest(backend, known)}; use one of {', '.join(known)}")


def known_models() -> dict[str, tuple[str, ...]]:
    """Return the names that need no network: `bundled` (trained) and `compiled` (written by hand)."""
    from interp_lab.organisms.bundled import bundled_names
    from interp_lab.organisms.compiled import compiled_names

    return {"bundled": tuple(bundled_names()), "compiled": tuple(compiled_names())}


def _read_bundled(name: str) -> tuple[Mapping[str, Any], Mapping[str, Tensor], Any]:
    from interp_lab.organisms.bundled import read_bundled

    model = read_bundled(name)
    tokenizer = None if model.tokenizer_dir is None else read_tokenizer(model.tokenizer_dir)
    return model.config, model.state_dict, tokenizer


def shape_named(name: str) -> str:
    """Return the model whose shape an untrained one has (`organism` of `untrained@3/organism`); others as they are."""
    found = _UNTRAINED.fullmatch(name)
    return found[2] if found else name


def _read_compiled(name: str) -> tuple[Mapping[str, Any], Mapping[str, Tensor], Any]:
    from interp_lab.organisms.compiled import compile_model

    model = compile_model(name)
    return model.config, model.state_dict, None


def _require_no_path(name_or_path: str | Path) -> None:
    """Refuse what can only be a path, and does not exist, before it is looked up as a name."""
    name = str(name_or_path)
    looks_like_a_path = isinstance(name_or_path, Path) or name.startswith((".", "~", os.sep)) or "\\" in name
    if not looks_like_a_path:
        return
    path = Path(name).expanduser()
    if not path.parent.is_dir():
        raise ValueError(f"no model directory at {path}; {path.parent} does not exist either")
    siblings = [entry.name for entry in path.parent.iterdir()] if os.access(path.parent, os.R_OK) else []
    there = nearest(path.name, siblings)
    raise ValueError(f"no model directory at {path}{there}; give a directory that holds config.json and weights")


def _unknown(name: str) -> str:
    groups = known_models()
    ours = [known for group in groups.values() for known in group]
    close = nearest(name, [*ours, *closest_names(name)])
    return (
        f"unknown model {name!r}{close}. Bundled: {', '.join(groups['bundled']) or 'none'}; "
        f"compiled: {', '.join(groups['compiled']) or 'none'}; from the hub: any name TransformerLens knows, such as "
        f"{', '.join(closest_names(name)) or 'gpt2-small'}; or a directory with config.json and weights"
    )
