"""What one pass over text leaves of every latent, of a size that does not depend on how long the text was."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interp_lab.sae.features.config import DescribeConfig
from interp_lab.sae.features.events import Events, mixed
from interp_lab.sae.features.kept import Kept
from interp_lab.sae.features.moments import Moments
from interp_lab.sae.features.sampled import SampledTokens

DRAWN_PER_BIN = 8
"""Examples held in reserve for each quantile bin, of which some are shown."""


@dataclass(frozen=True)
class Gathered:
    """What one pass over text leaves: of a size that does not depend on how long the text was."""

    moments: Moments
    top: Kept
    drawn: Kept
    """Active tokens drawn evenly, one of a document."""
    sampled: SampledTokens

    def take(self, events: Events, *, seed: int) -> None:
        """Add a batch."""
        self.moments.take(events)
        self.top.take(events, -events.value.astype(np.float64))
        draw = mixed(seed, events.latent, events.document, events.places[events.row])
        self.drawn.take(events, (draw >> np.uint64(11)).astype(np.float64) * 2.0**-53)
        self.sampled.take(events)

    def join(self, later: "Gathered") -> None:
        """Add what was gathered from the text that comes behind, with the same config.

        All is as from one pass, but for the last bits of sums of values.
        """
        self.moments.join(later.moments)
        self.top.join(later.top)
        self.drawn.join(later.drawn)
        self.sampled.join(later.sampled)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything, for `gathered_from`."""
        moments = {name: np.asarray(value) for name, value in vars(self.moments).items()}
        sampled = {"halvings": np.asarray(self.sampled.halvings), **self.sampled.columns()}
        parts = {"moments": moments, "top": self.top.columns(), "drawn": self.drawn.columns(), "sampled": sampled}
        return {f"{part}.{name}": value for part, held in parts.items() for name, value in held.items()}

    @property
    def n_bytes(self) -> int:
        """Memory of what is kept."""
        moments = sum(value.nbytes for value in vars(self.moments).values() if isinstance(value, np.ndarray))
        return moments + self.top.n_bytes + self.drawn.n_bytes + self.sampled.n_bytes


def gathering(n_latents: int, config: DescribeConfig) -> Gathered:
    """Return what a pass begins with."""
    around = {"before": config.before, "after": config.after}
    return Gathered(
        Moments(n_latents),
        Kept(n_latents, config.n_top, **around),
        Kept(n_latents, DRAWN_PER_BIN * config.n_quantiles, **around),
        SampledTokens(n_latents, config.sample_bytes, seed=config.seed),
    )


def gathered_from(arrays: Mapping[str, np.ndarray], n_latents: int, config: DescribeConfig) -> Gathered:
    """Return what `Gathered.arrays` returned, with the config that it was gathered with."""
    found = gathering(n_latents, config)
    for name, value in arrays.items():
        part, _, field = name.partition(".")
        if part != "sampled":
            setattr(getattr(found, part), field, int(value) if value.ndim == 0 else value)
    columns = {name.removeprefix("sampled."): value for name, value in arrays.items() if name.startswith("sampled.")}
    found.sampled.restore(columns)
    return found
