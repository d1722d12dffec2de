"""What do autoencoders of one hook point cost, reconstruct and keep of the predictions?"""

from interp_lab.bibliography import KORZNIKOV_2026, RAJAMANOHARAN_2024
from interp_lab.experiment import Progress, silent
from interp_lab.hooks import device_of
from interp_lab.models.experiment import ModelExperiment
from interp_lab.sae.chosen import load_chosen
from interp_lab.sae.evaluation.config import SaeEvaluationConfig
from interp_lab.sae.evaluation.evaluate import evaluate
from interp_lab.sae.evaluation.result import SaeEvaluationResult
from interp_lab.sae.training import LoadedSae
from interp_lab.types import HookedModel

NAME = "sae_evaluation"
"""In the registry, and at the head of every config file."""


class SaeEvaluation(ModelExperiment[SaeEvaluationConfig, SaeEvaluationResult]):
    """Measure autoencoders on held-out text, beside principal components, random directions, the mean and zero."""

    name = NAME
    result = SaeEvaluationResult
    sources = (KORZNIKOV_2026, RAJAMANOHARAN_2024)

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> SaeEvaluationResult:
        """Load the autoencoders and measure; see `evaluate`.

        Raises: ValueError, as `load_chosen` and `evaluate`, or for autoencoders of different hook points.
        """
        device = str(device_of(model))
        saes = {name: load_chosen(choice, device=device) for name, choice in self.config.dictionaries.items()}
        hook = _only_hook(saes)
        found = evaluate(model, saes, hook, config=self.config, progress=progress)
        return SaeEvaluationResult(self.config, self.provenance(model), found)


def _only_hook(saes: dict[str, LoadedSae]) -> str:
    hooks = {sae.hook for sae in saes.values()}
    if len(hooks) > 1:
        told = ", ".join(f"{name} at {sae.hook}" for name, sae in saes.items())
        raise ValueError(f"autoencoders of different hook points ({told}); make one run for each hook point")
    return next(iter(hooks))
