"""Sources: which source of a prompt does an answer come from, and which methods say so truly?"""

from interp_lab.bibliography import ABNAR_2020, BENJAMINI_1995, COHEN_WANG_2024, SUNDARARAJAN_2017
from interp_lab.claims import Split
from interp_lab.experiment import Progress, Steps, silent
from interp_lab.models.experiment import ModelExperiment
from interp_lab.production.sources.asked import answered, texts_of
from interp_lab.production.sources.config import SourcesConfig
from interp_lab.production.sources.measured import sources_of_split
from interp_lab.production.sources.result import SourcesResult
from interp_lab.types import HookedModel

NAME = "sources"
"""In the registry, and at the head of every config file."""


class SourcesExperiment(ModelExperiment[SourcesConfig, SourcesResult]):
    """Score sources by every method, choose one on half of the prompts, test all on the rest, confirm."""

    name = NAME
    result = SourcesResult
    sources = (COHEN_WANG_2024, ABNAR_2020, SUNDARARAJAN_2017, BENJAMINI_1995)

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> SourcesResult:
        """Measure on a model already in memory.

        Raises: ValueError, for an unknown task, too few prompts, a file or sources that cannot be read, or prompts that
            do not fit the context.
        """
        c = self.config
        parts = texts_of(c)
        steps = Steps(progress, len(parts))
        measured = {}
        for split, texts in parts.items():
            asked = answered(model, texts, n_tokens=c.answer_tokens)
            measured[split] = sources_of_split(model, asked, c, told=steps.next(str(split)))
        progress(1, 1, "sources asked about")
        return SourcesResult(
            config=c,
            provenance=self.provenance(model),
            select=measured[Split.SELECT],
            report=measured[Split.REPORT],
            held_out=measured.get(Split.HELD_OUT),
        )
