"""What is measured of one concept: numbers per text, and which units were chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Split

KEYS = {Split.REPORT: "report", Split.HELD_OUT: "held_out"}
FULL = "all"
"""In place of `k`: the probe that reads all units."""


@dataclass(frozen=True)
class Scores:
    """On texts that nothing was chosen by: each number is a text's share of an area under the ROC curve."""

    best: Float[np.ndarray, "side document"]
    """Of the best single unit of each side."""
    random: Float[np.ndarray, "draw document"]
    """Of the best unit of each random dictionary."""
    shuffled: Float[np.ndarray, "shuffling document"]
    """Of the feature that was best for shuffled labels, on the labels of these texts as shuffled."""
    probes: Float[np.ndarray, "probed k document"]
    """Of probes that read few units; the last one reads all."""
    templates: np.ndarray
    fires: Float[np.ndarray, " 2"]
    """Share of the tokens with the concept, and of those without, for which the best feature is not zero."""
    share: float
    """Of the tokens that have the concept."""


@dataclass(frozen=True)
class Measured:
    """One concept."""

    concept: str
    """`LABEL = VALUE`."""
    sides: tuple[str, ...]
    """What single units were chosen from: features first."""
    units: tuple[str, ...]
    """The unit that was best on the select split, of each side."""
    signs: Float[np.ndarray, " side"]
    """-1 where a unit is low when the concept is there."""
    chosen: Float[np.ndarray, " side"]
    """Area under the ROC curve on the select split, which the units were chosen by."""
    chosen_random: Float[np.ndarray, " draw"]
    chosen_shuffled: Float[np.ndarray, " shuffling"]
    """Of the best feature for shuffled labels: what choosing alone makes of nothing."""
    probed: tuple[str, ...]
    """Sides that probes read."""
    k: tuple[str, ...]
    """Units that probes may read; the last entry is `FULL`."""
    scores: Mapping[Split, Scores]

    @property
    def feature(self) -> int:
        """Number of the best feature."""
        return int(self.units[0])

    @property
    def label(self) -> str:
        """The variable that it is a value of."""
        return self.concept.split(" ")[0]

    @property
    def short(self) -> str:
        """The name without what all have in common; the latent alone where its behaviour is called the same."""
        behaviour, _, rest = self.concept.removeprefix("grammar/").partition("/")
        return rest if rest.startswith(f"{behaviour} ") else f"{behaviour}/{rest}"

    def arrays(self, at: str) -> dict[str, np.ndarray]:
        """Return everything as arrays, names behind `at`."""
        found = {
            f"{at}_{one.name}": np.asarray(getattr(self, one.name)) for one in fields(self) if one.name != "scores"
        }
        for split, part in self.scores.items():
            found |= {f"{at}_{KEYS[split]}_{one.name}": np.asarray(getattr(part, one.name)) for one in fields(part)}
        return found


def measured_from(at: str, arrays: Mapping[str, np.ndarray]) -> Measured:
    """Rebuild what `Measured.arrays` returned.

    Raises: KeyError, for arrays of something else.
    """
    names = [one.name for one in fields(Measured) if one.name != "scores"]
    plain: dict[str, Any] = {name: arrays[f"{at}_{name}"] for name in names}
    plain |= {name: tuple(map(str, plain[name])) for name in ("sides", "units", "probed", "k")}
    plain["concept"] = str(plain["concept"])
    scores = {}
    for split, key in KEYS.items():
        if f"{at}_{key}_best" in arrays:
            part: dict[str, Any] = {one.name: arrays[f"{at}_{key}_{one.name}"] for one in fields(Scores)}
            part["share"] = float(part["share"])
            scores[split] = Scores(**part)
    return Measured(**plain, scores=scores)
