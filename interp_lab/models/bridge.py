"""A `transformers` model wrapped as a `TransformerBridge`, with HookedTransformer's weights and hook names."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from interp_lab.identity import WeightProcessing
from interp_lab.models.processing import admitted
from interp_lab.models.read_only import note_read_only_hooks


def as_bridge(
    original: Any,  # noqa: ANN401 - a transformers model
    tokenizer: Any,  # noqa: ANN401 - a transformers tokenizer
    *,
    directory: Path,
    processing: WeightProcessing,
    dtype: torch.dtype,
) -> tuple[Any, WeightProcessing]:
    """Wrap the model itself, and return it with its processing, which changes its weights in place.

    Raises: ValueError, if TransformerLens has no bridge for the architecture, or it does not admit a step.
    """
    from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    architecture = type(original).__name__
    if architecture not in SUPPORTED_ARCHITECTURES:
        raise ValueError(
            f"{directory} holds a {architecture}, for which TransformerLens has no bridge; use another model"
        )
    bridge = build_bridge_from_module(
        original,
        architecture,
        hf_config=original.config,
        tokenizer=tokenizer,
        dtype=dtype,
        model_name=directory.name,
    )
    process_bridge(bridge, processing, name=str(directory))
    return bridge, processing


def process_bridge(bridge: Any, processing: WeightProcessing, *, name: str) -> None:  # noqa: ANN401 - a TransformerBridge
    """Process a bridge's weights in place, give its hook points HookedTransformer's names, and try those points out.

    Raises: ValueError, if the architecture does not admit one of the steps; nothing is left out silently.
    """
    folds = getattr(bridge.adapter, "supports_fold_ln", True)
    centers = getattr(bridge.adapter, "supports_center_writing_weights", True)
    possible = admitted(processing, bridge.cfg)
    possible = replace(
        possible,
        fold_ln=possible.fold_ln and folds,
        center_writing_weights=possible.center_writing_weights and centers,
    )
    refused = processing.difference(possible)
    if refused:
        raise ValueError(
            f"the bridge of {name} cannot apply {' and '.join(refused)} without changing what the model computes; "
            f"ask for processing={str(possible)!r}"
        )
    raw = processing == WeightProcessing.named("raw")
    bridge.enable_compatibility_mode(disable_warnings=True, no_processing=raw, **asdict(processing))
    note_read_only_hooks(bridge)
