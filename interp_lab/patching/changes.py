"""What patches change, pair by pair, and what share of the total effect that is."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float

from interp_lab.effects.untouched import Untouched


class Patch(StrEnum):
    """What was patched into what."""

    DENOISE = "denoise"
    """The pair's clean value into its corrupted run: does it bring the answer back?"""
    NOISE = "noise"
    """The pair's corrupted value into its clean run: does the answer get lost?"""
    DENOISE_NULL = "denoise_null"
    """Control of denoising: the value of another *corrupted* prompt of the template, which does not know the answer."""
    NOISE_NULL = "noise_null"
    """Control of noising: the value of another *clean* prompt of the template."""
    DENOISE_OTHER = "denoise_other"
    """Content: the value of another clean prompt of the template, into the corrupted run. What this brings back, the
    site says of any such prompt, and not of this one: of any with the same answer, if partners have it (see
    `same_answers` of the result), else of any at all."""


PATCHES = tuple(Patch)
TO_CHOOSE = (Patch.DENOISE, Patch.NOISE, Patch.DENOISE_NULL, Patch.NOISE_NULL)
"""What sites are chosen by."""


@dataclass(frozen=True)
class SplitMeasurements(Untouched):
    """The numbers of one split, example by example, in the unit of the metric."""

    changes: Float[np.ndarray, "patch site example"]
    """Metric under the patch minus that of the run it was put into, in the order of `PATCHES`; NaN for patches that
    were not made: of the selection split, all but those in `TO_CHOOSE`, and these too where nothing is chosen."""
    sets: Float[np.ndarray, "map set example"]
    """Change by denoising the chosen sites of a map together, then as many random ones, again and again; NaN where none
    were chosen."""

    def effect(self, patch: Patch) -> Float[np.ndarray, "site example"]:
        """Return changes with the sign of the total effect: what is brought back, or lost."""
        changes = self.changes[PATCHES.index(patch)]
        return -changes if patch in (Patch.NOISE, Patch.NOISE_NULL) else changes
