"""A calibration in one file: signals and outcomes that it was fitted on, with the model that it belongs to."""

import json
from pathlib import Path

import numpy as np
import torch

from interp_lab.experiment import Provenance
from interp_lab.folds import require_made_in
from interp_lab.production.confidence.config import ConfidenceConfig
from interp_lab.production.confidence.result import ConfidenceResult
from interp_lab.runs.tensors import TensorFileError, load_tensors, save_tensors

FORMAT = "interp_lab calibration 1"
_WAY_OUT = "give a file that save_calibration wrote"


def save_calibration(found: ConfidenceResult, path: Path) -> None:
    """Write one safetensors file, whole or not at all; the folder must exist."""
    arrays = found.arrays()
    texts = {name: values.tolist() for name, values in arrays.items() if values.dtype.kind == "U"}
    tensors = {name: torch.from_numpy(np.array(values)) for name, values in arrays.items() if name not in texts}
    header = {
        "format": FORMAT,
        "config": json.dumps(found.config.model_dump(mode="json"), sort_keys=True),
        "provenance": json.dumps(found.provenance.as_dict(), sort_keys=True),
        "texts": json.dumps(texts, sort_keys=True),
    }
    save_tensors(path, tensors, header=header)


def load_calibration(path: Path) -> ConfidenceResult:
    """Read what `save_calibration` wrote; `assessing.assess` refuses another model than the one it was made on.

    Raises: TensorFileError (a ValueError), if there is no such file, or it holds no calibration; FoldError, for one
        that may not be used in the fold in force.
    """
    header, tensors = load_tensors(path, what="calibration", way_out=_WAY_OUT, expected=FORMAT)
    try:
        made = Provenance.from_dict(json.loads(header["provenance"]))
        config = ConfidenceConfig.from_mapping(json.loads(header["config"]))
        arrays = {name: np.array(values) for name, values in json.loads(header["texts"]).items()}
        arrays |= {name: values.numpy() for name, values in tensors.items()}
        found = ConfidenceResult.from_arrays(config, made, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise TensorFileError(f"{path} does not say all of a calibration ({error!r}); {_WAY_OUT}") from error
    require_made_in(made.fold, what=f"the calibration {path}")
    return found
