"""Rows of `interp-lab verify`: features whose effect is known, because they were planted, on a compiled model.

`compiled/linear` adds what its heads write about a symbol to that symbol's own coordinate, and the unembedding reads
these coordinates beside the current token. A dictionary of the coordinates alone has one feature per symbol, and the
current token is its error. After a clean prompt (`a w a`) the coordinate of a holds 5/2, that of w -1/2; the current
token adds 1 to a. After a corrupted one (`w a w`) a and w change places.
"""

from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from jaxtyping import Float
from torch import Tensor

from interp_lab.effects.parts import Part
from interp_lab.experiment import KnownAnswer
from interp_lab.models import load_model
from interp_lab.organisms.compiled.heads import layout
from interp_lab.sae.causal.accounting import patched_shares
from interp_lab.sae.causal.config import FeatureEffectsConfig, Operation
from interp_lab.sae.causal.measured import Measuring
from interp_lab.sae.causal.splits import SHARES, WAYS, Share, Way
from interp_lab.tasks.compiled import compiled_pairs
from interp_lab.types import HookedModel

MODEL, HOOK = "compiled/linear", "blocks.1.hook_resid_post"
N_PAIRS, TOLERANCE = 16, 1e-3
OWN, OTHER = -2.5, -0.5
"""What silencing the feature of the right and of the wrong symbol does to the logit difference."""
CARRIED = {Share.WHOLE: 8.0, Share.FEATURES: 6.0, Share.ERROR: 2.0}
"""What patching each brings back of the logit difference, or loses."""


@dataclass(frozen=True)
class Planted:
    """A dictionary with one feature per symbol: its coordinate in the residual stream."""

    decoder_rows: Float[Tensor, "latent d_in"]
    scale: float = 1.0
    """Of what is encoded; anything but 1 is a sabotage."""
    hook: str = HOOK
    where: str = "a planted dictionary"

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return the coordinates."""
        return self.scale * (activation @ self.decoder_rows.T)

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return what has these coordinates, and is zero elsewhere."""
        return latents @ self.decoder_rows

    def require_fits(self, model: HookedModel) -> None:
        """Accept any model: rows of another length are refused where they are multiplied."""


def planted(*, scale: float = 1.0) -> Planted:
    """Return the dictionary of `compiled/linear`."""
    return Planted(layout("mid").read("out").T.contiguous(), scale=scale)


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        KnownAnswer(
            "features, compiled/linear",
            "silencing the feature of the right symbol takes 5/2, of the wrong one 1/2, of any other nothing",
            reads_features,
            partial(reads_features, offset=1),
        ),
        KnownAnswer(
            "features and error, compiled/linear",
            "of 8 logits 6 go through features, 2 through the error term, none through both at once",
            reads_shares,
            partial(reads_shares, scale=0.5),
        ),
    ]


@cache
def _part() -> tuple[HookedModel, Part]:
    model = load_model(MODEL)
    pairs = compiled_pairs(model, MODEL, N_PAIRS, seed=0)
    return model, Part(pairs, pairs.logit_difference())


def measuring(*, scale: float = 1.0) -> Measuring:
    """Return the planted dictionary on the model's own pairs."""
    model, part = _part()
    config = FeatureEffectsConfig(model=MODEL, task=MODEL, operations=(Operation.ZERO,), text=None, n_held_out=None)
    return Measuring(model, planted(scale=scale), config, part, cost=False)


def reads_features(*, offset: int = 0) -> tuple[bool, str]:
    """Whether silencing each feature changes the logit difference by what was worked by hand, prompt by prompt.

    Args:
        offset: silence the feature that many places further on; anything but 0 is a sabotage.
    """
    found = measuring()
    n_latents = len(found.rows)
    pairs, hand = found.part.pairs, np.zeros((n_latents, N_PAIRS))
    for nth, (right, wrong) in enumerate(zip(pairs.answers, pairs.wrong, strict=True)):
        hand[right[0][0], nth], hand[wrong[0][0], nth] = OWN, OTHER
    changes = found.considered((np.arange(n_latents) + offset) % n_latents).alone
    worst = float(np.abs(changes - hand).max())
    return worst < TOLERANCE, f"largest error {worst:.1e} logits"


def reads_shares(*, scale: float = 1.0) -> tuple[bool, str]:
    """Whether features and error carry what was worked by hand, both ways.

    Args:
        scale: of what the dictionary encodes; anything but 1 is a sabotage.
    """
    found = patched_shares(measuring(scale=scale).sides, np.array([0]))
    signs = np.array([1.0 if way is Way.DENOISE else -1.0 for way in WAYS])[:, None, None]
    carried = (signs * found)[:, [SHARES.index(share) for share in CARRIED]]
    worst = float(np.abs(carried - np.array(list(CARRIED.values()))[:, None]).max())
    told = ", ".join(f"{share} {value:.2f}" for share, value in zip(CARRIED, carried[0].mean(-1), strict=True))
    return worst < TOLERANCE, f"{told}; largest error {worst:.1e} logits"
