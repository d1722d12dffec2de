"""What is read of every answer: numbers that may tell right answers from wrong ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped

from interp_lab.linear import logistic_line
from interp_lab.production.confidence.answering import Answered, answer, is_right
from interp_lab.production.confidence.asked import Question
from interp_lab.production.confidence.config import ConfidenceConfig
from interp_lab.production.confidence.names import (
    AGREEING,
    ENTROPY,
    GROUNDING,
    MARGIN,
    PER_TOKEN,
    PROBABILITY,
    PROBE,
)
from interp_lab.production.monitors.bank import MonitorBank
from interp_lab.production.monitors.from_run import monitor_from_run
from interp_lab.production.monitors.monitor import Monitor
from interp_lab.production.sources.ablations import Ablations
from interp_lab.production.sources.prompts import encoded
from interp_lab.production.sources.scores import falls_without_each
from interp_lab.runs.fields import KeptFields
from interp_lab.tasks.encoding import prompts
from interp_lab.types import HookedModel

_N_FOLDS = 5


@dataclass(frozen=True)
class Part(KeptFields):
    """The answers of one part."""

    signals: Float[np.ndarray, "signal example"]
    right: Bool[np.ndarray, " example"]
    templates: Shaped[np.ndarray, " example"]
    strangeness: Float[np.ndarray, " example"]
    """How far activations are from the usual ones (Mahalanobis distance)."""

    @property
    def clusters(self) -> Shaped[np.ndarray, " example"]:
        """What intervals resample: templates, or answers where all are of one template."""
        return self.templates if len(set(self.templates.tolist())) > 1 else np.arange(len(self.templates))


@dataclass(frozen=True)
class Usual(KeptFields):
    """What was fitted on activations of the first part: a probe, and what is usual at its place."""

    hook: str
    weights: Float[np.ndarray, " d"]
    """Of the probe."""
    bias: float
    after: str
    """What is done to its affine score; see `monitors.monitor.After`."""
    jump: float
    centre: Float[np.ndarray, " d"]
    whitening: Float[np.ndarray, "d d"]
    """Activations without their centre become of unit covariance by it."""
    hooks: tuple[str, ...]
    """Where a probe was tried."""
    losses: Float[np.ndarray, " hook"]
    """Of each (nats), cross-validated; empty where the probe is another run's."""

    def probe(self, x: Float[np.ndarray, "example d"]) -> Float[np.ndarray, " example"]:
        """Return the probe's scores."""
        own: dict[str, Any] = {"bias": self.bias, "after": self.after, "jump": self.jump}
        one = Monitor(PROBE, self.hook, torch.from_numpy(self.weights), **own)
        (stack,) = MonitorBank((one,)).stacks(torch.device("cpu"))
        return stack.scores(torch.from_numpy(x)[None])[0, :, 0].double().numpy()

    def strangeness(self, x: Float[np.ndarray, "example d"]) -> Float[np.ndarray, " example"]:
        """Return how far activations are from the usual ones."""
        return np.linalg.norm((x.astype(np.float64) - self.centre) @ self.whitening, axis=1)


@dataclass(frozen=True)
class Reader:
    """Asks the model, and reads its signals in the same way of every prompt."""

    model: HookedModel
    config: ConfidenceConfig

    @cached_property
    def given(self) -> Monitor | None:
        """The probe of another run; `None` if one is fitted here.

        Raises: ValueError, as `monitor_from_run`, or for a hook point where tokens have no single vector.
        """
        if self.config.probe is None:
            return None
        found = monitor_from_run(self.config.probe, self.model)
        MonitorBank((found,)).require_fits(self.model)
        return found

    def answered(self, asked: Sequence[Question], *, hooks: Sequence[str]) -> Answered:
        """Return the model's answers.

        Raises: ValueError, for an empty prompt, a word that the tokenizer does not know, or as `answering.answer`.
        """
        c, ids = self.config, [one.ids for one in prompts(self.model, [one.prompt for one in asked])]
        return answer(
            self.model, ids, n_tokens=c.answer_tokens, n_samples=c.n_samples, heat=c.heat, hooks=hooks,
            batch_size=c.batch_size, seed=c.seed,
        )  # fmt: skip

    def right(self, asked: Sequence[Question], answered: Answered) -> Bool[np.ndarray, " example"]:
        """Return which answers are right."""
        return is_right(self.model, asked, answered, n_tokens=self.config.answer_tokens)

    def usual(self, answered: Answered, right: Bool[np.ndarray, " example"], hooks: Sequence[str]) -> Usual:
        """Fit the probe, or take another run's, and what activations usually are at its place.

        Raises: ValueError, as `given`.
        """
        given = self.given
        if given is not None:
            x = answered.last[:, hooks.index(given.hook)]
            own = (given.weights.double().numpy(), given.bias, given.after, given.jump)
            return Usual(given.hook, *own, *_whitened(x), (given.hook,), np.zeros(0))
        losses = np.array([self._loss(answered.last[:, nth], right) for nth in range(len(hooks))])
        best = int(losses.argmin())
        x = answered.last[:, best]
        weights, bias = logistic_line(x, right, penalty=self.config.penalty)
        return Usual(hooks[best], weights, bias, "identity", 0.0, *_whitened(x), tuple(hooks), losses)

    def hooks_read(self) -> tuple[str, ...]:
        """Return where activations are needed.

        Raises: ValueError, as `given`.
        """
        if self.given is not None:
            return (self.given.hook,)
        return tuple(f"blocks.{layer}.hook_resid_post" for layer in range(int(self.model.cfg.n_layers)))

    def signals(
        self,
        asked: Sequence[Question],
        answered: Answered,
        x: Float[np.ndarray, "example d"],
        usual: Usual,
        *,
        grounded: bool,
    ) -> dict[str, Float[np.ndarray, " example"]]:
        """Return the signals of answers by name.

        Args:
            x: activations of the last token at the probe's place.
            grounded: whether sources are left out.

        Raises: ValueError, as `sources.encoded`, for sources that share tokens with what is beside them.
        """
        found = {PROBABILITY: answered.log_odds}
        if self.config.answer_tokens > 1:
            found[PER_TOKEN] = answered.per_token
        found |= {ENTROPY: answered.entropy, MARGIN: answered.margin, AGREEING: answered.agreeing}
        found[PROBE] = usual.probe(x)
        if grounded:
            found[GROUNDING] = self._grounding(asked, answered)
        return found

    def _grounding(self, asked: Sequence[Question], answered: Answered) -> Float[np.ndarray, " example"]:
        """Return the largest fall of the answer's log odds when a source is left out; 0 where there is none."""
        have = [nth for nth, one in enumerate(asked) if one.spans]
        if not have:
            return np.zeros(len(asked))
        made = encoded(self.model, [(asked[nth].prompt, asked[nth].spans, answered.answers[nth]) for nth in have])
        found = np.zeros(len(asked))
        falls = falls_without_each(Ablations(self.model, made, batch_size=self.config.batch_size), made)
        found[have] = np.maximum(falls.max(1), 0.0)
        return found

    def _loss(self, x: np.ndarray, right: np.ndarray) -> float:
        """Return the loss of a probe on prompts that it was not fitted on (nats)."""
        places = np.random.default_rng([self.config.seed, 93]).permutation(len(right)) % _N_FOLDS
        scores = np.empty(len(right))
        for fold in range(_N_FOLDS):
            own = places != fold
            if right[own].all() or not right[own].any():
                return float("inf")
            weights, bias = logistic_line(x[own], right[own], penalty=self.config.penalty)
            scores[~own] = x[~own] @ weights + bias
        return float(np.logaddexp(0.0, np.where(right, -scores, scores)).mean())


def _whitened(x: Float[np.ndarray, "example d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    from sklearn.covariance import LedoitWolf

    found = LedoitWolf().fit(x.astype(np.float64))
    values, vectors = np.linalg.eigh(found.covariance_)
    return np.asarray(found.location_), vectors / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny))
