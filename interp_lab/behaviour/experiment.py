"""Behaviour: is there anything to explain?"""

from interp_lab.behaviour.config import BehaviourConfig
from interp_lab.behaviour.measured import able, behaved
from interp_lab.behaviour.result import BehaviourResult
from interp_lab.bibliography import ADEBAYO_2018, BENJAMINI_1995, HEWITT_2019
from interp_lab.claims import Split
from interp_lab.effects.capabilities import CAPABILITIES
from interp_lab.effects.metric_names import COSTS, MetricOf, metric_named
from interp_lab.effects.parts import parts_of
from interp_lab.effects.under import under_from
from interp_lab.experiment import Progress, silent
from interp_lab.models.experiment import ModelExperiment
from interp_lab.tasks.grammar import PREFIX
from interp_lab.types import HookedModel

NAME = "behaviour"
"""In the registry, and at the head of every config file."""


class Behaves(ModelExperiment[BehaviourConfig, BehaviourResult]):
    """Ask the model, untrained ones of its shape, and shuffled labels; whatever is explained later rests on this."""

    name = NAME
    result = BehaviourResult
    sources = (ADEBAYO_2018, HEWITT_2019, BENJAMINI_1995)

    def measure(
        self, model: HookedModel, *, metric: MetricOf | None = None, progress: Progress = silent
    ) -> BehaviourResult:
        """Measure on a model already in memory.

        Args:
            metric: makes a metric of your own from the model and the pairs, in place of the one that the config names.

        Raises: ValueError, as `effects.parts.parts_of`, for a capability that there is not, or what was found on
            another model.
        """
        c = self.config
        drawn, metric_of = parts_of(model, c, metric), metric_named(c.metric) if metric is None else metric
        under = None if c.under is None else under_from(c.under, model)
        asked = [split for split in (Split.REPORT, Split.HELD_OUT) if split in drawn.by_split]
        measured = {}
        for nth, split in enumerate(asked):
            progress(nth, len(asked) + 1, f"{split} split")
            measured[split] = behaved(model, drawn.by_split[split], metric_of, c, under, is_cost=drawn.metric in COSTS)
        progress(len(asked), len(asked) + 1, "capabilities")
        besides = c.capabilities
        if besides is None:
            besides = CAPABILITIES if c.task.startswith(f"{PREFIX}/") else ()
        capabilities = able(model, besides, c, under)
        progress(1, 1, "asked")
        return BehaviourResult(
            config=c,
            provenance=self.provenance(model),
            metric=drawn.metric,
            unit=drawn.unit,
            report=measured[Split.REPORT],
            held_out=measured.get(Split.HELD_OUT),
            capabilities=capabilities,
            under=None if under is None else under.name,
        )
