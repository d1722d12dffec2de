"""A `transformers` model rebuilt as a `HookedTransformer`, by TransformerLens's own converters.

The converters read meaning into the path of a model ("llama" anywhere in it selects a hard-coded
architecture), so they are shown a copy of the config in a folder with a neutral name.
"""

import json
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from interp_lab.identity import WeightProcessing
from interp_lab.models.directory import CONFIG
from interp_lab.models.layout import store_as_multiplied_
from interp_lab.models.processing import WITHOUT_WEIGHTS, admitted

_READ_INTO_PATHS = ("llama", "gemma")
_CONVERTER_ERRORS = (NotImplementedError, ValueError, AttributeError, KeyError)
"""What the converters raise for an architecture or a config field that they do not know."""


def as_hooked(
    original: Any,  # noqa: ANN401 - a transformers model
    tokenizer: Any,  # noqa: ANN401 - a transformers tokenizer
    *,
    directory: Path,
    processing: WeightProcessing,
    dtype: torch.dtype,
) -> tuple[Any, WeightProcessing]:
    """Return the converted model on the CPU, and the processing that it admitted.

    Raises: ValueError, if TransformerLens cannot convert the architecture.
    """
    from transformer_lens import HookedTransformer

    cfg, state_dict = _converted(original, directory, dtype)
    steps = admitted(processing, cfg)
    if steps.fold_ln:
        cfg.normalization_type = WITHOUT_WEIGHTS.get(cfg.normalization_type, cfg.normalization_type)
    model = HookedTransformer(cfg, tokenizer)
    try:
        model.load_and_process_state_dict(state_dict, **asdict(steps))
    except RuntimeError as error:  # a shape that the converted config does not describe
        raise _unconvertible(original, directory, error) from error
    store_as_multiplied_(model)
    return model, steps


def _converted(
    original: Any,  # noqa: ANN401 - a transformers model
    directory: Path,
    dtype: torch.dtype,
) -> tuple[Any, dict[str, torch.Tensor]]:
    import transformer_lens.loading_from_pretrained as loading

    with _neutral_copy(original) as folder:
        try:
            cfg = loading.get_pretrained_model_config(folder, device="cpu", dtype=dtype, local_files_only=True)
            state_dict = loading.get_pretrained_state_dict(folder, cfg, original, dtype=dtype)
        except _CONVERTER_ERRORS as error:
            raise _unconvertible(original, directory, error) from error
    cfg.tokenizer_name, cfg.model_name = None, directory.name
    return cfg, state_dict


def _unconvertible(original: Any, directory: Path, error: Exception) -> ValueError:  # noqa: ANN401 - as above
    reason = str(error).strip().splitlines()[-1].strip() if str(error) else type(error).__name__
    return ValueError(
        f"{directory} holds a {type(original).__name__}, which HookedTransformer cannot convert ({reason}); "
        "use backend='bridge'"
    )


@contextmanager
def _neutral_copy(original: Any) -> Generator[str]:  # noqa: ANN401 - a transformers model
    with tempfile.TemporaryDirectory(prefix="tl") as folder:
        trap = next((word for word in _READ_INTO_PATHS if word in folder.lower()), None)
        if trap is not None:
            raise ValueError(
                f"the temporary folder {folder} contains {trap!r}, which TransformerLens would take for the "
                "model's architecture; set TMPDIR to another place, or use backend='bridge'"
            )
        config = original.config.to_dict()
        config["architectures"] = [type(original).__name__]
        if config["model_type"] == "gpt2":
            config.setdefault("n_ctx", config["n_positions"])  # transformers 5 no longer writes it
        (Path(folder) / CONFIG).write_text(json.dumps(config, default=str), "utf-8")
        yield folder
