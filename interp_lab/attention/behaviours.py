"""What heads are ablated for: prompts, what is measured on them, and what there is to lose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.attention.head_types import SECOND_COPY, TASK, TEXT
from interp_lab.attention.texts import Repeats
from interp_lab.claims import Split
from interp_lab.effects import metric_values
from interp_lab.engine import sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Ablation, ablations
from interp_lab.metrics import Metric, next_token_loss
from interp_lab.organisms.repeats import RepeatedTokens
from interp_lab.tasks import Pairs
from interp_lab.tasks.repeats import first_copy_loss, second_copy_loss
from interp_lab.types import HeadIndex, HookedModel, Site


@dataclass(frozen=True)
class BehaviourPrompts:
    """Prompts on which heads are ablated for one behaviour."""

    name: str
    """`SECOND_COPY`, `TEXT` or `TASK`."""
    tokens: Int[Tensor, "batch pos"]
    metric: Metric
    worse: int
    """1 where a higher metric is worse (a loss), -1 where it is better."""
    reference: Int[Tensor, "reference pos"]
    """Prompts that mean and resample ablation take their values from."""
    floor: Metric | float
    """The metric of a model without the behaviour: what there is to lose lies between."""
    pairs: tuple[Pairs, Pairs] | None = None
    """Of a task: the pairs of the reference prompts, and of those measured."""

    @property
    def mask(self) -> Bool[Tensor, "batch pos"] | None:
        """True at tokens, false at padding."""
        return None if self.pairs is None else self.pairs[1].mask

    @property
    def units(self) -> tuple[str, ...]:
        """Independent units: templates of a task, else every prompt on its own."""
        return tuple(map(str, range(len(self.tokens)))) if self.pairs is None else self.pairs[1].templates

    def ablate(
        self,
        model: HookedModel,
        groups: Sequence[Sequence[HeadIndex]],
        kind: Ablation,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> Float[np.ndarray, "group example"]:
        """Return by how much the behaviour is worse when the heads of a group are ablated together.

        In a task, means are taken within each template: positions of different templates have nothing in common.
        """
        own = kind if self.pairs is None or kind is not Ablation.MEAN else Ablation.MEAN_BY_TEMPLATE
        reference, measured = self.pairs or (None, None)
        cuts = ablations(
            model,
            [[Site.of_head(*head) for head in group] for group in groups],
            kind=own,
            reference=self.reference,
            mask=reference.mask if reference else None,
            n_examples=len(self.tokens),
            templates=measured.templates if measured else None,
            reference_templates=reference.templates if reference else None,
            seed=seed,
        )
        return self.worse * sweep(model, self.tokens, cuts, self.metric, mask=self.mask, progress=progress).changes

    def untouched(
        self, model: HookedModel, *, batch_size: int
    ) -> tuple[Float[np.ndarray, " example"], Float[np.ndarray, " example"]]:
        """Return the metric of the untouched model, and what there is to lose, prompt by prompt."""
        baseline = metric_values(model, self.tokens, self.metric, mask=self.mask, batch_size=batch_size)
        floor = self.floor
        if isinstance(floor, Metric):
            floor = metric_values(model, self.tokens, floor, mask=self.mask, batch_size=batch_size)
        return baseline, self.worse * (floor - baseline)


def on_repeats(text: RepeatedTokens, reference: RepeatedTokens) -> BehaviourPrompts:
    """Return the second copy of a random segment; at stake is what is gained on it over the first."""
    return BehaviourPrompts(
        SECOND_COPY, text.tokens, second_copy_loss(text), 1, reference.tokens, floor=first_copy_loss(text)
    )


def on_text(
    tokens: Int[Tensor, "batch pos"], reference: Int[Tensor, "reference pos"], *, d_vocab: int
) -> BehaviourPrompts:
    """Return the next tokens of natural text; at stake is what is gained over a uniform guess."""
    return BehaviourPrompts(
        TEXT, tokens, next_token_loss(tokens, name="loss on text"), 1, reference, floor=log(d_vocab)
    )


def on_task(reference: Pairs, measured: Pairs) -> BehaviourPrompts:
    """Return the answers of a task; at stake is the logit difference between right and wrong ones."""
    return BehaviourPrompts(
        TASK, measured.clean, measured.logit_difference(), -1, reference.clean, 0.0, (reference, measured)
    )


TextParts = Mapping[Split, Int[Tensor, "_ _"]] | None
TaskParts = Mapping[Split, tuple[Pairs, Pairs]] | None


def behaviours(
    model: HookedModel, repeats: Repeats, *, text: TextParts, task: TaskParts
) -> dict[Split, list[BehaviourPrompts]]:
    """Return what heads are ablated for, by split.

    On the report and held-out splits ablations take their values from prompts that are not measured. The prompts to
    choose on are none of those, and are their own reference.
    """
    found: dict[Split, list[BehaviourPrompts]] = {
        Split.SELECT: [on_repeats(repeats.select, repeats.select)],
        Split.REPORT: [on_repeats(repeats.report, repeats.select)],
        Split.HELD_OUT: [],
    }
    if repeats.held_out is not None:
        reference, measured = repeats.held_out
        found[Split.HELD_OUT].append(on_repeats(measured, reference))
    for split, prompts in found.items():
        if text is not None and split in text:
            prompts.append(on_text(text[split], text[Split.SELECT], d_vocab=int(model.cfg.d_vocab)))
        drawn_from = Split.REPORT if split is Split.SELECT else split
        if task is not None and drawn_from in task:
            reference, measured = task[drawn_from]
            prompts.append(on_task(reference, reference if split is Split.SELECT else measured))
    return found
