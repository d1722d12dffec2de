"""Directions on disk: vectors as safetensors, with the model, weight processing and hook points they belong to."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interp_lab.directions.vectors import Directions
from interp_lab.experiment import Provenance, provenance
from interp_lab.folds import require_made_in
from interp_lab.identity import ModelIdentity
from interp_lab.runs.tensors import TensorFileError, load_tensors, save_tensors

FORMAT = "interp_lab directions 1"
_WAY_OUT = "give a file that save_directions wrote"


def save_directions(d: Directions, path: Path, *, made: Provenance | None = None) -> None:
    """Write one safetensors file, whole or not at all; the folder must exist.

    Args:
        made: where they came from; `None` notes the versions, the commit and the fold of now.

    Raises: ValueError, for provenance of another model, or `about` that is no plain data.
    """
    vectors = d.vectors
    made = made or provenance("directions", d.model, seed=int(d.about.get("seed", 0)), device=vectors.device.type,
                              dtype=str(vectors.dtype).removeprefix("torch."))  # fmt: skip
    d.model.require_same(made.model, what=f"the provenance of {d.name!r}")
    plain = {"hooks": d.hooks, "method": d.method, "name": d.name, "about": dict(d.about), "model": d.model.as_dict()}
    try:
        header = {
            "format": FORMAT,
            "directions": json.dumps(plain, sort_keys=True),
            "provenance": json.dumps(made.as_dict(), sort_keys=True),
        }
    except TypeError as error:
        raise ValueError(
            f"what is known about {d.name!r} cannot be written ({error}); keep plain data in it"
        ) from error
    save_tensors(path, {"vectors": vectors}, header=header)


def load_directions(path: Path) -> Directions:
    """Read what `save_directions` wrote; `Directions.require_fits` says whether it belongs to a model.

    Raises: TensorFileError (a ValueError), if there is no such file, or it does not hold directions; FoldError, for
        those that by their provenance may not be used in the fold in force.
    """
    header, tensors = load_tensors(path, what="directions file", way_out=_WAY_OUT, expected=FORMAT)
    require_made_in(_read(path, header, "provenance").get("fold", "all"), what=f"the directions file {path}")
    plain = _read(path, header, "directions")
    if "vectors" not in tensors:
        raise TensorFileError(f"{path} holds no vectors; {_WAY_OUT}")
    try:
        model, hooks = ModelIdentity.from_dict(plain["model"]), tuple(plain["hooks"])
        told: dict[str, Any] = {name: plain[name] for name in ("method", "name", "about")}
    except (KeyError, TypeError) as error:
        raise TensorFileError(f"{path} does not say all of its directions ({error!r}); {_WAY_OUT}") from error
    return Directions(tensors["vectors"], hooks, model, **told)


def provenance_of(path: Path) -> Provenance:
    """Return where the directions in a file came from.

    Raises: as `load_directions`.
    """
    header, _ = load_tensors(path, what="directions file", way_out=_WAY_OUT, expected=FORMAT)
    return Provenance.from_dict(_read(path, header, "provenance"))


def _read(path: Path, header: Mapping[str, str], part: str) -> dict[str, Any]:
    try:
        return dict(json.loads(header[part]))
    except (KeyError, TypeError, ValueError) as error:
        raise TensorFileError(f"{path} does not say its {part} ({error!r}); {_WAY_OUT}") from error
