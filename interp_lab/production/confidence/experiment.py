"""Confidence: how likely is an answer of the model to be right, and how far can one go by that?"""

from collections.abc import Mapping

import numpy as np

from interp_lab.bibliography import DELONG_1988, GEIFMAN_2017, GEIFMAN_2019, GUO_2017
from interp_lab.experiment import Progress, silent
from interp_lab.models.experiment import ModelExperiment
from interp_lab.production.confidence.answering import Answered
from interp_lab.production.confidence.asked import questions
from interp_lab.production.confidence.claimed import ConfidenceClaims
from interp_lab.production.confidence.config import ConfidenceConfig
from interp_lab.production.confidence.result import ConfidenceResult
from interp_lab.production.confidence.signals import Part, Reader
from interp_lab.types import HookedModel

NAME = "confidence"
"""In the registry, and at the head of every config file."""
_NEEDED = ("fit", "calibrate", "report")
"""Parts in which there must be right answers and wrong ones."""


class NothingToCalibrateError(ValueError):
    """The model is (nearly) always right, or never: its confidence cannot be told from a constant."""


class Confidence(ModelExperiment[ConfidenceConfig, ConfidenceResult]):
    """Fit on some prompts, calibrate on others, report on a third part and on reserved templates."""

    name = NAME
    result = ConfidenceResult
    sources = (GUO_2017, GEIFMAN_2017, GEIFMAN_2019, DELONG_1988)

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> ConfidenceResult:
        """Measure on a model already in memory.

        Raises: NothingToCalibrateError (a ValueError), if answers are (nearly) all right or all wrong; ValueError, for
            prompts as `asked.questions`, a probe of another run that does not fit, or a `primary` that there is not.
        """
        c, reader = self.config, Reader(model, self.config)
        asked, hooks = questions(c), reader.hooks_read()
        answered: dict[str, Answered] = {}
        for nth, (name, part) in enumerate(asked.items()):
            progress(nth, 2 * len(asked), f"answers, {name}")
            answered[name] = reader.answered(part, hooks=hooks)
        right = {name: reader.right(part, answered[name]) for name, part in asked.items()}
        require_both_kinds({name: right[name] for name in _NEEDED}, least=c.least_of_a_kind, task=c.task)
        usual = reader.usual(answered["fit"], right["fit"], hooks)
        grounded = c.grounding and any(one.spans for part in asked.values() for one in part)
        parts, names = {}, ()
        for nth, name in enumerate(one for one in asked if one != "fit"):
            progress(len(asked) + nth, 2 * len(asked), f"signals, {name}")
            x = answered[name].last[:, hooks.index(usual.hook)]
            signals = reader.signals(asked[name], answered[name], x, usual, grounded=grounded)
            names = tuple(signals)
            templates = np.array([one.template for one in asked[name]])
            parts[name] = Part(np.stack(list(signals.values())), right[name], templates, usual.strangeness(x))
        progress(1, 1, "asked")
        found = ConfidenceResult(
            config=c, provenance=self.provenance(model), names=names, usual=usual, calibrate=parts["calibrate"],
            report=parts["report"], held_out=parts.get("held_out"),
        )  # fmt: skip
        require_primary(found)
        return found


def require_both_kinds(right: Mapping[str, np.ndarray], *, least: int, task: str) -> None:
    """Refuse parts with hardly any wrong answers, or hardly any right ones (NothingToCalibrateError)."""
    for name, one in right.items():
        n = int(one.sum())
        if min(n, len(one) - n) < least:
            raise NothingToCalibrateError(
                f"{n} of {len(one)} answers to {task} ({name}) are right, and each part needs {least} of each kind: "
                "there is nothing to calibrate. Take what is harder (words_cut, n_sources, where, another task), or "
                "more prompts"
            )


def require_primary(found: ConfidenceClaims) -> None:
    """Refuse a primary probability that there is not (ValueError)."""
    found.given(found.config.primary, found.calibrate.signals[:, :1])
