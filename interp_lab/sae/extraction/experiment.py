"""Write activations of a text to disk: in one pass, or shard by shard by any number of processes."""

from pathlib import Path

from interp_lab.bibliography import BRICKEN_2023
from interp_lab.experiment import Progress, Tracker, silent
from interp_lab.models.divisible import DivisibleExperiment
from interp_lab.models.experiment import model_named_by
from interp_lab.sae.activations.divided import DividedStore
from interp_lab.sae.activations.making import write_store
from interp_lab.sae.activations.manifest import describe
from interp_lab.sae.activations.store import ActivationStore
from interp_lab.sae.extraction.config import ExtractionConfig
from interp_lab.sae.extraction.result import ExtractionResult
from interp_lab.types import HookedModel

NAME = "activations"
"""In the registry, and at the head of every config file."""
FOLDER = "activations"
"""Of a run: where its store is, unless the config names a root."""


class Extraction(DivisibleExperiment[ExtractionConfig, ExtractionResult]):
    """Write the activations of some hook points on a text, in shards that are whole or absent."""

    name = NAME
    result = ExtractionResult
    sources = (BRICKEN_2023,)

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> ExtractionResult:
        """Load the model and write.

        Raises: as `measure`; ValueError, as `load_model`.
        """
        folder = None if run_dir is None else run_dir / FOLDER
        return self.measure(model_named_by(self.config), folder=folder, progress=progress)

    def measure(
        self, model: HookedModel, *, folder: Path | None = None, progress: Progress = silent
    ) -> ExtractionResult:
        """Write the activations of a model already in memory.

        Args:
            folder: of the store, where the config names no root.

        Raises: ValueError, if there is neither folder nor root; and as `write_store`.
        """
        store = self._store(model, self._place(model, folder), progress)
        return ExtractionResult.of(self.config, self.provenance(model), store)

    def divided(self, model: HookedModel) -> DividedStore:
        """Return the shards of the store as parts."""
        return DividedStore(model, describe(model, self.config.activations))

    def _store(self, model: HookedModel, folder: Path, progress: Progress) -> ActivationStore:
        work = self.divided(model)
        made = self.to_join(work, model)
        if made is not None:
            return work.joined(made, folder)
        return write_store(model, self.config.activations, folder=folder, resume=True, progress=progress)

    def _place(self, model: HookedModel, folder: Path | None) -> Path:
        root = self.config.root
        if root is not None:
            return root / describe(model, self.config.activations).name
        if folder is None:
            raise ValueError("activations need a place: run with a run folder, or name a folder of stores with root")
        return folder
