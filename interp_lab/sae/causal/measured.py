"""Measuring features on one split: all that are considered, those that are chosen, and what goes through features."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.effects.behaviour import untouched
from interp_lab.effects.metric_names import kl_from_clean
from interp_lab.effects.parts import Part
from interp_lab.experiment import Progress, silent
from interp_lab.sae.causal.accounting import (
    Sides,
    patched_alone,
    patched_randomly,
    patched_sets,
    patched_shares,
    steps_up_to,
)
from interp_lab.sae.causal.config import FeatureEffectsConfig, Operation, Selection
from interp_lab.sae.causal.controls import along, borrowed_rows, matched, random_rows
from interp_lab.sae.causal.directions import Prompts
from interp_lab.sae.causal.logit_lens import output_scores
from interp_lab.sae.causal.operations import FROM_OTHERS, Reference, changed_by, lengths
from interp_lab.sae.causal.reading import Dictionary, Read, asked_at, read, rows_of
from interp_lab.sae.causal.selecting import Selected, attributions
from interp_lab.sae.causal.splits import Considered, FeatureSplit, Way
from interp_lab.types import HookedModel

N_NEUTRAL = 2
"""Prompts on which the output score is measured."""


@dataclass(frozen=True)
class Measuring:
    """One model, one dictionary, the pairs of one split."""

    model: HookedModel
    codec: Dictionary
    config: FeatureEffectsConfig
    part: Part
    cost: bool
    """Whether the metric is one that is lower where the model is nearer to the answer."""
    reference: Reference | None = None
    """Values of latents on the selection split; `None` takes them from here."""
    progress: Progress = silent

    @cached_property
    def rows(self) -> Float[Tensor, "latent d_in"]:
        """What each latent writes."""
        return rows_of(self.codec)

    @cached_property
    def asked(self) -> Bool[Tensor, "batch pos"]:
        """Tokens at which latents are changed."""
        return asked_at(self.part.pairs, self.config.positions)

    @cached_property
    def prompts(self) -> Prompts:
        """The clean prompts."""
        pairs = self.part.pairs
        return Prompts(
            self.model, self.codec.hook, pairs.clean, pairs.mask, self.part.metric, self.config.memory_budget
        )

    @cached_property
    def sides(self) -> Sides:
        """Both prompts of every pair, as the dictionary reads them."""
        pairs = self.part.pairs
        return Sides(
            self.prompts, pairs.corrupted, self._read(pairs.clean), self._read(pairs.corrupted), self.asked, self.rows
        )

    def _read(self, tokens: Tensor) -> Read:
        return read(self.model, self.codec, tokens, hook=self.codec.hook, mask=self.part.pairs.mask)

    @cached_property
    def values(self) -> Reference:
        """Means and largest values of latents on the selection split."""
        if self.reference is not None:
            return self.reference
        both = torch.cat([self.sides.clean.latents, self.sides.corrupted.latents])
        return Reference.of(both, torch.cat([self.asked, self.asked]))

    def changes(
        self, latents: Int[np.ndarray, " _"] | None = None, operation: Operation | None = None
    ) -> Float[Tensor, "batch pos _"]:
        """Return by how much an operation (the first, unless told) changes latents (all, unless told)."""
        index = slice(None) if latents is None else torch.from_numpy(latents)
        operation = operation or self.config.operations[0]
        other = None
        if operation in FROM_OTHERS:
            source = self.sides.corrupted if operation is Operation.CORRUPTED else self._other
            other = source.latents[..., index]
        reference = Reference(self.values.mean[index], self.values.largest[index])
        return changed_by(
            operation, self.sides.clean.latents[..., index], asked=self.asked, reference=reference, other=other,
            scale=self.config.scale, clamp=self.config.clamp,
        )  # fmt: skip

    @cached_property
    def _other(self) -> Read:
        return self._read(self.part.others.clean)

    def lengths(self) -> Float[Tensor, "latent batch"]:
        """Return how long the change by the first operation is, for every latent and prompt."""
        return lengths(self.changes(), self.rows)

    def considered(self, latents: Int[np.ndarray, " considered"]) -> Considered:
        """Make the first operation on each latent alone."""
        changes, rows = self.changes(latents), self.rows[torch.from_numpy(latents)]
        made = self.prompts.adding(rows, changes.unbind(-1), what=f"{self.config.operations[0]} of considered latent")
        return Considered(
            **vars(untouched(self.model, self.part, is_cost=self.cost)),
            alone=self.prompts.measured(made, progress=self.progress),
            lengths=lengths(changes, rows).double().cpu().numpy(),
        )

    def scores(
        self, latents: Int[np.ndarray, " considered"], exact: Considered
    ) -> dict[Selection, Float[np.ndarray, " considered"]]:
        """Return the score of each latent by every method."""
        rows = self.rows[torch.from_numpy(latents)]
        difference = self.sides.latents(Way.DENOISE, latents)
        found: dict[Selection, np.ndarray] = {
            "exact": exact.alone.mean(-1),
            "attribution": attributions(self.prompts, rows, self.changes(latents)).mean(-1),
            "difference": lengths(difference, rows).mean(1).double().cpu().numpy(),
        }
        if self.config.by == "output score" or _writes_to_stream(self.codec.hook):
            at = self.part.pairs.answer_position[:N_NEUTRAL]
            few = replace(
                self.prompts, tokens=self.prompts.tokens[:N_NEUTRAL], mask=self.prompts.mask[:N_NEUTRAL],
                metric=self.prompts.metric.rows(slice(0, N_NEUTRAL)),
            )  # fmt: skip
            unit = self.sides.clean.latents[torch.arange(len(at)), at.cpu()].amax(-1).mean()
            found["output score"] = output_scores(
                few, rows, at=at, amplification=self.config.amplification, unit=float(unit)
            )
        return found

    def chosen(self, selected: Selected) -> FeatureSplit:
        """Make every operation on the chosen latents, beside their controls, and all patches."""
        c, latents = self.config, selected.latents
        every = self.considered(selected.considered)
        controls = matched(every.lengths, selected.chosen, selected.others, n=min(c.n_matched, len(selected.others)))
        divergence, beside = self._divergence(selected, controls)
        random, borrowed = self._along(selected)
        return FeatureSplit(
            **vars(every),
            operations=self._operations(latents),
            random=random,
            borrowed=borrowed,
            matched=controls,
            divergence=divergence,
            divergence_matched=beside,
            **self._strengths(latents),
            **self._patches(selected),
        )

    def _along(
        self, selected: Selected
    ) -> tuple[Float[np.ndarray, "chosen _ example"], Float[np.ndarray, "chosen _ example"]]:
        """Return the first operation on each chosen latent along random directions, and along those of others."""
        c, others = self.config, selected.considered[selected.others]
        changes = self.changes(selected.latents).unbind(-1)
        random, borrowed = [], []
        for nth, latent in enumerate(selected.latents):
            random.append(random_rows(self.rows[int(latent)], c.n_random, seed=c.seed + nth))
            borrowed.append(borrowed_rows(self.rows, int(latent), others, n=c.n_random, seed=c.seed + nth))
        return along(self.prompts, random, changes), along(self.prompts, borrowed, changes)

    def _operations(self, latents: Int[np.ndarray, " chosen"]) -> Float[np.ndarray, "operation chosen example"]:
        rows = self.rows[torch.from_numpy(latents)]
        made = [
            one
            for operation in self.config.operations
            for one in self.prompts.adding(rows, self.changes(latents, operation).unbind(-1), what=f"{operation} of")
        ]
        found = self.prompts.measured(made)
        return found.reshape(len(self.config.operations), len(latents), -1)

    def _divergence(
        self, selected: Selected, controls: Int[np.ndarray, "chosen matched"]
    ) -> tuple[Float[np.ndarray, "chosen example"], Float[np.ndarray, "chosen example"]]:
        """Return the KL divergence that silencing each chosen latent makes, and the mean of its matched ones."""
        places = np.unique(np.concatenate([selected.chosen, controls.ravel()]))
        latents = selected.considered[places]
        made = self.prompts.adding(self.rows[torch.from_numpy(latents)], self.changes(latents).unbind(-1), what="kl")
        found = self.prompts.measured(made, metric=kl_from_clean(self.model, self.part.pairs))
        at = {int(place): nth for nth, place in enumerate(places)}
        own = found[[at[int(place)] for place in selected.chosen]]
        beside = [found[[at[int(place)] for place in row]].mean(0) for row in controls]
        return own, np.stack(beside)

    def _strengths(self, latents: Int[np.ndarray, " chosen"]) -> Mapping[str, np.ndarray]:
        index, asked = torch.from_numpy(latents), self.asked[..., None]
        clean, corrupted = (side.latents[..., index] * asked for side in (self.sides.clean, self.sides.corrupted))
        found = {"differs": (clean - corrupted).abs(), "strength": clean.abs() + corrupted.abs()}
        return {name: values.sum(1).T.double().cpu().numpy() for name, values in found.items()}

    def _patches(self, selected: Selected) -> Mapping[str, np.ndarray]:
        c, sides = self.config, self.sides
        ordered = selected.considered[selected.order("exact" if selected.named else c.by)]
        sets = [ordered[:size] for size in steps_up_to(len(ordered))]
        pool = self._differing(selected)
        rng, n = np.random.default_rng(c.seed), min(len(selected.chosen), len(pool))
        drawn = [rng.choice(pool, size=n, replace=False) for _ in range(c.n_random)] if n else []
        nothing = np.zeros((0, len(self.part.pairs)))
        return {
            "shares": patched_shares(sides, selected.latents),
            "patched": patched_alone(sides, selected.latents),
            "growing": patched_sets(sides, sets),
            "set_random": patched_randomly(sides, selected.latents, n=c.n_random, seed=c.seed),
            "set_others": patched_sets(sides, drawn, ways=(Way.DENOISE,))[0] if drawn else nothing,
        }

    def _differing(self, selected: Selected) -> Int[np.ndarray, " _"]:
        """Return the latents, of those considered and not chosen, that differ between clean and corrupted prompts."""
        others = selected.considered[selected.others]
        differs = (self.sides.latents(Way.DENOISE, others) != 0).flatten(0, 1).any(0)
        return others[differs.cpu().numpy()]


def _writes_to_stream(hook: str) -> bool:
    return hook.endswith(("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out",
                          "attn.hook_z", "mlp.hook_post"))  # fmt: skip
