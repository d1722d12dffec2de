"""What was measured, as tables, metrics, arrays, figures and sections of a report."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section
from interp_lab.sae.evaluation import figures, sections, tables
from interp_lab.sae.evaluation.claimed import Claimed
from interp_lab.sae.evaluation.config import EvaluationConfig
from interp_lab.sae.evaluation.stability import Stability

_STABILITY = ("matched", "isotropic", "shaped")


@dataclass(frozen=True)
class Evaluation(Claimed):
    """Autoencoders on held-out text beside their baselines; what `evaluate` returns."""

    def table(self) -> pd.DataFrame:
        """Return one row per autoencoder or baseline, every number with `_low` and `_high`."""
        return tables.codecs_table(self)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `codecs`, `losses`, `differences` from baselines, and `stability` if it was asked for."""
        found = {"codecs": self.table(), "losses": tables.losses_table(self)}
        found |= {"differences": tables.differences_table(self)} if self.compared else {}
        return found | ({"stability": tables.stability_table(self)} if self.stability else {})

    def metrics(self) -> dict[str, float]:
        """Return flat numbers: `NAME.l0`, `NAME.r2`, ... of every codec; `ce_clean`, `ce_unigram`, `n_tokens`, ..."""
        found = {"ce_clean": self.clean_loss().estimate, "ce_unigram": self.unigram_loss().estimate}
        found |= {"n_tokens": float(self.n_tokens), "n_documents": float(self.n_documents)}
        for name in self.names:
            found |= {f"{name}.{metric}": self.interval(name, metric).estimate for metric in self.metric_names}
            if name in self.asked:
                found[f"{name}.{self.dead_name}"] = float(self.n_dead(name))
        for one in self.stability:
            found |= {f"{one.first}.{kind}_{one.second}": float(getattr(one, kind).mean()) for kind in _STABILITY}
        return found

    def figures(self) -> dict[str, go.Figure]:
        """Return both frontiers (R2 and loss recovered by L0), losses, and densities of latents."""
        return {
            "frontier": figures.frontier(self, "r2"),
            "recovered": figures.frontier(self, "ce_recovered_mean"),
            "losses": figures.losses(self),
            "density": figures.densities(self),
        }

    def sections(self) -> list[Section]:
        """Return reconstruction (descriptive), splicing (causal), and stability if it was asked for."""
        return sections.sections(self, self.tables(), self.figures())

    def arrays(self) -> dict[str, np.ndarray]:
        """Return sums by document, and what they are of; with the config they are everything."""
        found = {
            "hook": np.array(self.hook),
            "d_vocab": np.array(self.d_vocab),
            "names": np.array(self.names),
            "asked": np.array(self.asked),
            "described": np.array(self.described),
            "trained_on": np.array([self.trained_on[name] for name in self.asked]),
            **{f"shared/{name}": sums for name, sums in self.shared.items()},
            **{f"own/{name}": sums for name, sums in self.own.items()},
            **{f"fired/{name}": counts for name, counts in self.fired.items()},
            **{f"baselines/{name}": np.array(beside) for name, beside in self.baselines.items()},
        }
        for nth, one in enumerate(self.stability):
            found[f"stability/{nth}/of"] = np.array([one.first, one.second])
            found[f"stability/{nth}/sizes"] = np.array([one.n_latents, one.n_others])
            found |= {f"stability/{nth}/{kind}": getattr(one, kind) for kind in _STABILITY}
        return found

    @classmethod
    def from_arrays(cls, config: EvaluationConfig, arrays: Mapping[str, np.ndarray]) -> "Evaluation":
        """Rebuild from what `arrays` returned; others may stand beside it."""
        names, asked, described = (tuple(map(str, arrays[key])) for key in ("names", "asked", "described"))
        return cls(
            config=config,
            hook=str(arrays["hook"]),
            d_vocab=int(arrays["d_vocab"]),
            names=names,
            asked=asked,
            described=described,
            baselines={name: tuple(map(str, beside)) for name, beside in _below("baselines", arrays).items()},
            trained_on=dict(zip(asked, map(str, arrays["trained_on"]), strict=True)),
            shared=_below("shared", arrays),
            own=_below("own", arrays),
            fired=_below("fired", arrays),
            stability=tuple(_stability(nth, arrays) for nth in range(len(config.stability))),
        )


def _below(kind: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {key.removeprefix(f"{kind}/"): array for key, array in arrays.items() if key.startswith(f"{kind}/")}


def _stability(nth: int, arrays: Mapping[str, np.ndarray]) -> Stability:
    own = _below(f"stability/{nth}", arrays)
    first, second = map(str, own["of"])
    n_latents, n_others = map(int, own["sizes"])
    return Stability(first, second, *(own[kind] for kind in _STABILITY), n_latents=n_latents, n_others=n_others)
