"""Which latents are considered and which are chosen, by scores of the selection split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.gradients import gradients_of, run_with_graph, through_decoder
from interp_lab.sae.causal.config import FeatureEffectsConfig, Selection
from interp_lab.sae.causal.directions import Directions, Prompts

FEWEST = 3
"""Latents that are considered and not chosen, at least: what chosen ones are compared with."""


@dataclass(frozen=True)
class Selected:
    """Latents that are considered, their scores, and which of them are chosen."""

    considered: Int[np.ndarray, " considered"]
    """Numbers of latents, those first of which the first operation changes most on the prompts that choose."""
    scores: Mapping[Selection, Float[np.ndarray, " considered"]]
    """By method; larger in size is chosen sooner. `exact` and `attribution` are in the unit of the metric."""
    chosen: Int[np.ndarray, " chosen"]
    """Places among the considered."""
    named: bool
    """Whether the config names the latents."""

    @property
    def latents(self) -> Int[np.ndarray, " chosen"]:
        """Numbers of the chosen latents."""
        return self.considered[self.chosen]

    @property
    def others(self) -> Int[np.ndarray, " _"]:
        """Places of those that were not chosen."""
        return np.setdiff1d(np.arange(len(self.considered)), self.chosen)

    def order(self, by: Selection) -> Int[np.ndarray, " considered"]:
        """Return places from the largest score on."""
        return np.argsort(-np.abs(self.scores[by]), kind="stable")


def considered(
    lengths: Float[Tensor, "latent batch"], config: FeatureEffectsConfig, *, where: str
) -> Int[np.ndarray, " considered"]:
    """Return the latents of which the first operation changes something on the selection split, the largest first.

    Args:
        lengths: of what the change of each latent writes, prompt by prompt.

    Raises: ValueError, for a latent that the dictionary has not or of which nothing changes, by number, or if fewer
        than four latents are changed.
    """
    size = lengths.mean(1)
    order = [int(latent) for latent in size.argsort(descending=True, stable=True) if size[latent] > 0]
    named = config.latents or ()
    for latent in named:
        if latent >= len(size):
            raise ValueError(f"latent {latent} is outside the {len(size)} that {where} has; use 0 to {len(size) - 1}")
        if not size[latent]:
            raise ValueError(
                f"{config.operations[0].phrase} latent {latent} of {where} changes nothing on the {lengths.shape[1]} "
                f"prompts of {config.task} that choose (positions={config.positions!r}); name others: most changes of "
                f"{', '.join(map(str, order[:8])) or 'none'}"
            )
    if len(order) <= FEWEST:
        raise ValueError(
            f"{config.operations[0].phrase} changes {len(order)} latents of {where} on {config.task} at "
            f"positions={config.positions!r}; effects are compared with those of {FEWEST} other latents or more, so "
            "take more positions, or another dictionary"
        )
    kept = order[: config.most_latents]
    return np.array([*kept, *(latent for latent in named if latent not in kept)], dtype=np.int64)


def select(
    scores: Mapping[Selection, Float[np.ndarray, " considered"]],
    latents: Int[np.ndarray, " considered"],
    config: FeatureEffectsConfig,
) -> Selected:
    """Return the latents with the largest scores by the config's method, or those that it names.

    Raises: ValueError, if more latents are to be chosen than leave three to compare them with.
    """
    n = config.n_latents if config.latents is None else len(config.latents)
    if n > len(latents) - FEWEST:
        asked = f"n_latents={n}" if config.latents is None else f"naming {n} latents"
        raise ValueError(
            f"{asked} leaves {max(0, len(latents) - n)} of the {len(latents)} that {config.operations[0].phrase} "
            f"changes on {config.task}, and effects are compared with those of {FEWEST} others or more; take "
            f"{len(latents) - FEWEST} at most, more positions, or a larger most_latents"
        )
    if config.latents is not None:
        at = {int(latent): place for place, latent in enumerate(latents)}
        return Selected(latents, scores, np.array([at[latent] for latent in config.latents], dtype=np.int64), True)
    order = np.argsort(-np.abs(scores[config.by]), kind="stable")
    return Selected(latents, scores, order[:n].astype(np.int64), False)


@torch.inference_mode(False)  # a caller may be in it, and gradients are needed
def attributions(
    prompts: Prompts, rows: Float[Tensor, "latent d_in"], changes: Float[Tensor, "batch pos latent"]
) -> Float[np.ndarray, "latent example"]:
    """Estimate what changes of latents do to the metric: the gradient that reaches each, times its change.

    What it does not show: anything beyond first order, such as a latent that saturates what reads it.

    Source: Marks et al. 2024, arXiv 2403.19647 (attribution of sparse features); Nanda 2023 (attribution patching).
    """
    codec, found = Directions(rows), []
    for index in torch.arange(len(prompts.tokens)).split(64):
        activations, values, _ = run_with_graph(
            prompts.model, prompts.tokens[index], [prompts.hook], prompts.metric.rows(index), mask=prompts.mask[index]
        )
        gradient = gradients_of(values, activations)[prompts.hook].flatten(2)
        reaching = through_decoder(codec, torch.zeros_like(changes[index]), gradient)
        found.append((reaching * changes[index]).sum(1))
    return torch.cat(found).T.double().cpu().numpy()


def found_of_largest(
    scores: Float[np.ndarray, " considered"], exact: Float[np.ndarray, " considered"], *, kept: int, top: int
) -> float:
    """Return the share of the `top` largest exact effects that are among the `kept` largest scores (in size)."""
    largest = set(np.argsort(-np.abs(exact), kind="stable")[:top].tolist())
    return len(largest & set(np.argsort(-np.abs(scores), kind="stable")[:kept].tolist())) / max(len(largest), 1)
