"""Whether a path is a Hugging Face model directory, and what it lacks if not."""

import json
from pathlib import Path

from interp_lab.types import nearest

CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_CAUSAL = ("ForCausalLM", "LMHeadModel")
"""How `transformers` names the classes that predict the next token from the ones before."""


def require_model_directory(directory: Path) -> None:
    """Refuse a path that is no directory of a causal language model.

    Raises: ValueError, saying what is missing or what it is instead.
    """
    remedy = "give a directory that save_pretrained wrote (config.json and model.safetensors)"
    if not directory.is_dir():
        raise ValueError(f"{directory} is a file, not a model directory; {remedy}")
    if not (directory / CONFIG).is_file():
        raise ValueError(f"{directory} is no model directory: it has no {CONFIG}; {remedy}")
    if not any((directory / weights).is_file() for weights in _WEIGHTS):
        raise ValueError(f"{directory} is no model directory: it has no weights (no {_WEIGHTS[0]}); {remedy}")
    _require_causal(directory / CONFIG)


def _require_causal(path: Path) -> None:
    from transformers import CONFIG_MAPPING

    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    config = config if isinstance(config, dict) else {}
    kind, architectures = config.get("model_type"), config.get("architectures") or []
    if kind not in CONFIG_MAPPING:
        raise ValueError(
            f"{path} names an unknown architecture: model_type is {kind!r}{nearest(str(kind), list(CONFIG_MAPPING))}; "
            "it must be one that transformers knows, such as 'gpt2' or 'llama'"
        )
    if architectures and not any(name.endswith(_CAUSAL) for name in architectures):
        raise ValueError(f"{path.parent} holds a {architectures[0]}, which is no causal language model (…ForCausalLM)")
