"""What the experiment on relations found: arrays, and how they are shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.attention.relations import confirming, figures, sections, statements, tables
from interp_lab.attention.relations.acts import RelationEffects
from interp_lab.attention.relations.carriers import RelationAttention
from interp_lab.attention.relations.config import AttentionRelationsConfig
from interp_lab.attention.relations.measurements import RelationMeasurements
from interp_lab.attention.relations.role_attention import RoleAttention
from interp_lab.attention.verdicts import verdict_metrics
from interp_lab.claims import Claim, Grade, Split
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation

_KEYS = {Split.SELECT: "select", Split.REPORT: "report", Split.HELD_OUT: "held_out"}
_ATTENTION = ("to_key", "to_rivals", "to_neighbours")
_EFFECTS = ("baseline", "changes", "sets")


@dataclass(frozen=True)
class AttentionRelationsResult(RelationMeasurements):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: AttentionRelationsConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "AttentionRelationsResult":
        """Rebuild from what `arrays` returned."""
        names, metrics, units = (_texts(arrays[name]) for name in ("relations", "metrics", "units"))
        attention, effects = {}, {}
        for split, key in _KEYS.items():
            heads = [f"{nth}_{key}" for nth in range(len(names)) if f"{nth}_{key}_to_key" in arrays]
            if heads:
                attention[split] = tuple(
                    RelationAttention(
                        name, *(arrays[f"{at}_{part}"] for part in _ATTENTION), _texts(arrays[f"{at}_templates"])
                    )
                    for name, at in zip(names, heads, strict=True)
                )
            if heads and split is not Split.SELECT:
                effects[split] = tuple(
                    RelationEffects(
                        metric,
                        unit,
                        *(arrays[f"{at}_{part}"] for part in _EFFECTS),
                        _texts(arrays[f"{at}_ablated_templates"]),
                    )
                    for metric, unit, at in zip(metrics, units, heads, strict=True)
                )
        contrasts = tuple(_contrast(arrays, nth) for nth in range(len(config.contrasts)))
        return cls(config, provenance, _texts(arrays["tasks"]), attention, effects, contrasts)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, and the names of what they are of."""
        report = self.effects[Split.REPORT]
        found: dict[str, np.ndarray] = {
            "relations": np.array(self.relations),
            "tasks": np.array(self.tasks),
            "metrics": np.array([part.metric for part in report]),
            "units": np.array([part.unit for part in report]),
        }
        for split, parts in self.attention.items():
            for nth, part in enumerate(parts):
                at = f"{nth}_{_KEYS[split]}"
                found |= {f"{at}_{name}": getattr(part, name) for name in _ATTENTION}
                found[f"{at}_templates"] = np.array(part.templates)
        for split, parts in self.effects.items():
            for nth, part in enumerate(parts):
                at = f"{nth}_{_KEYS[split]}"
                found |= {f"{at}_{name}": getattr(part, name) for name in _EFFECTS}
                found[f"{at}_ablated_templates"] = np.array(part.templates)
        for nth, sets in enumerate(self.contrasts):
            found[f"contrast{nth}_roles"] = np.array(sets[0].roles)
            for which, one in zip(("first", "second"), sets, strict=True):
                found[f"contrast{nth}_{which}"] = one.attention
                found[f"contrast{nth}_{which}_templates"] = np.array(one.templates)
        return found

    def metrics(self) -> dict[str, float]:
        """Return counts by verdict, baseline and carriers of every relation, and how many claims hold."""
        claims = self.claims()
        found = {
            **verdict_metrics(self.verdicts.values()),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in claims)),
            "n_replicated_claims": float(sum(claim.grade >= Grade.REPLICATED for claim in claims)),
            "n_backed_up_sets": float(sum(one.backs_up for one in self.sets)),
        }
        for nth, relation in enumerate(self.relations):
            found[f"{relation}_baseline"] = float(self.effects[Split.REPORT][nth].baseline.mean())
            found[f"{relation}_looking"] = float(self.looks[nth].sum())
            found[f"{relation}_acting"] = float(sum(at[0] == nth and self.grade(at) > 0 for at in self.verdicts))
        for nth, one in enumerate(self.contrasted):
            found[f"contrast{nth}_differences"] = float(one.differs.sum())
        return {name.replace(" ", "_").replace("-", "_"): value for name, value in found.items()}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `relations` (a row per relation and head), `effects` (every kind of ablation), `sets`, contrasts."""
        sets = tables.sets_table(self)
        return {
            "relations": tables.relations_table(self),
            "effects": tables.effects_table(self),
            **({"sets": sets} if len(sets) else {}),
            **tables.contrast_tables(self),
        }

    def figures(self) -> dict[str, go.Figure]:
        """Return a map per relation of where heads look, one of what they do, effects, and contrasts."""
        return {**figures.looks_figures(self), **figures.acts_figures(self), **figures.contrast_figures(self)}

    def sections(self) -> list[Section]:
        """Return where heads look, what ablating them does, and each contrast; the second alone is causal."""
        return [
            sections.looks_section(self),
            sections.acts_section(self),
            *(sections.contrast_section(self, nth) for nth in range(len(self.contrasts))),
        ]

    def claims(self) -> list[Claim]:
        """Return a claim per head and relation that it looks along or acts for, per set, and per contrasted role."""
        return statements.claims(self)

    def confirmation(self) -> Confirmation | None:
        """Return how what is claimed is tested on other examples; `None` if none of it holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what heads that look or act attend to, and what is lost without them."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return a line per relation and contrast, and how many claims hold."""
        return statements.summary(self)


def _texts(array: np.ndarray) -> tuple[str, ...]:
    return tuple(map(str, array))


def _contrast(arrays: dict[str, np.ndarray], nth: int) -> tuple[RoleAttention, RoleAttention]:
    roles = _texts(arrays[f"contrast{nth}_roles"])
    first, second = (
        RoleAttention(roles, arrays[f"contrast{nth}_{which}"], _texts(arrays[f"contrast{nth}_{which}_templates"]))
        for which in ("first", "second")
    )
    return first, second
