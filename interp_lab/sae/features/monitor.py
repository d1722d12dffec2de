"""A direction that warns of a label before it is written: one feature's, or a probe's, beside each context alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from interp_lab.config import RunRef
from interp_lab.directions import Directions, from_run
from interp_lab.identity import ModelIdentity
from interp_lab.linear import ridge_in_folds
from interp_lab.runs.fields import KeptFields
from interp_lab.sae.features.dictionary import Dictionary
from interp_lab.stats.auroc import auroc_by_document
from interp_lab.types import HookedModel

FEATURE, PROBE = "monitor_feature", "monitor_probe"
"""What the best feature writes, and a ridge probe: artefacts of the run, in its folder `directions`."""
READING = "last"
"""Monitors read the token that the answer follows."""


@dataclass(frozen=True)
class Monitors(KeptFields):
    """Directions, and how well each number tells the label from its absence, beside what one context alone tells."""

    names: tuple[str, ...]
    """Of the monitors, and then of the contexts."""
    directions: Float[np.ndarray, "monitor d"]
    """Larger where the label is likelier."""
    report: Float[np.ndarray, "score document"]
    """Areas under the ROC curve, shared out among documents: their mean is the area."""
    report_templates: tuple[str, ...]
    report_rarer: int
    """Documents of the rarer kind, with the label or without."""
    held_out: Float[np.ndarray, "score held_out_document"]
    """The same on held-out templates; no document at all where none were asked for."""
    held_out_templates: tuple[str, ...]
    held_out_rarer: int

    @property
    def n_monitors(self) -> int:
        """How many of the names are directions."""
        return len(self.directions)

    @property
    def parts(self) -> dict[str, tuple[Float[np.ndarray, "score document"], tuple[str, ...], int]]:
        """Return what was measured on each part: areas, templates, documents of the rarer kind."""
        found = {"report": (self.report, self.report_templates, self.report_rarer)}
        away = {"held_out": (self.held_out, self.held_out_templates, self.held_out_rarer)}
        return found | (away if self.held_out_templates else {})


@dataclass(frozen=True)
class Documented:
    """What monitors need of documents."""

    x: Float[np.ndarray, "document d"]
    labels: Int[np.ndarray, " document"]
    templates: tuple[str, ...]
    contexts: tuple[str, ...]
    """Values joined by `, `."""


def monitors_of(
    documents: tuple[Documented, Documented | None],
    halves: tuple[np.ndarray, np.ndarray],
    directions: Mapping[str, Float[np.ndarray, " d"]],
    contexts: Sequence[str],
) -> Monitors:
    """Score documents by directions that were found on the training half, or elsewhere.

    A context by itself says of a document what share of the training half has the label where the context takes this
    value: no monitor that knows this context alone can do better.

    Args:
        halves: rows of the first documents to train on, and to report.
    """
    (own, away), (train, report) = documents, halves
    stacked = np.stack([np.asarray(one, np.float64) for one in directions.values()])

    def areas(of: Documented, at: np.ndarray) -> np.ndarray:
        alone = [_alone(own, train, of, at, nth) for nth in range(len(contexts))]
        scores = np.concatenate([stacked @ of.x[at].T.astype(np.float64), np.stack(alone)])
        return auroc_by_document(scores, of.labels[at] == 1, np.arange(len(at)))

    return Monitors(
        names=(*directions, *(f"{name} alone" for name in contexts)),
        directions=stacked,
        report=areas(own, report),
        report_templates=tuple(own.templates[nth] for nth in report),
        report_rarer=int(np.bincount(own.labels[report], minlength=2).min()),
        held_out=np.zeros((len(stacked) + len(contexts), 0)) if away is None else areas(away, np.arange(len(away.x))),
        held_out_templates=() if away is None else away.templates,
        held_out_rarer=0 if away is None else int(np.bincount(away.labels, minlength=2).min()),
    )


def _alone(own: Documented, train: np.ndarray, of: Documented, at: np.ndarray, nth: int) -> np.ndarray:
    seen = np.array([own.contexts[row].split(", ")[nth] for row in train])
    share = {value: float(own.labels[train][seen == value].mean()) for value in dict.fromkeys(seen.tolist())}
    return np.array([share.get(of.contexts[row].split(", ")[nth], 0.5) for row in at])


def of_feature(dictionary: Dictionary, latent: int, *, sign: float) -> Float[np.ndarray, " d"]:
    """Return what a latent adds to the reconstruction per unit, turned so that more of it speaks for the label."""
    like = next(iter(dictionary.codec.decode(torch.zeros(1, dictionary.n_latents))))
    one = torch.zeros(1, dictionary.n_latents)
    one[0, latent] = 1.0
    return np.sign(sign) * (dictionary.codec.decode(one)[0] - like).detach().cpu().numpy()


def of_probe(
    x: Float[np.ndarray, "document d"],
    y: Int[np.ndarray, " document"],
    *,
    folds: Int[np.ndarray, " document"],
    penalties: Sequence[float],
) -> Float[np.ndarray, " d"]:
    """Return the weights of a ridge probe, whose penalty is chosen in inner folds."""
    found = ridge_in_folds(
        torch.from_numpy(np.asarray(x, np.float32)), torch.from_numpy(y)[None], folds=torch.from_numpy(folds),
        penalties=penalties, n_classes=2,
    )  # fmt: skip
    return found.readout.weights.reshape(-1, x.shape[1])[0].numpy()


def given_monitors(refs: Sequence[RunRef], model: HookedModel, *, hook: str) -> dict[str, Float[np.ndarray, " d"]]:
    """Return directions of other runs, as they are.

    Raises: ValueError, for one of another hook point than documents are read at, or as `from_run`.
    """
    found = {}
    for ref in refs:
        direction = from_run(ref, model)
        if direction.hooks != (hook,):
            raise ValueError(
                f"monitor {ref.artefact!r} is one at {', '.join(direction.hooks)}, and documents are read at {hook}; "
                "name one of a run with the same dictionary"
            )
        found[f"{ref.artefact}, given"] = direction.vectors[0].cpu().numpy()
    return found


def saved_monitors(found: Monitors, hook: str, model: ModelIdentity, *, label: str) -> dict[str, Directions]:
    """Return the monitors that were found here as directions to be kept, by artefact."""
    kept = dict(zip(found.names, found.directions, strict=False))
    return {
        name: Directions(torch.from_numpy(kept[name]).float()[None], (hook,), model, method, label)
        for name, method in ((FEATURE, "sae decoder"), (PROBE, "ridge probe"))
        if name in kept
    }
