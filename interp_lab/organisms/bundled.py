"""The trained models that ship inside the package: configuration, half-precision weights, model card."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from interp_lab.runs import write_atomic
from interp_lab.types import nearest

WEIGHTS = Path(__file__).parent / "weights"
"""One folder per bundled model."""

_CONFIG, _WEIGHTS, _TOKENIZER = "config.json", "model.safetensors", "tokenizer"
_MADE_ELSEWHERE = ("dtype", "seed", "device")
"""Settings of the machine or the moment: whoever builds the model decides them."""


@dataclass(frozen=True)
class BundledModel:
    """A trained model as data, ready to be built."""

    name: str
    config: Mapping[str, Any]
    """Keyword arguments of `HookedTransformerConfig`; no seed, device or dtype among them."""
    state_dict: Mapping[str, Tensor]
    """Parameters by their TransformerLens name: float32, each one a half-precision number as stored."""
    tokenizer_dir: Path | None
    """Folder of a saved tokenizer; `None` for models that read bare token ids."""


def bundled_names() -> tuple[str, ...]:
    """Return the names of the models in the package, sorted."""
    return tuple(sorted(path.parent.name for path in WEIGHTS.glob(f"*/{_CONFIG}")))


def read_bundled(name: str) -> BundledModel:
    """Read a model that ships with the package.

    Raises: ValueError, for a name that is not bundled.
    """
    if name not in bundled_names():
        raise ValueError(
            f"no bundled model {name!r}{nearest(name, bundled_names())}; there are: {', '.join(bundled_names())}"
        )
    return read_bundle(WEIGHTS / name)


def read_bundle(directory: Path) -> BundledModel:
    """Read a model that `write_bundled` wrote; the folder's name is the model's.

    Raises: ValueError, if the folder holds no bundled model.
    """
    missing = [file for file in (_CONFIG, _WEIGHTS) if not (directory / file).is_file()]
    if missing:
        raise ValueError(
            f"{directory} holds no bundled model ({' and '.join(missing)} missing); train or copy one there"
        )
    tokenizer = directory / _TOKENIZER
    return BundledModel(
        name=directory.name,
        config=json.loads((directory / _CONFIG).read_text("utf-8")),
        state_dict=in_float32(load_file(directory / _WEIGHTS)),
        tokenizer_dir=tokenizer if tokenizer.is_dir() else None,
    )


def write_bundled(directory: Path, config: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> None:
    """Write configuration and half-precision weights, each whole or not at all.

    Raises: ValueError, for a parameter that half precision cannot hold, or a config setting JSON cannot.
    """
    kept = {key: value for key, value in config.items() if key not in _MADE_ELSEWHERE and value is not None}
    try:
        text = json.dumps(kept, indent=2) + "\n"
    except TypeError as error:
        raise ValueError(f"the model config must be plain data: {error}") from error
    halves = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in state_dict.items()}
    spoilt = [name for name, value in halves.items() if not torch.isfinite(value).all()]
    if spoilt:
        raise ValueError(f"{', '.join(spoilt)}: NaN, inf or a magnitude above 65504, which half precision cannot hold")
    directory.mkdir(parents=True, exist_ok=True)
    write_atomic(directory / _WEIGHTS, save(halves))
    write_atomic(directory / _CONFIG, text.encode("utf-8"))


def in_float32(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters in single precision, in the order of their names."""
    return {name: state_dict[name].float() for name in sorted(state_dict)}
