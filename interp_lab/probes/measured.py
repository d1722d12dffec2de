"""What is measured of one label: numbers per example, and the probe itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.claims import Split
from interp_lab.organisms.grammar import Value
from interp_lab.runs.fields import KeptFields

KEYS = {Split.SELECT: "select", Split.REPORT: "report", Split.HELD_OUT: "held_out"}
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class SplitScores(KeptFields):
    """Scores on the examples of one split: 1 where the class is right and 0 elsewhere, of numbers the `skill`."""

    probe: Float[np.ndarray, "site example"]
    control: Float[np.ndarray, "draw site example"]
    """Of probes of control tasks, on their own labels."""
    control_majority: Float[np.ndarray, "draw example"]
    """Of the commonest label of each control task: what a probe that reads nothing scores on it."""
    shuffled: Float[np.ndarray, "draw site example"]
    """Of probes of shuffled labels, on the true ones."""
    untrained: Float[np.ndarray, "copy site example"]
    """Of probes of the same labels, in models of random weights."""
    majority: Float[np.ndarray, " example"]
    token: Float[np.ndarray, "position example"]
    words: Float[np.ndarray, "position example"]
    templates: np.ndarray
    documents: np.ndarray
    was_stated: Bool[np.ndarray, " example"]
    """Whether a text of training says the same, in another template: see `statements.statements`."""


@dataclass(frozen=True)
class Transfer(KeptFields):
    """Trained on the examples of one family and tested on others, and the reverse: trained on all but one."""

    train: np.ndarray
    """Names of the families that were trained on."""
    hits: Float[np.ndarray, "family example"]
    """NaN where a family lacks a class, and there is no probe."""
    left_out: Float[np.ndarray, " example"]
    """Trained on all other families than the example's own; NaN where these lack a class."""
    families: np.ndarray
    """Of the examples tested; none of these was trained on."""
    documents: np.ndarray


@dataclass(frozen=True)
class Calibration(KeptFields):
    """Probabilities of a probe at the chosen site, its penalty chosen by text, on the report split."""

    confidence: Float[np.ndarray, " example"]
    """Probability of the class that is likeliest."""
    right: Float[np.ndarray, " example"]
    brier: Float[np.ndarray, " example"]
    """Squared distance of the probabilities from what was the case, summed over classes (0 to 2)."""
    brier_of_base_rates: Float[np.ndarray, " example"]
    """The same of the shares of the classes in the training split: a control."""


@dataclass(frozen=True)
class Contrast(KeptFields):
    """A probe with one hidden layer at the chosen site, on the report split."""

    probe: Float[np.ndarray, " example"]
    control: Float[np.ndarray, "draw example"]


@dataclass(frozen=True)
class UseScores(KeptFields):
    """What acting along directions does to the behaviour's answer, prompt by prompt."""

    clean: Float[np.ndarray, " example"]
    """Logit difference of the untouched model (logits)."""
    corrupted: Float[np.ndarray, " example"]
    """The same where the text is changed: the label, where the grammar can change it."""
    changes: Float[np.ndarray, "way example"]
    random: Float[np.ndarray, "way random example"]
    shuffled: Float[np.ndarray, "way draw example"]
    templates: np.ndarray
    changes_label: Bool[np.ndarray, " example"]
    """Whether the changed text has another label."""


def sites_named(hooks: Sequence[str], positions: Sequence[str]) -> tuple[str, ...]:
    """Return what sites are called: hook points, and within them places where there are several."""
    short = [hook.removeprefix("blocks.") for hook in hooks]
    return tuple(short) if len(positions) == 1 else tuple(f"{hook} at {place}" for hook in short for place in positions)


@dataclass(frozen=True)
class Probed:
    """What is measured of one label."""

    label: str
    values: tuple[Value, ...]
    """The classes, empty for numbers; after a run is read again, as text."""
    kind: str
    hooks: tuple[str, ...]
    positions: tuple[str, ...]
    weights: Float[np.ndarray, "*class site d"]
    """Of the probe at every site; with a class axis for three or more classes."""
    bias: Float[np.ndarray, "*class site"]
    penalty: Float[np.ndarray, " site"]
    chosen: int
    """The site that was chosen on the select split."""
    scores: Mapping[Split, SplitScores]
    directions: Float[np.ndarray, "direction d"]
    """At the chosen site, of two classes or of numbers: the probe's, and the mean difference. None of more classes."""
    templates: Transfer
    topics: Transfer | None = None
    calibration: Calibration | None = None
    contrast: Contrast | None = None
    ways: tuple[str, ...] = ()
    use: Mapping[Split, UseScores] = field(default_factory=dict)
    why_not: str = ""
    """Why the model was not acted upon, if it was not."""

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites: hook points, and within them places."""
        return sites_named(self.hooks, self.positions)

    @property
    def is_number(self) -> bool:
        """Whether labels are numbers, and scores R^2."""
        return not self.values

    def hook_of(self, site: int) -> str:
        """Return the hook point of a site."""
        return self.hooks[site // len(self.positions)]

    def position_of(self, site: int) -> int:
        """Return the number of a site's place."""
        return site % len(self.positions)

    def arrays(self, at: str) -> dict[str, np.ndarray]:
        """Return everything as arrays, names behind `at`."""
        plain = ("weights", "bias", "penalty", "directions")
        texts = ("label", "kind", "hooks", "positions", "ways", "why_not")
        found = {f"{at}_{name}": np.asarray(getattr(self, name)) for name in plain}
        found |= {f"{at}_{name}": np.array(getattr(self, name), dtype=str) for name in texts}
        found |= {f"{at}_values": np.array([str(one) for one in self.values], dtype=str)}
        found |= {f"{at}_chosen": np.array(self.chosen)}
        for split, part in self.scores.items():
            found |= part.arrays(f"{at}_{KEYS[split]}")
        for split, part in self.use.items():
            found |= part.arrays(f"{at}_use_{KEYS[split]}")
        for name in _OPTIONAL:
            part = getattr(self, name)
            found |= {} if part is None else part.arrays(f"{at}_{name}")
        return found


_OPTIONAL: dict[str, type[KeptFields]] = {
    "templates": Transfer, "topics": Transfer, "calibration": Calibration, "contrast": Contrast,
}  # fmt: skip


def probed_from(at: str, arrays: Arrays) -> Probed:
    """Rebuild what `Probed.arrays` returned.

    Raises: KeyError, for arrays of something else.
    """

    def parts(kind: type[KeptFields], prefix: str, sign: str) -> dict[Split, Any]:
        keys = {split: f"{prefix}_{key}" for split, key in KEYS.items()}
        return {split: kind.from_arrays(key, arrays) for split, key in keys.items() if f"{key}_{sign}" in arrays}

    plain = {name: arrays[f"{at}_{name}"] for name in ("weights", "bias", "penalty", "directions")}
    texts = {name: str(arrays[f"{at}_{name}"]) for name in ("label", "kind", "why_not")}
    lists = {name: tuple(map(str, arrays[f"{at}_{name}"])) for name in ("values", "hooks", "positions", "ways")}
    signs = {"templates": "hits", "topics": "hits", "calibration": "brier", "contrast": "probe"}
    optional = {
        name: kind.from_arrays(f"{at}_{name}", arrays)
        for name, kind in _OPTIONAL.items()
        if f"{at}_{name}_{signs[name]}" in arrays
    }
    values: dict[str, Any] = {**plain, **texts, **lists, **optional}
    values |= {"chosen": int(arrays[f"{at}_chosen"]), "scores": parts(SplitScores, at, "probe")}
    values["use"] = parts(UseScores, f"{at}_use", "changes")
    return Probed(**values)
