"""Probes on disk: weights as safetensors, with the model, weight processing and hook points they belong to."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.experiment import Provenance
from interp_lab.folds import require_made_in
from interp_lab.identity import Direction, ModelIdentity
from interp_lab.linear import LinearReadout
from interp_lab.probes.measured import Probed
from interp_lab.runs.tensors import load_tensors, save_tensors
from interp_lab.types import Scorer, nearest

FORMAT = "interp_lab probe 1"


@dataclass(frozen=True)
class ProbeScorer:
    """One site's probe as a scorer of tokens: the score of the second of two values, or the number."""

    weights: Float[Tensor, " d"]
    bias: float

    def __call__(self, activations: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos"]:
        """Return one score per token; above zero on the side of the second value."""
        return activations @ self.weights.to(activations) + self.bias


@dataclass(frozen=True)
class TrainedProbe:
    """Probes of one label at every site, tied to the model that they were fitted on."""

    label: str
    values: tuple[str, ...]
    """The classes as text; empty for numbers."""
    kind: str
    sites: tuple[str, ...]
    """Names: hook points, and within them places."""
    hooks: tuple[str, ...]
    """Hook point of every site, in full."""
    readout: LinearReadout
    """Weights `(site, d)`; of three or more classes `(class, site, d)`."""
    model: ModelIdentity
    provenance: Provenance

    def at(self, site: str) -> int:
        """Return the number of a site.

        Raises: ValueError, for one that was not probed, with the nearest.
        """
        if site not in self.sites:
            raise ValueError(
                f"the probe of {self.label} was not fitted at {site!r}{nearest(site, self.sites)}; its sites are "
                f"{', '.join(self.sites)}"
            )
        return self.sites.index(site)

    def scores(
        self, activations: Float[Tensor, "example d"], *, site: str, model: ModelIdentity, hook: str
    ) -> Float[Tensor, "..."]:
        """Return the probe's scores, `(example)` or, for three or more classes, `(class, example)`.

        Args:
            model: that the activations come from.
            hook: that they were read at.

        Raises: ValueError, for another model, weight processing, site or hook point, or NaN.
        """
        nth = self.at(site)
        model.require_same(self.model, what=f"the probe of {self.label}")
        if hook != self.hooks[nth]:
            raise ValueError(
                f"the probe of {self.label} was fitted at {self.hooks[nth]!r}, and these activations are of {hook!r}; "
                "read them there, or take the site that belongs to them"
            )
        if not bool(activations.isfinite().all()):
            raise ValueError(f"activations of {hook!r} hold NaN or inf; find out where they begin")
        return self._of_site(nth).score(activations)

    def direction(self, site: str) -> Direction:
        """Return the direction of a site's probe, for steering; it points to the second value, or to larger numbers.

        Raises: ValueError, for three or more classes, or a site that was not probed.
        """
        nth = self.at(site)
        if len(self.values) > 2:
            raise ValueError(f"{self.label} has {len(self.values)} classes and no one direction; probe two values")
        method = f"{self.kind} probe of {self.label}" + (f" ({self.values[1]})" if self.values else "")
        return Direction(self.readout.weights[nth], self.hooks[nth], self.model, method)

    def scorer(self, site: str) -> Scorer:
        """Return a site's probe as a scorer of tokens.

        Raises: ValueError, as `direction`.
        """
        direction, nth = self.direction(site), self.at(site)
        return ProbeScorer(direction.vector, float(self.readout.bias[nth]))

    def _of_site(self, nth: int) -> LinearReadout:
        parts = {"weights": self.readout.weights[..., nth, :], "bias": self.readout.bias[..., nth]}
        return replace(self.readout, **parts)

    def save(self, path: Path) -> None:
        """Write one safetensors file, whole or not at all; the folder must exist."""
        plain = {name: getattr(self, name) for name in ("label", "values", "kind", "sites", "hooks")}
        about = {**plain, "model": asdict(self.model), "provenance": self.provenance.as_dict()}
        tensors = {"weights": self.readout.weights.contiguous(), "bias": self.readout.bias.contiguous()}
        header = {"format": FORMAT, "about": json.dumps(about)}
        save_tensors(path, tensors, header=header)


def load_probe(path: Path) -> TrainedProbe:
    """Read what `TrainedProbe.save` wrote.

    Raises: ValueError, if there is no such file or it is no probe; FoldError, for one that by its provenance may not be
        used in the fold in force.
    """
    way_out = "give a file that TrainedProbe.save wrote"
    header, tensors = load_tensors(path, what="probe", way_out=way_out, expected=FORMAT)
    about: dict[str, Any] = json.loads(header["about"])
    require_made_in(about["provenance"].get("fold", "all"), what=f"the probe in {path}")
    lists = {name: tuple(about[name]) for name in ("values", "sites", "hooks")}
    return TrainedProbe(
        label=about["label"], kind=about["kind"], **lists,
        readout=LinearReadout(tensors["weights"], tensors["bias"], tuple(range(len(about["values"])))),
        model=ModelIdentity.from_dict(about["model"]), provenance=Provenance.from_dict(about["provenance"]),
    )  # fmt: skip


def trained_probe(found: Probed, provenance: Provenance) -> TrainedProbe:
    """Return the probes of a label, out of what was measured of it."""
    n_sites = len(found.sites)
    return TrainedProbe(
        label=found.label, values=tuple(map(str, found.values)), kind=found.kind, sites=found.sites,
        hooks=tuple(found.hook_of(nth) for nth in range(n_sites)),
        readout=LinearReadout(
            torch.as_tensor(found.weights), torch.as_tensor(found.bias), tuple(range(len(found.values)))
        ),
        model=provenance.model, provenance=provenance,
    )  # fmt: skip
