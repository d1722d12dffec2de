"""What can be read off a model's activations, beyond what its words give away, and does the model use it?"""

from interp_lab.bibliography import ALAIN_2017, BENJAMINI_1995, GUO_2017, HEWITT_2019, MARKS_2024
from interp_lab.experiment import Progress, silent
from interp_lab.models.experiment import ModelExperiment
from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.measured import Probed
from interp_lab.probes.measuring import measure_label
from interp_lab.probes.result import ProbesResult
from interp_lab.tasks.labels import labels_named
from interp_lab.types import HookedModel

NAME = "probes"
"""In the registry, and at the head of every config file."""


class Probes(ModelExperiment[ProbesConfig, ProbesResult]):
    """Probe every layer for labels, beside control tasks and baselines; act along the probes' directions.

    Probes are fitted on half of the texts of ordinary templates; the site is chosen on a quarter and reported on the
    other, and again on held-out templates. Prompts that are acted upon are texts that no probe was trained on.
    """

    name = NAME
    result = ProbesResult
    sources = (ALAIN_2017, HEWITT_2019, MARKS_2024, GUO_2017, BENJAMINI_1995)

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> ProbesResult:
        """Measure on a model already in memory.

        Raises: ValueError, for a label that these texts cannot be probed for (one that `*` stands for is left out, and
            the result says why), or as `measure_label`.
        """
        wanted, named = labels_named(self.config.labels), {name for name in self.config.labels if "*" not in name}
        probed: list[Probed] = []
        left_out: list[tuple[str, str]] = []
        for nth, label in enumerate(wanted):
            progress(nth, len(wanted), str(label))
            try:
                probed.append(measure_label(model, label, self.config))
            except ValueError as error:
                if str(label) in named:
                    raise
                left_out.append((str(label), str(error)))
        if not probed:
            raise ValueError(f"no label could be probed: {left_out[0][0]}: {left_out[0][1]}")
        progress(len(wanted), len(wanted), "probed")
        return ProbesResult(self.config, self.provenance(model), tuple(probed), tuple(left_out))
