"""Which features of an autoencoder go with variables of the grammar, and better than single neurons do?"""

from interp_lab.bibliography import BENJAMINI_1995, DELONG_1988, GURNEE_2023
from interp_lab.experiment import Progress, silent
from interp_lab.models.experiment import ModelExperiment
from interp_lab.sae.chosen import load_chosen
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.measured import Measured
from interp_lab.sae.concepts.measuring import measure_label
from interp_lab.sae.concepts.result import ConceptsResult
from interp_lab.sae.concepts.tokens import draw_tokens
from interp_lab.tasks.labels import labels_named
from interp_lab.types import HookedModel

NAME = "sae_concepts"
"""In the registry, and at the head of every config file."""


class Concepts(ModelExperiment[ConceptsConfig, ConceptsResult]):
    """Choose the best feature of every concept on half of the texts; report it on the others, beside everything else.

    Only tokens count that could know the concept and do not give it away themselves. Beside the best feature stand the
    best neuron, coordinate, principal component and random feature, all chosen in the same way, probes of a few and of
    all units, and features chosen by shuffled labels.
    """

    name = NAME
    result = ConceptsResult
    sources = (GURNEE_2023, DELONG_1988, BENJAMINI_1995)

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> ConceptsResult:
        """Measure on a model already in memory.

        Raises: ValueError, for an autoencoder of another model or weight processing, or a label without concepts (one
            that `*` stands for is left out, and the result says why).
        """
        sae = load_chosen(self.config.dictionary)
        sae.require_fits(model)
        wanted, named = labels_named(self.config.labels), {name for name in self.config.labels if "*" not in name}
        found: list[Measured] = []
        left_out: list[tuple[str, str]] = []
        for nth, label in enumerate(wanted):
            progress(nth, len(wanted), str(label))
            try:
                tokens, few = draw_tokens(model, label, self.config)
            except ValueError as error:
                if str(label) in named:
                    raise
                left_out.append((str(label), str(error)))
                continue
            left_out += few
            found += measure_label(model, tokens, hook=sae.hook, codec=sae, config=self.config)
        if not found:
            raise ValueError(f"no label has concepts: {left_out[0][0]}: {left_out[0][1]}")
        progress(len(wanted), len(wanted), "measured")
        name = str(sae.where).rpartition("/")[2] or str(sae.where)
        where = self.provenance(model)
        return ConceptsResult(self.config, where, name, sae.hook, sae.n_latents, tuple(found), tuple(left_out))
