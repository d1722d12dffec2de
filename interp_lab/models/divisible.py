"""Experiments whose long work falls into parts that any number of processes can make."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from interp_lab.experiment import package_versions
from interp_lab.models.experiment import ModelExperiment
from interp_lab.models.fingerprint import weights_fingerprint
from interp_lab.models.identity import identity_of
from interp_lab.runs.keep import ConfigT, ResultT
from interp_lab.runs.parts import Divided, Parts, key_of
from interp_lab.types import HookedModel

DivisibleT = TypeVar("DivisibleT", bound="DivisibleExperiment")


@dataclass(frozen=True)
class DivisibleExperiment(ModelExperiment[ConfigT, ResultT]):
    """A subclass says with `divided` what its parts are, and takes them from `made` where that is given.

    Into what the work is divided is in the config, not in how many processes do it: then an undivided run goes through
    the same steps, and ends in the same bits.
    """

    made: Parts | None = field(default=None, repr=False, compare=False)
    """Parts that were made before, in place of making them now."""

    @abstractmethod
    def divided(self, model: HookedModel) -> Divided:
        """Return the long work of this experiment in parts.

        Raises: ValueError, for what suits neither model nor text; as `measure`.
        """

    def parts(self, work: Divided, model: HookedModel, folder: Path) -> Parts:
        """Return the folder that holds the parts, or will."""
        known = {
            "experiment": self.name,
            "config": self.config.as_dict(),
            "model": identity_of(model).as_dict(),
            "weights": weights_fingerprint(model),
            "inputs": work.inputs,
            "version": package_versions()["interp_lab"],
        }
        return Parts(folder, work.n_parts, key_of(known))

    def to_join(self, work: Divided, model: HookedModel) -> Parts | None:
        """Return the parts that were made before, if they are to be joined; `None` if the work is to be done now.

        They are read as parts of this work: where text, weights or pairs have changed since, that is refused.
        """
        return None if self.made is None else self.parts(work, model, self.made.folder)

    def of_parts(self: DivisibleT, made: Parts) -> DivisibleT:
        """Return this experiment, which joins these parts where it would make them."""
        return replace(self, made=made)
