"""What a sweep came to: arrays, and how they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.bibliography import WATANABE_2023, Source
from interp_lab.claims import Claim
from interp_lab.experiment import Provenance, Section, provenance
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.runs import RunError, read_run
from interp_lab.sweeps import chosen, figures, sections, tables, texts
from interp_lab.sweeps.config import SweepConfig
from interp_lab.sweeps.definition import Definition
from interp_lab.sweeps.found import Found, why_not_ranked
from interp_lab.sweeps.held_out import Again, again_from, arrays_of
from interp_lab.sweeps.importance import Importance, importance_of
from interp_lab.sweeps.parallel import parallel_coordinates
from interp_lab.sweeps.searched import FAILED, STOPPED, Searched
from interp_lab.sweeps.trial import Trial

NAME = "sweep"
"""In the registry."""
SOURCES: tuple[Source, ...] = (WATANABE_2023,)


@dataclass(frozen=True)
class SweepResult(Found):
    """The trials of a sweep as metrics, tables, figures and sections of a report."""

    @classmethod
    def of(
        cls,
        definition: Definition,
        trials: Sequence[Trial],
        again: Sequence[Again] = (),
        *,
        pareto: Sequence[str] = (),
        no_held_out: str = "not asked for",
        seed: int = 0,
        n_shuffles: int = 999,
    ) -> "SweepResult":
        """Return the result of trials that have ended.

        Args:
            again: winner and base on the held-out fold; see `held_out.re_evaluate`.
            pareto: what the metric is weighed against; see `SweepConfig.pareto`.
            no_held_out: why `again` is empty, if it is.
            seed: of the sweep, and of shuffles here.
            n_shuffles: of the metric, for the null of the importance of parameters.

        Raises: ConfigError, for objectives that are none.
        """
        config = SweepConfig.from_mapping(
            {
                "name": definition.name,
                "task": f"{definition.base.experiment.replace('_', ' ')} by {definition.metric}",
                "method": definition.method,
                "metric": definition.metric,
                "goal": definition.goal,
                "definition": dict(definition.raw),
                "pareto": tuple(pareto),
                "no_held_out": "" if again else no_held_out,
                "n_shuffles": n_shuffles,
                "seed": seed,
            }
        )
        searched = Searched.of(trials, config.parameters)
        return cls(config, origin_of(trials, config), searched, _ranked(searched, config), tuple(again))

    @classmethod
    def from_arrays(cls, config: SweepConfig, origin: Provenance, arrays: dict[str, np.ndarray]) -> "SweepResult":
        """Rebuild from what `arrays` returned."""
        importance = Importance.from_arrays(arrays, level=config.level)
        return cls(config, origin, Searched.from_arrays(arrays), importance, again_from(arrays))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per trial and per run after the search, and the names of what they are of."""
        held = {} if self.importance is None else self.importance.arrays()
        return {**self.searched.arrays(), **held, **arrays_of(self.again)}

    def metrics(self) -> dict[str, float]:
        """Return flat numbers.

        `n_trials`, `n_comparable`, `n_failed`, `n_stopped`, `n_front`; `best` (metric of the winner in the search);
        `held_out.winner`, `held_out.base` (metric, mean over seeds), `held_out.difference`, `held_out.shrinkage`,
        `held_out.shrinkage_of_base`, `held_out.excess` (positive is better, or looked better in the search), each with
        `_low` and `_high`. What was not measured is left out.
        """
        s = self.searched
        found = {
            "n_trials": float(len(s.numbers)),
            "n_comparable": float(s.n_comparable),
            "n_failed": float(s.count(FAILED)),
            "n_stopped": float(s.count(STOPPED)),
            "n_front": float(self.front.sum()),
        }
        if self.best is not None:
            found["best"] = float(s.metric[self.best])
        held = self.remeasured
        if held is None:
            return found
        found |= {
            f"held_out.{name}": float(self.config.sign * getattr(held, name).mean()) for name in ("winner", "base")
        }
        for name in ("difference", "shrinkage", "shrinkage_of_base", "excess"):
            one = getattr(held, name)
            ends = {"": one.estimate, "_low": one.low, "_high": one.high}
            found |= {f"held_out.{name}{end}": value for end, value in ends.items() if np.isfinite(value)}
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `trials`, `metrics`, `parameters`, and of the rest what there is."""
        found = {
            "trials": tables.trials_table(self),
            "metrics": tables.metrics_table(self),
            "parameters": tables.parameters_table(self),
            "best": tables.best_table(self),
            "front": tables.front_table(self),
            "ended_badly": tables.ended_badly_table(self),
            "importance": tables.importance_table(self),
            "again": tables.again_table(self),
            "shrinkage": tables.shrinkage_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty or name in ("trials", "parameters")}

    def figures(self) -> dict[str, go.Figure]:
        """Return the trials in order, as lines through their values, against each parameter, and what was chosen."""
        found = {
            "history": figures.history(self),
            "parallel": parallel_coordinates(self),
            "grid": figures.grid(self),
            "parameters": figures.against_parameters(self),
            "front": chosen.front_plot(self),
            "importance": chosen.importance_plot(self),
            "held_out": chosen.held_out_plot(self),
            "shrinkage": chosen.shrinkage_plot(self),
        }
        return {name: figure for name, figure in found.items() if figure is not None}

    def sections(self) -> list[Section]:
        """Return what a report shows; all of it is descriptive."""
        return sections.sections(self, self.tables(), self.figures())

    def claims(self) -> list[Claim]:
        """Return one sentence, an observation without an intervention, if the winner is better on held-out examples."""
        held = self.remeasured
        if held is None or not held.difference.low > 0:
            return []
        statement = (
            f"The setting chosen among {self.searched.n_comparable} has a better {self.config.metric} than the config "
            "without it on examples that no trial saw"
        )
        observed = f"better by {texts.interval(held.difference)} over {len(held.winner)} seeds"
        return [Claim(statement, observed)]

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)


def _ranked(searched: Searched, config: SweepConfig) -> Importance | None:
    varied = tuple(np.flatnonzero(searched.varied()).tolist())
    if why_not_ranked(searched, varied):
        return None
    rows = searched.comparable & np.isfinite(searched.values[:, varied]).all(1)
    known = [config.parameters[nth] for nth in varied]
    values = searched.values[rows][:, varied]
    for nth, one in enumerate(known):
        if one.is_log and (values[:, nth] > 0).all():
            values[:, nth] = np.log(values[:, nth])
    return importance_of(
        values,
        config.sign * searched.metric[rows],
        names=tuple(one.name for one in known),
        n_choices=tuple(None if one.choices is None else len(one.choices) for one in known),
        n_shuffles=config.n_shuffles,
        level=config.level,
        seed=config.seed,
    )


def origin_of(trials: Sequence[Trial], config: SweepConfig) -> Provenance:
    """Return where a sweep comes from: the model is that of its first trial on disk, whose values may name others."""
    made = provenance("sweep", _NO_MODEL, seed=config.seed, device="none", dtype="none", sources=SOURCES)
    for one in trials:
        try:
            own = Provenance.from_dict(read_run(one.folder).provenance)
        except RunError:
            continue
        several = any(known.name == "model" and not known.is_fixed for known in config.parameters)
        model = replace(own.model, name="several models") if several else own.model
        return replace(made, model=model, device=own.device, dtype=own.dtype)
    return made


_NO_MODEL = ModelIdentity("an unknown model", WeightProcessing(), n_layers=0, d_model=0, d_vocab=0)
"""Of a sweep without a complete trial on disk."""
