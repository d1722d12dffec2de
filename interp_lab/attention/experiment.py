"""Which heads attend like heads of a known type, and does it matter?"""

from collections.abc import Mapping, Sequence

import torch

from interp_lab.attention.behaviours import BehaviourPrompts, TextParts, behaviours
from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.head_effects import look_alikes, measure_effects, partners
from interp_lab.attention.head_sets import HeadSet
from interp_lab.attention.head_types import HeadType, delimiters_of, head_types
from interp_lab.attention.looks import REPEATS, TEXT, Looks
from interp_lab.attention.masks import MaskOf
from interp_lab.attention.measurements import PREDICTS
from interp_lab.attention.readings import (
    WeightReadings,
    read_attended,
    read_example,
    read_habits,
    read_scores,
    read_weights,
)
from interp_lab.attention.result import AttentionHeadsResult
from interp_lab.attention.texts import Repeats, draw_repeats, draw_task, draw_text
from interp_lab.bibliography import BENJAMINI_1995, ELHAGE_2021, OLSSON_2022, WANG_2022
from interp_lab.claims import Split
from interp_lab.experiment import Progress, Steps, silent
from interp_lab.models import norms_after
from interp_lab.models.experiment import ModelExperiment
from interp_lab.types import HookedModel

NAME = "attention_heads"
"""In the registry, and at the head of every config file."""

SOURCES = (OLSSON_2022, ELHAGE_2021, WANG_2022, BENJAMINI_1995)

MOST_SHOWN = 12
"""Heads whose patterns are kept, to be looked at."""


class AttentionHeads(ModelExperiment[AttentionHeadsConfig, AttentionHeadsResult]):
    """Score every head, ablate every head, and see whether heads that look the part act it.

    Types are chosen on half of the sequences and on a second period; scores and effects are reported on the other
    half, effects again on text that no choice has seen. The controls of an ablation are the heads of no type, each
    alone; of a set of heads, random sets of as many of these. The spread of controls counts.
    """

    name = NAME
    result = AttentionHeadsResult
    sources = SOURCES

    def measure(
        self, model: HookedModel, *, own_types: Mapping[str, MaskOf] | None = None, progress: Progress = silent
    ) -> AttentionHeadsResult:
        """Measure on a model already in memory.

        Args:
            own_types: where heads of types of your own look, given tokens; scored beside the others.

        Raises: ValueError, if a text does not fit the model, holds nothing for some type to look at, or the model has
            no attention patterns; NonFiniteActivationError, naming the layer.
        """
        c = self.config
        repeats = draw_repeats(model, c)
        types = {REPEATS: head_types(window=c.window, own=own_types)}
        text, task = None, None if c.task is None else draw_task(model, c)
        if c.text is not None:
            types[TEXT] = head_types(window=c.window, own=own_types, delimiters=delimiters_of(model))
            text = draw_text(model, c, {name: one.mask for name, one in types[TEXT].items()})
        looks = self._looks(model, repeats, text, types)
        asked = behaviours(model, repeats, text=text, task=task)
        steps = Steps(progress, 1 + len(asked[Split.REPORT]) + len(asked[Split.HELD_OUT]))
        sets = self._sets(model, looks, asked[Split.SELECT], steps.next("looking for partners"))
        effects = {
            (split, prompts.name): measure_effects(
                model, prompts, c, sets=sets, controls=looks.untyped,
                progress=steps.next(f"ablating heads: {prompts.name}, {split}"),
            )
            for split in (Split.REPORT, Split.HELD_OUT)
            for prompts in asked[split]
        }  # fmt: skip
        shown = [*looks.of_heads, *looks.untyped][: max(1, min(MOST_SHOWN, len(looks.of_heads)))]
        natural = repeats.report.tokens if text is None else text[Split.REPORT]
        return AttentionHeadsResult(
            config=c,
            provenance=self.provenance(model),
            looks=looks,
            effects=effects,
            sets=tuple(sets),
            habits=read_habits(model, natural, c),
            weights=self._weights(model, repeats),
            attended=None if text is None else read_attended(model, text[Split.SELECT], natural, shown),
            example=read_example(model, natural, shown),
        )

    def _looks(
        self, model: HookedModel, repeats: Repeats, text: TextParts, types: Mapping[str, Mapping[str, HeadType]]
    ) -> Looks:
        c, own = self.config, types[REPEATS]
        parts = (repeats.select, repeats.second, repeats.report)
        first, second, other = (read_scores(model, part.tokens, own, c, compete=True) for part in parts)
        select, report = {REPEATS: first}, {REPEATS: other}
        if text is not None:
            for half, split in ((select, Split.SELECT), (report, Split.REPORT)):
                half[TEXT] = read_scores(model, text[split], types[TEXT], c, compete=False)
        return Looks(c, {name: tuple(kinds) for name, kinds in types.items()}, select, second, report)

    def _sets(
        self, model: HookedModel, looks: Looks, asked: Sequence[BehaviourPrompts], progress: Progress
    ) -> list[HeadSet]:
        """Return look-alikes, and heads that look the part with their likeliest partner (on prompts to choose on)."""
        there = {prompts.name for prompts in asked}
        found = [one for one in look_alikes(looks.of_heads, PREDICTS) if one.behaviour in there]
        if self.config.find_partners:
            for prompts in asked:
                alike = [
                    head for head, kinds in looks.of_heads.items()
                    if any(PREDICTS.get(kind) == prompts.name for kind in kinds)
                ]  # fmt: skip
                found += partners(model, prompts, self.config, alike, progress=progress)
        distinct = {(one.behaviour, tuple(sorted(one.heads))): one for one in reversed(found)}
        return [*reversed(distinct.values())]

    def _weights(self, model: HookedModel, repeats: Repeats) -> WeightReadings | None:
        if self.config.n_copied_tokens is None or norms_after(model):
            return None
        symbols = repeats.select.tokens[:, 1:].unique()
        generator = torch.Generator().manual_seed(self.config.seed)
        order = torch.randperm(len(symbols), generator=generator)[: self.config.n_copied_tokens]
        return read_weights(model, symbols[order.to(symbols.device)], self.config)
