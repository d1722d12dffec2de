"""Autoencoders on disk in SAE Lens's format, with what interp_lab knows of them beside."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from sae_lens.constants import SAE_CFG_FILENAME, SAE_WEIGHTS_FILENAME, SPARSITY_FILENAME
from safetensors.torch import load, save

from interp_lab.folds import Fold
from interp_lab.runs import write_atomic
from interp_lab.runs.files import fingerprint
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.training.record import RECORD, SaeRecord
from interp_lab.sae.training.trained import TrainedSae


def save_sae(
    trained: TrainedSae,
    folder: Path,
    *,
    context_size: int | None = None,
    prepend_bos: bool | None = None,
    text: TextConfig | None = None,
    fold: Fold = "all",
    weights: Literal["as_trained", "float16"] = "as_trained",
) -> None:
    """Write a folder that `SAE.load_from_disk` and `load_sae` read; BatchTopK and Matryoshka are JumpReLU there.

    Args:
        context_size: length (tokens) of the texts that were read; SAE Lens's own evaluation wants to know.
        prepend_bos: whether they began with the BOS token.
        text: what was read, so that nobody judges on it; it must hold all of it, and may hold more.
        fold: in which documents of the text are, if they were read in one alone (see `folds`).
        weights: float16 takes half the room; loaded, they are again of the dtype that is asked for, but rounded.

    Raises: ValueError, if the folder holds another autoencoder, or a weight is too large for float16.
    """
    training = trained.config.as_dict() | ({} if text is None else {"text": text.as_dict()})
    training |= {} if fold == "all" else {"fold": fold}
    _require_free(folder, trained, training)
    _tell_sae_lens(trained, {"context_size": context_size, "prepend_bos": prepend_bos})
    with tempfile.TemporaryDirectory() as scratch:
        trained.sae.save_inference_model(scratch)
        files = {name: (Path(scratch) / name).read_bytes() for name in (SAE_WEIGHTS_FILENAME, SAE_CFG_FILENAME)}
    if weights == "float16":
        files[SAE_WEIGHTS_FILENAME] = _halved(files[SAE_WEIGHTS_FILENAME], name=trained.name)
    files[SPARSITY_FILENAME] = save({"sparsity": (trained.density.float() + 1e-10).log10()})
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_atomic(folder / name, data)
    record = SaeRecord(
        name=trained.name,
        hook=trained.hook,
        model=trained.model.as_dict(),
        provenance=trained.provenance.as_dict(),
        training=training,
        metrics=trained.metrics,
        dead=trained.dead.as_dict(),
        calibration=None if trained.calibration is None else trained.calibration.as_dict(),
        files={name: fingerprint(data) for name, data in files.items()},
    )
    write_atomic(folder / RECORD, json.dumps(record.as_dict(), indent=1).encode())


def _halved(data: bytes, *, name: str) -> bytes:
    half = {weight: value.to(torch.float16) for weight, value in load(data).items()}
    beyond = sorted(weight for weight, value in half.items() if not value.isfinite().all())
    if beyond:
        raise ValueError(
            f"{', '.join(beyond)} of {name!r} cannot be written as float16, which ends at 65504; save it as_trained"
        )
    return save(half)


def _require_free(folder: Path, trained: TrainedSae, training: Mapping[str, Any]) -> None:
    there = folder / RECORD
    if not there.is_file():
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty; save into a new folder")
        return
    record = json.loads(there.read_bytes())
    ours = {"training": training, "name": trained.name, "hook": trained.hook, "model": trained.model.as_dict()}
    other = [key for key, value in json.loads(json.dumps(ours)).items() if record[key] != value]
    if other:
        raise ValueError(
            f"{folder} holds another autoencoder, {record['name']!r} (differing in {', '.join(other)}); save into a "
            "new folder"
        )


def _tell_sae_lens(trained: TrainedSae, known: dict[str, Any]) -> None:
    """Put into SAE Lens's metadata what those who load it there need to run it on the right activations."""
    metadata = trained.sae.cfg.metadata
    metadata.model_name, metadata.hook_name = trained.model.name, trained.hook
    processing = trained.model.as_dict()["processing"]
    metadata.model_from_pretrained_kwargs = {step: True for step, done in processing.items() if done}
    for name, value in known.items():
        if value is not None:
            setattr(metadata, name, value)
