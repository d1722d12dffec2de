"""What patches change, pair by pair, and what share of the total effect that is."""

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Shaped


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
class SplitMeasurements:
    """The numbers of one split, example by example, in the unit of the metric."""

    clean: Float[np.ndarray, " example"]
    corrupted: Float[np.ndarray, " example"]
    templates: Shaped[np.ndarray, " example"]
    """Names; see `clusters`."""
    changes: Float[np.ndarray, "patch site example"]
    """Metric under the patch minus that of the run it was put into, in the order of `PATCHES`; NaN for patches that
    were not made: of the selection split, all but those in `TO_CHOOSE`."""
    sets: Float[np.ndarray, "map set example"]
    """Change by denoising the chosen sites of a map together, then as many random ones, again and again; NaN where none
    were chosen."""
    preference: Float[np.ndarray, " example"]
    """Fall of the logit difference under the corruption, where the metric is a cost; else NaN. See `behaviour`."""

    @property
    def clusters(self) -> Shaped[np.ndarray, " example"]:
        """What intervals resample: templates, or pairs where all are of one template."""
        return self.templates if self.has_templates else np.arange(len(self.templates))

    @property
    def has_templates(self) -> bool:
        """Whether there are several templates, so that intervals can speak for others like them."""
        return len(set(self.templates.tolist())) > 1

    @property
    def total(self) -> Float[np.ndarray, " example"]:
        """What the corruption costs."""
        return self.clean - self.corrupted

    def effect(self, patch: Patch) -> Float[np.ndarray, "site example"]:
        """Return changes with the sign of the total effect: what is brought back, or lost."""
        changes = self.changes[PATCHES.index(patch)]
        return -changes if patch in (Patch.NOISE, Patch.NOISE_NULL) else changes

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the fields under a prefix."""
        return {f"{prefix}_{one.name}": getattr(self, one.name) for one in fields(self)}


def as_shares(
    effects: Float[np.ndarray, "*site example"], total: Float[np.ndarray, " example"]
) -> Float[np.ndarray, "*site example"]:
    """Return values whose mean is the share mean(effect) / mean(total), and whose spread is that of the ratio.

    Both means are uncertain; to first order, the ratio r varies as the mean of r + (effect - r total) / mean(total).

    Source: the delta method for ratios (any text on survey sampling).
    """
    ratio = effects.mean(-1, keepdims=True) / total.mean()
    return ratio + (effects - ratio * total) / total.mean()
