"""A tuned lens as an artefact: an affine map per point of the residual stream, kept with its model's identity."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.experiment import Provenance
from interp_lab.lenses.points import require_points, stream_points
from interp_lab.models.identity import identity_of
from interp_lab.runs.tensors import load_tensors, save_tensors
from interp_lab.types import HookedModel

_FORMAT = "interp_lab tuned lens 1"
WAY_OUT = "train one with train_tuned_lens"


@dataclass(frozen=True)
class TunedLens:
    """Affine translators from points of the residual stream to what leaves the last block, where it needs none.

    `x + x @ weight + bias`: of zeros it is the logit lens.

    Source: Belrose et al. 2023, arXiv 2303.08112.
    """

    points: tuple[str, ...]
    """Hook points that have a translator; the last of the residual stream needs none."""
    weight: Float[Tensor, "point d_model d_model"]
    """What is added to the identity."""
    bias: Float[Tensor, "point d_model"]
    provenance: Provenance
    """The model that it was trained on, and how to make it again."""
    training: Mapping[str, Any]
    """The training config, flat; steps done, the text by name, and its windows by a checksum."""
    name: str = "tuned lens"

    @classmethod
    def untrained(cls, model: HookedModel, provenance: Provenance, points: Sequence[str] | None = None) -> "TunedLens":
        """Return the lens before the first step: the identity everywhere.

        Raises: ValueError, for points that are not the residual stream, or only the last one.
        """
        given = stream_points(model) if points is None else tuple(points)
        require_points(model, given)
        points = tuple(point for point in given if point != stream_points(model)[-1])
        if not points:
            raise ValueError(f"{given[0]!r} is the model's own end, and needs no translator; name points before it")
        weight = next(iter(model.parameters()))
        zeros = torch.zeros(len(points), int(model.cfg.d_model), device=weight.device)
        return cls(points, zeros[..., None].repeat(1, 1, zeros.shape[-1]), zeros, provenance, {})

    def into_final(self, resid: Float[Tensor, "*batch d_model"], point: str) -> Float[Tensor, "*batch d_model"]:
        """Return the residual stream as it would leave the last block; what has no translator is there already."""
        if point not in self.points:
            return resid
        nth = self.points.index(point)
        weight, bias = self.weight[nth].to(resid), self.bias[nth].to(resid)
        return resid + resid @ weight + bias

    def require_model(self, model: HookedModel, points: Sequence[str]) -> None:
        """Refuse another model, another weight processing, and points without a translator.

        Raises: ValueError.
        """
        identity_of(model).require_same(self.provenance.model, what="the tuned lens")
        without = [point for point in points if point not in (*self.points, stream_points(model)[-1])]
        if without:
            raise ValueError(
                f"the tuned lens has no translator for {without[0]!r}; it has them for {', '.join(self.points)}; read "
                "other points with the logit lens"
            )

    def trained_on(self, windows: Int[Tensor, "window pos"]) -> bool:
        """Whether these windows, and no others, are known to be what it was trained on."""
        return self.training.get("windows") == checksum_of(windows)

    def save(self, path: Path) -> None:
        """Write it as safetensors, with its provenance in the header; the folder must exist."""
        header = {
            "format": _FORMAT,
            "points": json.dumps(self.points),
            "provenance": json.dumps(self.provenance.as_dict()),
            "training": json.dumps(dict(self.training)),
        }
        tensors = {"weight": self.weight, "bias": self.bias}
        save_tensors(path, tensors, header=header)

    @classmethod
    def load(cls, path: Path, model: HookedModel) -> "TunedLens":
        """Read a lens of a model, and put it on the model's device.

        Raises: ValueError, if the file is no tuned lens, or one of another model or weight processing.
        """
        header, tensors = load_tensors(path, what="tuned lens", way_out=WAY_OUT, expected=_FORMAT)
        device = next(iter(model.parameters())).device
        lens = cls(
            points=tuple(json.loads(header["points"])),
            weight=tensors["weight"].to(device),
            bias=tensors["bias"].to(device),
            provenance=Provenance.from_dict(json.loads(header["provenance"])),
            training=json.loads(header["training"]),
        )
        lens.require_model(model, lens.points)
        return lens


def checksum_of(windows: Int[Tensor, "window pos"]) -> str:
    """Return a short name of text, cut into windows of tokens: the same for the same text only."""
    shape = ",".join(map(str, windows.shape))
    return hashlib.sha256(shape.encode() + windows.cpu().long().numpy().tobytes()).hexdigest()[:16]
