"""A look at activations before an autoencoder is trained on them: their norms, outliers and mean."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.sae.training.architectures import BatchTopKSae, MatryoshkaSae, TopKSae
from interp_lab.sae.training.config import SaeConfig

FAR_OUT = 10.0
"""Times the median norm from which an activation is an outlier."""


@dataclass(frozen=True)
class Preflight:
    """What activations are like."""

    n_tokens: int
    d_in: int
    mean_norm: float
    median_norm: float
    largest_norm: float
    outlier_share: float
    """Of activations with more than ten times the median norm."""
    outlier_energy: float
    """Of the sum of squared norms that they make up: the share of the loss that is about them at the beginning."""
    mean_share: float
    """Squared norm of the mean over the mean squared norm: 0 where centred, 1 where all are equal."""
    top_entry_share: float
    """Of the variance, in the entry that has most of it."""

    def advice(self, saes: Iterable[SaeConfig] = ()) -> list[str]:
        """Return what to change, a sentence each; nothing if nothing stands out.

        Args:
            saes: what is to be trained, so that nothing is advised that is done already, or of which they have no use;
                without any, everything is.
        """
        every, said = list(saes), []
        if self.mean_share > 0.1 and (not every or not all(one.centre for one in every)):
            said.append(f"the mean makes up {self.mean_share:.0%} of the squared norm: train with centre=true")
        if self.outlier_energy > 0.1:
            said.append(
                f"{self.outlier_share:.2%} of tokens have over {FAR_OUT:.0f} times the median norm, and with it "
                f"{self.outlier_energy:.0%} of the sum of squares: leave out special tokens, such as BOS"
            )
        if not 0.5 < self.mean_norm / self.d_in**0.5 < 2 and (not every or any(map(_hangs_on_scale, every))):
            said.append(
                f"the mean norm is {self.mean_norm:.3g}, not near sqrt(d_in)={self.d_in**0.5:.3g}: penalties and "
                "thresholds from elsewhere mean something else here; train with scale=mean_norm"
            )
        if self.top_entry_share > 0.5:
            said.append(f"one entry has {self.top_entry_share:.0%} of the variance: R2 will mostly be about it")
        return said


def _hangs_on_scale(config: SaeConfig) -> bool:
    """Whether a setting is in units of activations, and these are as they come: `k` latents are `k` at any scale."""
    return config.scale == "none" and not isinstance(config.architecture, TopKSae | BatchTopKSae | MatryoshkaSae)


def preflight(batches: Iterable[Float[Tensor, "_ d_in"]]) -> Preflight:
    """Measure a sample of activations.

    Raises: ValueError, if there is none.
    """
    norms, total, squares = [], torch.zeros(()), torch.zeros(())
    for batch in batches:
        double = batch.double()
        norms.append(double.norm(dim=-1).cpu())
        total = total + double.sum(0).cpu()
        squares = squares + double.square().sum(0).cpu()
    if not norms:
        raise ValueError("no activations to look at; give at least one batch")
    norm = torch.cat(norms)
    mean, second = total / len(norm), squares / len(norm)
    variance = second - mean.square()
    out = norm > FAR_OUT * norm.median()
    energy = float(norm.square().sum())
    return Preflight(
        n_tokens=len(norm),
        d_in=len(mean),
        mean_norm=float(norm.mean()),
        median_norm=float(norm.median()),
        largest_norm=float(norm.max()),
        outlier_share=float(out.double().mean()),
        outlier_energy=float(norm[out].square().sum()) / energy if energy else 0.0,
        mean_share=float(mean.square().sum() / second.sum()) if energy else 0.0,
        top_entry_share=float(variance.max() / variance.sum()) if float(variance.sum()) > 0 else 0.0,
    )
