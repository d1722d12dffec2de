"""What are the features of a dictionary, and which of them tell texts apart?"""

import tempfile
from pathlib import Path

from interp_lab.bibliography import BENJAMINI_1995, BRICKEN_2023
from interp_lab.config import RunRef
from interp_lab.directions import save_directions
from interp_lab.experiment import Progress, Steps, Tracker, silent
from interp_lab.folds import note_beyond
from interp_lab.models.divisible import DivisibleExperiment
from interp_lab.models.experiment import model_named_by
from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.features.combination import Combination, combinations
from interp_lab.sae.features.config import SaeFeaturesConfig
from interp_lab.sae.features.describe import describe_features
from interp_lab.sae.features.dictionary import Dictionary, neuron_dictionary, sae_dictionary, without_place
from interp_lab.sae.features.differing import Difference, comparisons, measure_differences
from interp_lab.sae.features.divided import DividedFeatures
from interp_lab.sae.features.monitor import saved_monitors
from interp_lab.sae.features.overview import Overview
from interp_lab.sae.features.result import SaeFeaturesResult
from interp_lab.sae.features.store import FeatureStore
from interp_lab.types import HookedModel

NAME = "sae_features"
"""In the registry, and at the head of every config file."""
FOLDER = "features"
"""Of a run: where its features are, for `FeatureStore`."""
DIRECTIONS = "directions"
"""Of a run: monitors, for `RunRef`."""
N_NAMED = 4
"""Features of each comparison of which examples are shown."""


class SaeFeatures(DivisibleExperiment[SaeFeaturesConfig, SaeFeaturesResult]):
    """Describe every feature on text, then compare sets of texts by them; the run's folder holds `features/`."""

    name = NAME
    result = SaeFeaturesResult
    sources = (BRICKEN_2023, BENJAMINI_1995)

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> SaeFeaturesResult:
        """Load the model and measure; features go to `features/` in the run's folder, if there is one.

        Raises: as `measure`; ValueError, as `load_model`.
        """
        folder = None if run_dir is None else run_dir / FOLDER
        result = self.measure(model_named_by(self.config), folder=folder, progress=progress)
        if run_dir is not None:
            _keep_monitors(result, run_dir)
        return result

    def measure(
        self,
        model: HookedModel,
        *,
        dictionary: Dictionary | None = None,
        tuned: HookedModel | None = None,
        folder: Path | None = None,
        progress: Progress = silent,
    ) -> SaeFeaturesResult:
        """Measure on a model already in memory.

        Args:
            dictionary: any codec of your own, in place of what the config names.
            tuned: the model to compare with, in memory too; `None` loads the one that the config names, if any.
            folder: where features are kept; `None` keeps what the result shows of them.

        Raises: ValueError, if the dictionary is another model's, there is too little text, or a set of texts is not
            known; OSError, if the disk is full.
        """
        if dictionary is not None:
            note_beyond("the dictionary, given in memory")
        own = self.dictionary(model) if dictionary is None else dictionary
        asked = comparisons(model, self.config, tuned=tuned)  # what cannot be compared is known before anything is read
        steps = Steps(progress, 1 + len(asked) + _n_read(self.config))
        described = steps.next("features")
        differences, combined = [], []
        with tempfile.TemporaryDirectory() as spare:
            place = Path(spare) / FOLDER if folder is None else folder
            work = self.divided(model, own)
            made = self.to_join(work, model)
            found = None if made is None else work.joined(made)
            describe_features(model, own, self.config.describe, folder=place, found=found, progress=described)
            differences = measure_differences(asked, own, self.config, steps=steps)
            if self.config.combination is not None:
                combined = combinations(model, own, self.config.combination, seed=self.config.seed, steps=steps)
            overview = Overview.of(FeatureStore.open(place), wanted(differences, combined))
        progress(1, 1, "described")
        return SaeFeaturesResult(self.config, self.provenance(model), overview, tuple(differences), tuple(combined))

    def divided(self, model: HookedModel, dictionary: Dictionary | None = None) -> DividedFeatures:
        """Return the pass over the text that describes features, in sections (`describe.sections`)."""
        return DividedFeatures(model, dictionary or self.dictionary(model), self.config.describe)

    def dictionary(self, model: HookedModel) -> Dictionary:
        """Return the dictionary that the config names.

        Raises: ValueError, if it is another model's.
        """
        if self.config.neurons is not None:
            return neuron_dictionary(model, self.config.neurons)
        choice = self.config.dictionary
        device = str(next(iter(model.parameters())).device)
        return sae_dictionary(load_chosen(choice, device=device), model, name=name_of(choice))


def _n_read(config: SaeFeaturesConfig) -> int:
    """Return how often documents are read for classifiers."""
    return 0 if config.combination is None else 1 + (config.combination.n_held_out is not None)


def _keep_monitors(result: SaeFeaturesResult, run_dir: Path) -> None:
    for one in result.combined:
        if one.monitors is not None and result.config.combination is not None:
            (run_dir / DIRECTIONS).mkdir(exist_ok=True)
            made, label = result.provenance, result.config.combination.label
            for name, direction in saved_monitors(one.monitors, result.overview.hook, made.model, label=label).items():
                save_directions(direction, run_dir / DIRECTIONS / f"{name}.safetensors", made=made)


def name_of(choice: SaeChoice) -> str:
    """Return a name that says nothing of where things lie on this machine."""
    if isinstance(choice.sae, RunRef):
        return choice.sae.artefact
    name = without_place(choice.sae)
    return name if choice.sae_id is None else f"{name}/{choice.sae_id}"


def wanted(differences: list[Difference], combined: list[Combination]) -> dict[int, str]:
    """Return features that a comparison chose, and which one."""
    found: dict[int, dict[str, list[str]]] = {}
    for one in differences:
        for latent in one.chosen.latents[:N_NAMED].tolist():
            side = one.names[0 if one.chosen.effect[latent] > 0 else 1]
            found.setdefault(latent, {}).setdefault(f"{one.name}: more in {side}", []).append(one.reading)
    for one in combined:
        for latent in one.few.chosen[: max(2, one.n_features)].tolist():
            found.setdefault(latent, {}).setdefault("classifier", []).append(one.reading)
    return {
        latent: "; ".join(f"{what} ({', '.join(readings)})" for what, readings in why.items())
        for latent, why in found.items()
    }
