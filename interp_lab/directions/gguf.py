"""Control vectors in the layout of repeng, which llama.cpp reads too: one tensor `direction.N` per layer."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from interp_lab.directions.gguf_file import Value, read_gguf, write_gguf
from interp_lab.directions.vectors import Directions
from interp_lab.identity import ModelIdentity
from interp_lab.runs.tensors import TensorFileError
from interp_lab.types import Site

ARCHITECTURE = "controlvector"
_DIRECTION = re.compile(r"direction\.(\d+)")
_HINT, _COUNT, _OURS = f"{ARCHITECTURE}.model_hint", f"{ARCHITECTURE}.layer_count", "interp_lab.directions"
_WAY_OUT = "give a control vector that repeng's export_gguf or to_gguf wrote"


def to_gguf(d: Directions, path: Path, *, model_hint: str | None = None) -> None:
    """Write directions at layer outputs (`hook_resid_post`) as a control vector, in float32; the folder must exist.

    Added to the layers of the model as it is on the hub, they act as they do here under any weight processing: centring
    takes out of the residual stream only what LayerNorm does not read. llama.cpp knows no layer 0 and refuses it; its
    layer N is ours. What the layout has no room for is kept in a field of our own, which others pass over.

    Args:
        model_hint: what the file calls the model, such as `llama`; `None` takes its name.

    Raises: ValueError, for directions at other hook points.
    """
    layers = [_layer(hook) for hook in d.hooks]
    plain = {"model": d.model.as_dict(), "method": d.method, "name": d.name, "about": dict(d.about)}
    fields = {
        "general.architecture": ARCHITECTURE,
        _HINT: model_hint or d.model.name,
        _COUNT: len(layers),
        _OURS: json.dumps(plain, sort_keys=True),
    }
    vectors = zip(layers, d.vectors, strict=True)
    write_gguf(path, fields, {f"direction.{layer}": vector for layer, vector in vectors})


def from_gguf(path: Path, *, model: ModelIdentity, hooks: Sequence[str] | None = None) -> Directions:
    """Read a control vector as directions at layer outputs.

    Files that `to_gguf` wrote say which model they belong to. Others are of a model as it is on the hub, so that
    `model` must have centred nothing that is written to the residual stream: load it with `processing="raw"`.

    Args:
        model: that they are for (`identity_of(model)`).
        hooks: which to take; `None` takes all, by layer.

    Raises: ValueError (TensorFileError, where it is the file's), for a file that is no control vector, vectors of
        different or another width, layers or hook points that are not there, or a model that it does not belong to.
    """
    fields, tensors = read_gguf(path)
    if fields.get("general.architecture") != ARCHITECTURE or not isinstance(fields.get(_HINT), str):
        raise TensorFileError(
            f"{path} is no control vector: its architecture is {fields.get('general.architecture')!r} and its "
            f"{_HINT} is {fields.get(_HINT)!r}; {_WAY_OUT}"
        )
    found = {int(match[1]): tensors[name] for name in tensors if (match := _DIRECTION.fullmatch(name))}
    beyond = [layer for layer in found if layer >= model.n_layers]
    shapes = {tuple(vector.shape) for vector in found.values()}
    if not found or beyond or shapes != {(model.d_model,)}:
        raise TensorFileError(
            f"{path} holds vectors of shape {sorted(shapes)} for layers {sorted(found)}, and {model.name!r} has layers "
            f"0 to {model.n_layers - 1} of width {model.d_model}; use the model that it was made on"
        )
    layers = sorted(found)
    vectors = torch.stack([found[layer].float() for layer in layers])
    every = tuple(f"blocks.{layer}.hook_resid_post" for layer in layers)
    made = _ours(path, fields, vectors, every, model) or _foreign(path, fields, vectors, every, model)
    return made if hooks is None else made.only(hooks)


def gguf_made_on(path: Path) -> ModelIdentity | None:
    """Return the model that a control vector was made on, as `to_gguf` keeps it; `None` for the files of others.

    Raises: TensorFileError (a ValueError), as `from_gguf`.
    """
    fields, _ = read_gguf(path)
    return ModelIdentity.from_dict(json.loads(str(fields[_OURS]))["model"]) if _OURS in fields else None


def _layer(hook: str) -> int:
    layer = Site(hook).layer
    if layer is None or hook != f"blocks.{layer}.hook_resid_post":
        raise ValueError(
            f"a control vector acts on the output of layers, and there is a direction at {hook!r}; take those at "
            "hook_resid_post with .only(hooks), or use save_directions"
        )
    return layer


def _ours(
    path: Path, fields: dict[str, Value], vectors: torch.Tensor, hooks: tuple[str, ...], model: ModelIdentity
) -> Directions | None:
    if _OURS not in fields:
        return None
    plain = json.loads(str(fields[_OURS]))
    model.require_same(ModelIdentity.from_dict(plain["model"]), what=f"the control vector in {path}", hooks=hooks)
    return Directions(vectors, hooks, model, plain["method"], plain["name"], plain["about"])


def _foreign(
    path: Path, fields: dict[str, Value], vectors: torch.Tensor, hooks: tuple[str, ...], model: ModelIdentity
) -> Directions:
    if model.processing.center_writing_weights:
        raise ValueError(
            f"the control vector in {path} is of a model whose weights are as on the hub, and {model.name!r} has "
            f"processing {str(model.processing)!r}, which centres what is written to the residual stream; load it with "
            "processing='raw'"
        )
    hint = str(fields[_HINT])
    return Directions(vectors, hooks, model, "control vector", path.stem, {"file": path.name, "model_hint": hint})
