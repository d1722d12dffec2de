"""What is asked of a sweep beside its definition: how much, how long, how often, and by whom it is carried out."""

from typing import Literal

from pydantic import Field, PositiveInt, field_validator

from interp_lab.config import Config
from interp_lab.sweeps.pareto import Objective


class SweepSettings(Config):
    """How a sweep is carried out. Of these only the seed decides which values are tried."""

    backend: Literal["local", "ray"] = "local"
    """Processes of this machine, or tasks of a Ray cluster."""
    workers: PositiveInt = 1
    """Trials at a time."""
    threads: PositiveInt | None = None
    """Of each worker; `None` shares the cores among the workers."""
    address: str | None = None
    """Of the Ray cluster; `None` starts one on this machine."""
    n_trials: PositiveInt | None = None
    """Trials in all, those of earlier starts included; `None` is the `run_cap` of the definition, or the whole grid."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Of the proposals."""
    time_limit: float | None = Field(None, gt=0)
    """Seconds after which a trial counts as hanging and is ended; `None` waits for ever."""
    retries: int = Field(2, ge=0)
    """How often a trial that failed or hung is started again before it is given up."""
    held_out: bool = True
    """Whether the winner is measured again on examples that no trial has seen."""
    held_out_seeds: PositiveInt = 3
    """Fresh seeds that the winner, and the config without the swept values, are measured again with."""
    pareto: tuple[str, ...] = ()
    """Further metrics that the page shows beside the sweep's own, `NAME`, `NAME:min` or `NAME:max`; none is the seconds
    of a trial."""
    wandb: Literal["auto", "online", "offline", "off"] = "off"
    """Where the trials log to beside their folders; `auto` is online if a key and the server are there."""

    @field_validator("pareto")
    @classmethod
    def _readable(cls, pareto: tuple[str, ...]) -> tuple[str, ...]:
        for text in pareto:
            Objective.named(text)
        return pareto
