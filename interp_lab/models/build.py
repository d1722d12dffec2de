"""Configuration and parameters in, `HookedTransformer` out: for bundled, compiled and hand-made models."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import torch
from torch import Tensor

from interp_lab.identity import WeightProcessing
from interp_lab.models.containment import contained
from interp_lab.models.identity import declare_identity
from interp_lab.models.layout import store_as_multiplied_
from interp_lab.models.processing import WITHOUT_WEIGHTS, admitted
from interp_lab.models.settings import device_named, dtype_named, processing_named
from interp_lab.models.tokenizers import defines_bos, settle_bos, taken_as_is
from interp_lab.types import HookedModel, nearest


def build_hooked(
    config: Mapping[str, Any],
    state_dict: Mapping[str, Tensor],
    *,
    tokenizer: Any = None,  # noqa: ANN401 - any transformers tokenizer
    name: str | None = None,
    processing: WeightProcessing | str = "raw",
    device: str | None = "cpu",
    dtype: str | torch.dtype = "float32",
    for_training: bool = False,
) -> HookedModel:
    """Build a `HookedTransformer` in eval mode; no random generator is touched and nothing is printed.

    Args:
        config: arguments of `HookedTransformerConfig`. Its seed, device, dtype and tokenizer name, if
            any, are ignored: a seed there would reset every generator of the process.
        state_dict: every parameter by its TransformerLens name, and nothing else.
        tokenizer: from `transformers`, copied; `None` for models that read token ids only.
        name: for the model's identity; `None` attaches none, see `declare_identity`.
        for_training: leave the weights in row-major order, instead of the order that forward passes are fast with
            (see `layout`): sums over them, such as the norm of a gradient, and so the bits of a training run depend
            on the order.

    Raises: ValueError, for an unknown config key, or a parameter that is missing, unexpected or of the wrong shape.
    """
    device, dtype, processing = device_named(device), dtype_named(dtype), processing_named(processing)
    with contained():
        model = _new(config, taken_as_is(tokenizer))
        _require_exact(state_dict, dict(model.named_parameters()))
        steps = admitted(processing, model.cfg)
        kind = model.cfg.normalization_type
        if steps.fold_ln and kind in WITHOUT_WEIGHTS:
            # Folding in place would give attention-only blocks a second norm that never runs.
            model = _new({**config, "normalization_type": WITHOUT_WEIGHTS[kind]}, taken_as_is(tokenizer))
        copies = {key: value.detach().to("cpu", torch.float32).clone() for key, value in state_dict.items()}
        foldable = kind in WITHOUT_WEIGHTS
        model.load_and_process_state_dict(copies, **{**asdict(steps), "fold_ln": steps.fold_ln and foldable})
        model.to(dtype, print_details=False)
        model.to(device, print_details=False)
    if not for_training:
        store_as_multiplied_(model)
    if tokenizer is not None:
        settle_bos(model, has_bos=defines_bos(tokenizer))
    if name is not None:
        declare_identity(model, name=name, processing=steps)
    return model.eval()


def _new(config: Mapping[str, Any], tokenizer: Any) -> Any:  # noqa: ANN401 - transformers and TransformerLens
    """Return a model with uninitialised parameters."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    known = [field.name for field in fields(HookedTransformerConfig)]
    unknown = [key for key in config if key not in known]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is no setting of HookedTransformerConfig{nearest(unknown[0], known)}; remove it"
        )
    ours = {"seed": None, "init_weights": False, "device": "cpu", "dtype": torch.float32, "tokenizer_name": None}
    settings: dict[str, Any] = {**config, **ours}
    return HookedTransformer(HookedTransformerConfig(**settings), tokenizer)


def _require_exact(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    missing = [key for key in expected if key not in given]
    unexpected = [key for key in given if key not in expected]
    if missing or unexpected:
        raise ValueError(
            "the parameters do not fit the config: "
            f"missing {', '.join(missing) or 'none'}; unexpected {', '.join(unexpected) or 'none'}; "
            "give every named_parameters() entry of the model, and no buffers"
        )
    for key, parameter in expected.items():
        if given[key].shape != parameter.shape:
            raise ValueError(
                f"parameter {key!r} has shape {tuple(given[key].shape)}, the config asks for {tuple(parameter.shape)}"
            )
