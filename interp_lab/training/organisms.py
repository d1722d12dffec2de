"""The trained organisms by name."""

from collections.abc import Mapping
from typing import Any

from interp_lab.training.attn import TrainOrganismAttn
from interp_lab.training.config import TrainOrganismAttnConfig
from interp_lab.training.organism import TrainOrganism, TrainOrganismTuned
from interp_lab.training.organism_config import TrainOrganismConfig, TrainOrganismTunedConfig
from interp_lab.types import nearest

TRAININGS: Mapping[str, tuple[Any, Any]] = {
    "attn": (TrainOrganismAttn, TrainOrganismAttnConfig),
    "organism": (TrainOrganism, TrainOrganismConfig),
    "organism-tuned": (TrainOrganismTuned, TrainOrganismTunedConfig),
}
"""What `interp-lab train-organism NAME` runs: the experiment and its config."""


def training_of(
    name: str, overrides: Mapping[str, Any] | None = None
) -> TrainOrganismAttn | TrainOrganism | TrainOrganismTuned:
    """Return the experiment that trains an organism, with `overrides` (nested or dotted keys) laid over its config.

    Raises: ValueError, for an unknown name; ConfigError, for an override that does not fit.
    """
    if name not in TRAININGS:
        raise ValueError(f"no organism {name!r} to train{nearest(name, TRAININGS)}; there are: {', '.join(TRAININGS)}")
    experiment, config = TRAININGS[name]
    return experiment(config.from_mapping(overrides or {}))
