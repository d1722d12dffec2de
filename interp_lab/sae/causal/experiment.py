"""Features: which does an answer need, and how much of it goes through features at all?"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.bibliography import ARAD_2025, BENJAMINI_1995, MARKS_2024_CIRCUITS, NANDA_2023
from interp_lab.claims import Split
from interp_lab.effects.metric_names import COSTS, MetricOf
from interp_lab.effects.parts import parts_of
from interp_lab.experiment import Progress, Steps, silent
from interp_lab.folds import note_beyond
from interp_lab.models.experiment import ModelExperiment
from interp_lab.sae.causal.config import FeatureEffectsConfig, Operation
from interp_lab.sae.causal.logit_lens import logit_effects
from interp_lab.sae.causal.measured import Measuring
from interp_lab.sae.causal.reading import Dictionary
from interp_lab.sae.causal.result import FeatureEffectsResult
from interp_lab.sae.causal.selecting import considered, select
from interp_lab.sae.causal.text import text_effects
from interp_lab.sae.chosen import load_chosen
from interp_lab.tasks import Pairs
from interp_lab.tasks.encoding import spellings
from interp_lab.types import HookedModel

NAME = "feature_effects"
"""In the registry, and at the head of every config file."""
SHOWN = 4
"""Tokens by which a latent is described."""


class FeatureEffects(ModelExperiment[FeatureEffectsConfig, FeatureEffectsResult]):
    """Change features: choose on half of the prompts, report on the rest, confirm on held-out templates."""

    name = NAME
    result = FeatureEffectsResult
    sources = (MARKS_2024_CIRCUITS, ARAD_2025, NANDA_2023, BENJAMINI_1995)

    def measure(
        self,
        model: HookedModel,
        *,
        codec: Dictionary | None = None,
        metric: MetricOf | None = None,
        progress: Progress = silent,
    ) -> FeatureEffectsResult:
        """Measure on a model already in memory.

        Args:
            codec: a dictionary in memory, in place of the one that the config names.
            metric: makes a metric of your own from the model and the pairs, in place of the one that the config names.
                It must be higher where the model is nearer to the answer (negate a cost).

        Raises: ValueError, if the dictionary belongs to another model, hook point or weight processing, or its decoder
            is not linear; if a latent that the config names is not there, or the operation changes nothing of it on
            the prompts; if so many are chosen that fewer than three are left to compare them with; if the task does
            not suit the model, has too few different pairs or no such place; as `engine.sweep`.
        """
        c = self.config
        device = str(next(iter(model.parameters())).device)
        if codec is not None:
            note_beyond("the dictionary, given in memory")
        codec = codec or load_chosen(c.dictionary, device=device, dtype=c.dtype)
        codec.require_fits(model)
        needs_others = Operation.RESAMPLE in c.operations
        drawn = parts_of(model, c, metric, partners="any" if needs_others else None)
        parts, steps = drawn.by_split, Steps(progress, 2 + len(drawn.by_split))
        first = Measuring(
            model, codec, c, parts[Split.SELECT], drawn.metric in COSTS, progress=steps.next("features that choose")
        )
        latents = considered(first.lengths(), c, where=_short(codec.where))
        exact = first.considered(latents)
        selected = select(first.scores(latents, exact), latents, c)
        measured = {}
        for split in (Split.REPORT, Split.HELD_OUT):
            if split in parts:
                own = replace(
                    first, part=parts[split], reference=first.values, split=split,
                    progress=steps.next(f"features, {split}"),
                )  # fmt: skip
                measured[split] = own.chosen(selected)
        text = text_effects(model, codec, selected, config=c)
        progress(1, 1, "features")
        return FeatureEffectsResult(
            config=c,
            provenance=self.provenance(model),
            metric=drawn.metric,
            unit=drawn.unit,
            where=_short(codec.where),
            hook=codec.hook,
            selected=selected,
            fires_on=_fires_on(first, selected.latents),
            writes=_writes(model, codec, first.rows, selected.latents),
            select=exact,
            report=measured[Split.REPORT],
            held_out=measured.get(Split.HELD_OUT),
            text=text,
        )


def _fires_on(measuring: Measuring, latents: Int[np.ndarray, " chosen"]) -> tuple[str, ...]:
    """Return for each latent the tokens with the largest shares of its activation, on both prompts of every pair."""
    pairs, index = measuring.part.pairs, torch.from_numpy(latents)
    tokens = torch.cat([pairs.clean[measuring.asked], pairs.corrupted[measuring.asked]])
    values = torch.cat(
        [side.latents[measuring.asked][:, index] for side in (measuring.sides.clean, measuring.sides.corrupted)]
    )
    shares: Float[Tensor, "token chosen"] = values.new_zeros(int(tokens.max()) + 1, len(latents))
    shares.index_add_(0, tokens, values.clamp(min=0))
    shares /= shares.sum(0, keepdim=True).clamp(min=torch.finfo(shares.dtype).tiny)
    return tuple(_told(own, pairs) for own in shares.T)


def _told(shares: Float[Tensor, " token"], pairs: Pairs) -> str:
    """Return the commonest tokens with their shares, such as `slow 41%, sharp 22%`."""
    order = shares.argsort(descending=True, stable=True)[:SHOWN].tolist()
    return ", ".join(f"{pairs.spelling[token].strip()} {shares[token]:.0%}" for token in order if shares[token] >= 0.01)


def _writes(
    model: HookedModel, codec: Dictionary, rows: Float[Tensor, "latent d_in"], latents: Int[np.ndarray, " chosen"]
) -> tuple[str, ...]:
    """Return for each latent the tokens that its direction raises most; empty where that cannot be said."""
    try:
        effects = logit_effects(model, rows[torch.from_numpy(latents)], hook=codec.hook)
    except ValueError:  # of the instrument: nothing is written to the residual stream by a fixed matrix
        return ("",) * len(latents)
    top = effects.topk(SHOWN, dim=-1).indices
    spelt = spellings(model, top.flatten().tolist())
    return tuple(", ".join(spelt[token].strip() for token in row) for row in top.tolist())


def _short(where: str) -> str:
    """Return the name of a folder, and of a release what stands there."""
    return Path(where).name if Path(where).is_dir() else where
