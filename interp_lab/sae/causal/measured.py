"""Measuring features on one split: all that are considered, those that are chosen, and what goes through features."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from interp_lab.effects.behaviour import untouched
from interp_lab.effects.metric_names import kl_from_clean
from interp_lab.interventions import Intervention
from interp_lab.sae.causal.accounting import (
    patched_alone,
    patched_others,
    patched_randomly,
    patched_sets,
    patched_shares,
    steps_up_to,
)
from interp_lab.sae.causal.config import Selection
from interp_lab.sae.causal.controls import (
    Stream,
    along,
    as_long,
    borrowed_rows,
    generator,
    matched,
    random_rows,
)
from interp_lab.sae.causal.logit_lens import output_scores
from interp_lab.sae.causal.one_split import OneSplit
from interp_lab.sae.causal.operations import lengths
from interp_lab.sae.causal.selecting import Selected, attributions
from interp_lab.sae.causal.splits import Considered, FeatureSplit, Way

N_NEUTRAL = 2
"""Prompts on which the output score is measured."""


@dataclass(frozen=True)
class Measuring(OneSplit):
    """What is measured on the pairs of one split."""

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
        beside = self._beside(selected, controls)
        divergence, divergence_matched = self._divergence(latents, beside)
        random, borrowed = self._along(selected)
        return FeatureSplit(
            **vars(every),
            operations=self._operations(latents),
            random=random,
            borrowed=borrowed,
            matched=controls,
            beside=self.prompts.measured(beside).reshape(*controls.shape, -1),
            divergence=divergence,
            divergence_matched=divergence_matched,
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
        for latent in map(int, selected.latents):
            random.append(random_rows(self.rows[latent], c.n_random, key=self.key(Stream.RANDOM, latent)))
            key = self.key(Stream.BORROWED, latent)
            borrowed.append(borrowed_rows(self.rows, latent, others, n=c.n_random, key=key))
        return along(self.prompts, random, changes), along(self.prompts, borrowed, changes)

    def _beside(self, selected: Selected, controls: Int[np.ndarray, "chosen matched"]) -> list[Intervention | None]:
        """Return the first operation on each matched latent, brought to the length of what it stands beside."""
        others = selected.considered[controls.ravel()]
        rows, theirs = self.rows[torch.from_numpy(others)], self.changes(others)
        own = lengths(self.changes(selected.latents), self.rows[torch.from_numpy(selected.latents)])
        wanted = own.repeat_interleave(controls.shape[1], dim=0)
        made = [
            as_long(change, length, goal)
            for change, length, goal in zip(theirs.unbind(-1), lengths(theirs, rows), wanted, strict=True)
        ]
        return self.prompts.adding(rows, made, what=f"{self.config.operations[0]} of matched latent")

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
        self, latents: Int[np.ndarray, " chosen"], beside: list[Intervention | None]
    ) -> tuple[Float[np.ndarray, "chosen example"], Float[np.ndarray, "chosen example"]]:
        """Return the KL divergence that the first operation makes on each latent, and on those beside it (mean)."""
        made = self.prompts.adding(self.rows[torch.from_numpy(latents)], self.changes(latents).unbind(-1), what="kl")
        found = self.prompts.measured([*made, *beside], metric=kl_from_clean(self.model, self.part.pairs))
        n = len(latents)
        return found[:n], found[n:].reshape(n, -1, found.shape[-1]).mean(1)

    def _strengths(self, latents: Int[np.ndarray, " chosen"]) -> Mapping[str, np.ndarray]:
        index, asked = torch.from_numpy(latents), self.asked[..., None]
        clean, corrupted = (side.latents[..., index] * asked for side in (self.sides.clean, self.sides.corrupted))
        found = {"differs": (clean - corrupted).abs(), "strength": clean.abs() + corrupted.abs()}
        return {name: values.sum(1).T.double().cpu().numpy() for name, values in found.items()}

    def _patches(self, selected: Selected) -> Mapping[str, np.ndarray]:
        c, sides = self.config, self.sides
        ordered = selected.considered[selected.order("exact" if selected.named else c.by)]
        sets = [ordered[:size] for size in steps_up_to(len(ordered))]
        return {
            "shares": patched_shares(sides, selected.latents),
            "patched": patched_alone(sides, selected.latents),
            "growing": patched_sets(sides, sets),
            "set_random": patched_randomly(sides, selected.latents, n=c.n_random, key=self.key(Stream.SET_RANDOM)),
            "set_others": patched_others(sides, selected.latents, self._other_sets(selected)),
        }

    def _other_sets(self, selected: Selected) -> list[Int[np.ndarray, " _"]]:
        """Draw sets of as many as are chosen, of those considered and not chosen that differ between the prompts.

        Returns: none where so many are all there are or more: sets would be the same one, or smaller.
        """
        pool, n = self._differing(selected), len(selected.chosen)
        if len(pool) <= n:
            return []
        key = self.key(Stream.SET_OTHERS)
        return [generator(*key, nth).choice(pool, size=n, replace=False) for nth in range(self.config.n_random)]

    def _differing(self, selected: Selected) -> Int[np.ndarray, " _"]:
        """Return the latents, of those considered and not chosen, that differ between clean and corrupted prompts."""
        others = selected.considered[selected.others]
        differs = (self.sides.latents(Way.DENOISE, others) != 0).flatten(0, 1).any(0)
        return others[differs.cpu().numpy()]


def _writes_to_stream(hook: str) -> bool:
    return hook.endswith(("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out",
                          "attn.hook_z", "mlp.hook_post"))  # fmt: skip
