"""Which heads attend like previous-token, induction, duplicate-token or first-token heads, and does it matter?"""

import numpy as np
from jaxtyping import Float

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.heads import all_heads, chance_scores, head_scores
from interp_lab.attention.result import AttentionHeadsResult
from interp_lab.bibliography import BENJAMINI_1995, ELHAGE_2021, OLSSON_2022
from interp_lab.effects import metric_values
from interp_lab.engine import Effects, sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import ablations
from interp_lab.models.experiment import ModelExperiment
from interp_lab.organisms.repeats import RepeatedTokens
from interp_lab.tasks.repeats import first_copy_loss, repeats_for, second_copy_loss
from interp_lab.types import HookedModel, Site, Tokens

NAME = "attention_heads"
"""In the registry, and at the head of every config file."""

SOURCES = (OLSSON_2022, ELHAGE_2021, BENJAMINI_1995)


class AttentionHeads(ModelExperiment[AttentionHeadsConfig, AttentionHeadsResult]):
    """Score every head on repeated random tokens; ablate every head and see whether the second copy suffers.

    Types are chosen on half of the sequences and on a second period; scores and effects are reported on the
    other half, effects again on a third period. The control of an ablation is the mean effect of ablating each
    head of no type.
    """

    name = NAME
    result = AttentionHeadsResult
    sources = SOURCES

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> AttentionHeadsResult:
        """Measure on a model already in memory.

        Raises: ValueError, if the text does not fit the model or the model has no attention patterns;
            NonFiniteActivationError, naming the layer.
        """
        c = self.config
        select, report = self._text(model, c.period, stream=0)
        second, _ = self._text(model, c.second_period, stream=1)
        effects = self._effects(model, report, reference=select.tokens, progress=progress)
        held_out_losses, held_out_changes = self._replicate(model, progress=progress)
        return AttentionHeadsResult(
            config=c,
            provenance=self.provenance(model),
            select_scores=head_scores(model, select.tokens, batch_size=c.batch_size),
            select_chance=chance_scores(select.tokens),
            second_scores=head_scores(model, second.tokens, batch_size=c.batch_size),
            second_chance=chance_scores(second.tokens),
            report_scores=head_scores(model, report.tokens, batch_size=c.batch_size),
            report_chance=chance_scores(report.tokens),
            report_losses=self._losses(model, report, effects),
            report_changes=_by_head(model, effects),
            held_out_losses=held_out_losses,
            held_out_changes=held_out_changes,
        )

    def _text(self, model: HookedModel, period: int, *, stream: int) -> tuple[RepeatedTokens, RepeatedTokens]:
        """Draw text of one period and split it in two; streams share no randomness."""
        c = self.config
        draw, split = (int(state) for state in np.random.SeedSequence([c.seed, stream]).generate_state(2))
        return repeats_for(model, c.n_sequences, period, seed=draw, bos_token=c.bos_token).split(seed=split)

    def _effects(self, model: HookedModel, text: RepeatedTokens, *, reference: Tokens, progress: Progress) -> Effects:
        c = self.config
        each_head = [[Site.of_head(*head)] for head in all_heads(model)]
        cuts = ablations(model, each_head, kind=c.ablation, reference=reference, n_examples=len(text), seed=c.seed)
        metric = second_copy_loss(text)
        return sweep(model, text.tokens, cuts, metric, progress=progress)

    def _losses(self, model: HookedModel, text: RepeatedTokens, effects: Effects) -> Float[np.ndarray, "copy example"]:
        first = metric_values(model, text.tokens, first_copy_loss(text), batch_size=self.config.batch_size)
        return np.stack([first, effects.baseline])

    def _replicate(
        self, model: HookedModel, *, progress: Progress
    ) -> tuple[Float[np.ndarray, "copy held_out"], Float[np.ndarray, "layer head held_out"]]:
        if self.config.held_out_period is None:
            return np.zeros((2, 0)), np.zeros((int(model.cfg.n_layers), int(model.cfg.n_heads), 0))
        reference, text = self._text(model, self.config.held_out_period, stream=2)
        effects = self._effects(model, text, reference=reference.tokens, progress=progress)
        return self._losses(model, text, effects), _by_head(model, effects)


def _by_head(model: HookedModel, effects: Effects) -> Float[np.ndarray, "layer head example"]:
    return effects.changes.reshape(int(model.cfg.n_layers), int(model.cfg.n_heads), -1)
