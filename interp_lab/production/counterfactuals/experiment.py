"""Counterfactuals: the smallest edits that flip an answer, and what attributes do to it alone."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from interp_lab.bibliography import BENJAMINI_1995, EBRAHIMI_2018, KUSNER_2017, WACHTER_2018
from interp_lab.claims import Split
from interp_lab.experiment import Progress, silent
from interp_lab.models import load_model
from interp_lab.models.experiment import ModelExperiment
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.production.counterfactuals.cases import Case, grammar_cases, require_attributes
from interp_lab.production.counterfactuals.choice import Chosen, attributes_of, chosen_from, stated
from interp_lab.production.counterfactuals.config import CounterfactualsConfig
from interp_lab.production.counterfactuals.measured import Asking, CounterfactualSplit, split_of
from interp_lab.production.counterfactuals.outcome import problems_of
from interp_lab.production.counterfactuals.own_prompts import own_cases, read_prompts
from interp_lab.production.counterfactuals.proposals import Lexicon
from interp_lab.production.counterfactuals.reading import Reader
from interp_lab.production.counterfactuals.result import CounterfactualsResult
from interp_lab.production.counterfactuals.rule import knows
from interp_lab.production.counterfactuals.search import Reach, searched
from interp_lab.tasks.declared import DECLARED
from interp_lab.types import HookedModel

NAME = "counterfactuals"
"""In the registry, and at the head of every config file."""
_STAGES = {Split.SELECT: 0, Split.REPORT: 1, Split.HELD_OUT: 2}


class Counterfactuals(ModelExperiment[CounterfactualsConfig, CounterfactualsResult]):
    """Rank values on some texts, search and test on others, confirm on held-out templates."""

    name = NAME
    result = CounterfactualsResult
    sources = (WACHTER_2018, EBRAHIMI_2018, KUSNER_2017, BENJAMINI_1995)

    def measure(
        self,
        model: HookedModel,
        *,
        against: HookedModel | None = None,
        rule: str | None = None,
        progress: Progress = silent,
    ) -> CounterfactualsResult:
        """Measure on a model already in memory.

        Args:
            against: the model that the config names so, if that is in memory too.
            rule: whose rule a text's flips are compared with, such as `loans_blind` for a model that was taught that
                one; `None` takes that of the behaviour, if it has one.

        Raises: ValueError, for a behaviour, attribute or value that there is not, too few different texts, or what the
            tokenizer cannot express.
        """
        c = self.config
        drawing = _Drawing(c)
        progress(0, 3, "values ranked")
        select = [] if c.chosen is not None else drawing.cases(Split.SELECT)
        asking = _asking(model, self._other(model, against), c, drawing.known(), rule)
        chosen = _chosen(asking, select)
        measured: dict[Split, CounterfactualSplit] = {}
        splits = [Split.REPORT] if c.n_held_out is None else [Split.REPORT, Split.HELD_OUT]
        why = None
        for nth, split in enumerate(splits):
            if split is Split.HELD_OUT and not drawing.has_reserved():
                why = f"{c.behaviour} has no reserved texts"
                continue
            progress(1 + nth, 3, f"{split} split")
            rng = np.random.default_rng([c.seed, _STAGES[split], 1])
            measured[split] = split_of(asking, drawing.cases(split), chosen, rng=rng)
        progress(3, 3, "searched")
        return CounterfactualsResult(
            config=c,
            provenance=self.provenance(model),
            legitimate=asking.legitimate,
            protected=asking.protected,
            chosen=chosen,
            report=measured[Split.REPORT],
            held_out=measured.get(Split.HELD_OUT),
            not_replicable=why,
        )

    def _other(self, model: HookedModel, given: HookedModel | None) -> HookedModel | None:
        c = self.config
        if given is not None or c.against is None:
            return given
        return load_model(c.against, c.device, dtype=c.dtype, processing=c.processing, backend=c.backend)


@dataclass
class _Drawing:
    """Draws the texts of all splits, none of them twice."""

    config: CounterfactualsConfig
    taken: set[str] = field(default_factory=set)

    @property
    def path(self) -> Path | None:
        """Of a user's file."""
        return Path(self.config.behaviour) if self.config.behaviour.endswith(".jsonl") else None

    def cases(self, split: Split) -> list[Case]:
        """Return the texts of a split."""
        c = self.config
        n = {Split.SELECT: c.n_select, Split.REPORT: c.n_report, Split.HELD_OUT: c.n_held_out}[split]
        assert n is not None, "the caller asks only for splits that there are"
        reserved = split is Split.HELD_OUT
        if self.path is not None:
            skip = c.n_select if split is Split.REPORT and c.chosen is None else 0
            return own_cases(self.path, n, reserved=reserved, skip=skip)
        return grammar_cases(c.behaviour, n, seed=[c.seed, _STAGES[split]], reserved=reserved, without=self.taken)

    def has_reserved(self) -> bool:
        """Whether there are texts to replicate on."""
        return self.path is None or bool(read_prompts(self.path, reserved=True))

    def known(self) -> list[str]:
        """Return all attributes that texts may have."""
        if self.path is None:
            return list(behaviour(self.config.behaviour).varied)
        return attributes_of(read_prompts(self.path, reserved=False))


def _asking(
    model: HookedModel, other: HookedModel | None, c: CounterfactualsConfig, known: list[str], rule: str | None
) -> Asking:
    declared = DECLARED.get(c.behaviour)
    legitimate = c.legitimate if c.legitimate is not None else () if declared is None else declared.legitimate
    protected = c.protected if c.protected is not None else () if declared is None else declared.protected
    require_attributes(legitimate, known, what="legitimate")
    require_attributes(protected, known, what="protected")
    told = () if c.chosen is None else tuple(stated(one).attribute for one in c.chosen)
    require_attributes(told, known, what="chosen")
    reader = Reader(model, c.batch_size)
    return Asking(
        reader=reader,
        against=None if other is None else Reader(other, c.batch_size),
        config=c,
        lexicon=Lexicon.of(reader),
        legitimate=tuple(legitimate),
        protected=tuple(protected),
        hidden=None if declared is None else declared.hidden[0],
        rule=rule if rule is not None else c.behaviour if knows(c.behaviour) else None,
    )


def _chosen(asking: Asking, select: list[Case]) -> Chosen:
    c = asking.config
    if c.chosen is not None:
        return tuple(stated(one) for one in c.chosen)
    slopes = asking.reader.slopes(select)
    rng = np.random.default_rng([c.seed, 9])
    problems = problems_of(asking.reader, select, slopes, "vocabulary", asking.lexicon, n=c.n_proposed, rng=rng)
    singles = searched(asking.reader, problems, Reach(most_edits=1))
    return chosen_from(singles, asking.protected, n=c.n_chosen, least=c.smallest_effect)
