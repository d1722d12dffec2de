"""A Hugging Face directory on disk, loaded on either backend without one call to the hub."""

from pathlib import Path
from typing import Any

import torch

from interp_lab.identity import WeightProcessing
from interp_lab.models.bridge import as_bridge
from interp_lab.models.containment import contained, no_progress_bars
from interp_lab.models.convert import as_hooked
from interp_lab.models.directory import require_model_directory
from interp_lab.models.identity import declare_identity
from interp_lab.models.parity import log_probs, probe_tokens, require_parity
from interp_lab.models.tokenizers import defines_bos, has_tokenizer, read_tokenizer, settle_bos, taken_as_is
from interp_lab.types import HookedModel


def load_directory(
    directory: Path, *, name: str, processing: WeightProcessing, backend: str, device: str, dtype: torch.dtype
) -> HookedModel:
    """Load a directory that `save_pretrained` wrote.

    The result's predictions are compared with those of `transformers` on a few tokens: TransformerLens
    converts some configs silently wrong (3.9: attention biases or linear rotary scaling of a Llama).

    Raises: ValueError, if the directory is no model directory (with what it lacks), if its
        architecture is unknown to the backend, or if the converted model predicts differently.
    """
    require_model_directory(directory)
    with contained(), no_progress_bars():
        original = _read_original(directory, dtype)
        tokenizer = read_tokenizer(directory) if has_tokenizer(directory) else None
        tokens = probe_tokens(d_vocab=original.get_input_embeddings().num_embeddings, n_ctx=_n_ctx(original.config))
        expected = log_probs(lambda ids: original(ids).logits, tokens)
        make, other = (as_bridge, "hooked") if backend == "bridge" else (as_hooked, "bridge")
        model, steps = make(original, taken_as_is(tokenizer), directory=directory, processing=processing, dtype=dtype)
        require_parity(
            log_probs(model, tokens), expected, dtype=dtype, what=str(directory), remedy=f"use backend={other!r}"
        )
        model.to(device, print_details=False)
    if tokenizer is not None:
        settle_bos(model, has_bos=defines_bos(tokenizer))
    declare_identity(model, name=name, processing=steps)
    return model.eval()


def _read_original(directory: Path, dtype: torch.dtype) -> Any:  # noqa: ANN401 - a transformers model
    from transformers import AutoModelForCausalLM

    loaded: Any = AutoModelForCausalLM.from_pretrained(
        directory,
        dtype=dtype,
        attn_implementation="eager",  # the bridge hooks scores and patterns, which other kernels never form
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    original, report = loaded
    if report["missing_keys"]:
        raise ValueError(
            f"the weights in {directory} are incomplete: {', '.join(sorted(report['missing_keys']))} missing; "
            "transformers would fill them with random numbers"
        )
    return original.eval()


def _n_ctx(config: Any) -> int:  # noqa: ANN401 - a transformers config
    return int(getattr(config, "n_positions", None) or getattr(config, "max_position_embeddings", None) or 2)
