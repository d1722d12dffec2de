"""The sweeps of a patching experiment, one by one: what it spends its time on, and what processes can share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float

from interp_lab.claims import Split
from interp_lab.effects.parts import Part
from interp_lab.engine import sweep
from interp_lab.experiment import Progress, Steps, silent
from interp_lab.patching.changes import PATCHES, TO_CHOOSE, Patch
from interp_lab.patching.sites import Run, SiteMap, map_patches
from interp_lab.runs.parts import Arrays, Parts, key_of
from interp_lab.types import HookedModel

RUNS: Mapping[Patch, tuple[Run, Run, bool]] = {
    Patch.DENOISE: ("clean", "corrupted", False),
    Patch.NOISE: ("corrupted", "clean", False),
    Patch.DENOISE_NULL: ("corrupted", "corrupted", True),
    Patch.NOISE_NULL: ("clean", "clean", True),
    Patch.DENOISE_OTHER: ("clean", "corrupted", True),
}
"""Where values are taken from, where they are put, and whether they are another pair's."""


@dataclass(frozen=True)
class Sweep:
    """One sweep: of some sites, one patch each, on the pairs of one split."""

    split: Split
    patch: Patch
    sites: range


@dataclass(frozen=True)
class DividedSweeps:
    """Every sweep of every split; each patches its sites by itself, so that a sweep is a part of the work."""

    model: HookedModel
    maps: Sequence[SiteMap]
    drawn: Mapping[Split, Part]
    sites_at_once: int | None
    """Sites of one sweep; `None` takes all."""
    memory_budget: int | None
    chooses: bool = True
    """Whether sites are chosen on the selection split; else nothing is patched on it."""

    @property
    def n_sites(self) -> int:
        """Of all maps."""
        return sum(len(sites.cells) for sites in self.maps)

    @cached_property
    def sweeps(self) -> tuple[Sweep, ...]:
        """All of them, those of one split and patch behind each other."""
        size = self.sites_at_once or self.n_sites
        return tuple(
            Sweep(split, patch, range(first, min(first + size, self.n_sites)))
            for split in self.drawn
            for patch in self.patches_of(split)
            for first in range(0, self.n_sites, size)
        )

    @property
    def n_parts(self) -> int:
        """Sweeps."""
        return len(self.sweeps)

    @cached_property
    def inputs(self) -> str:
        """Checksum of the prompts and their answers."""
        drawn = {
            f"{split} {kind}": [
                *(getattr(pairs, name).tolist() for name in ("clean", "corrupted", "mask")), pairs.answers, pairs.wrong
            ]
            for split, part in self.drawn.items()
            for kind, pairs in (("pairs", part.pairs), ("others", part.others))
        }  # fmt: skip
        return key_of(drawn)

    def make(self, numbers: Sequence[int]) -> Iterator[tuple[int, Arrays]]:
        """Yield what some sweeps change; raises as `engine.sweep`."""
        for number in numbers:
            yield number, {"changes": torch.from_numpy(self.changes(number).copy())}

    def changes(self, number: int, *, progress: Progress = silent) -> Float[np.ndarray, "site example"]:
        """Return what one sweep changes.

        Raises: as `engine.sweep`.
        """
        one = self.sweeps[number]
        part, (source, base, of_another) = self.drawn[one.split], RUNS[one.patch]
        values = getattr(part.others if of_another else part.pairs, source)
        cells = [cell for sites in self.maps for cell in map_patches(self.model, sites, part.pairs, values, base=base)]
        return sweep(
            self.model, getattr(part.pairs, base), cells[one.sites.start : one.sites.stop], part.metric,
            mask=part.pairs.mask, memory_budget=self.memory_budget, progress=progress,
        ).changes  # fmt: skip

    def of_split(self, split: Split, *, made: Parts | None, counted: Steps) -> Float[np.ndarray, "patch site example"]:
        """Return what all sweeps of one split change, in the order of `PATCHES`; NaN for patches that are not made.

        Args:
            made: take them from here, in place of sweeping now.
            counted: is told of a piece for each sweep.

        Raises: as `changes`; RunError, if a part is missing, damaged or of other work.
        """
        found = np.full((len(PATCHES), self.n_sites, len(self.drawn[split].pairs)), np.nan)
        for number, one in enumerate(self.sweeps):
            if one.split is split:
                progress = counted.next(str(one.patch))
                changes = made.read(number)["changes"].numpy() if made else self.changes(number, progress=progress)
                found[PATCHES.index(one.patch), one.sites.start : one.sites.stop] = changes
        return found

    def patches_of(self, split: Split) -> tuple[Patch, ...]:
        """Return the patches that are made of a split."""
        if split is Split.SELECT:
            return TO_CHOOSE if self.chooses else ()
        return PATCHES
