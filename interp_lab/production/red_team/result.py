"""What searches found: arrays, and how they are shown."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from interp_lab.claims import Grade
from interp_lab.experiment import Provenance, Section, there
from interp_lab.production.red_team import figures, tables, texts
from interp_lab.production.red_team.claimed import RedTeamClaims
from interp_lab.production.red_team.config import RedTeamConfig
from interp_lab.production.red_team.measured import Followed, Hits, Runs

_TOLD = ("weights", "target", "unit", "threshold")


@dataclass(frozen=True)
class RedTeamResult(RedTeamClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: RedTeamConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "RedTeamResult":
        """Rebuild from what `arrays` returned."""
        has_held_out = "held_out_names" in arrays
        return cls(
            config=config,
            provenance=provenance,
            **{name: arrays[name].item() for name in _TOLD},
            runs=Runs.from_arrays("runs", arrays),
            hits=Hits.from_arrays("hits", arrays),
            report=Followed.from_arrays("report", arrays),
            held_out=Followed.from_arrays("held_out", arrays) if has_held_out else None,
            not_replicable=arrays["not_replicable"].item() if "not_replicable" in arrays else None,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return runs, hits, and what other texts read."""
        found = {name: np.array(getattr(self, name)) for name in _TOLD}
        found |= self.runs.arrays("runs") | self.hits.arrays("hits") | self.report.arrays("report")
        if self.not_replicable is not None:
            found["not_replicable"] = np.array(self.not_replicable)
        return found if self.held_out is None else found | self.held_out.arrays("held_out")

    def metrics(self) -> dict[str, float]:
        """Return flat numbers.

        Of each search `SEARCH/hits_per_1000` and, if something planted is known, `SEARCH/found_planted` (share of
        runs); `turned` and `turned_by_random` (largest share among edits tried, report split, and its control);
        `n_clusters`; claims that hold.
        """
        found = {f"{name}/hits_per_1000": self.rate(name).estimate for name in self.searches}
        if self.config.planted is not None:
            found |= {
                f"{name}/found_planted": float(np.isfinite(self.first_planted(name)).mean()) for name in self.searches
            }
        shares = [self.shares(self.report, nth) for nth in range(len(self.report.names))]
        if shares:
            own, control = max(shares, key=lambda both: both[0].estimate)
            found |= {"turned": own.estimate, "turned_by_random": control.estimate}
        grades = [claim.grade for claim in self.claims()]
        found["n_clusters"] = float(len(self.clusters))
        found["n_causal_claims"] = float(sum(one >= Grade.CAUSAL for one in grades))
        found["n_replicated_claims"] = float(sum(one >= Grade.REPLICATED for one in grades))
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `searches`, `clusters`, `hits` and `followed`, as far as there is anything in them."""
        found = {
            "searches": tables.searches_table(self),
            "clusters": tables.clusters_table(self),
            "hits": tables.hits_table(self),
            "followed": tables.followed_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, Any]:
        """Return hit rates, calls until what is planted was found, and answers that turn on other texts."""
        found = {
            "rates": figures.rates(self),
            "planted": figures.until_planted(self),
            "followed": figures.followed(self),
        }
        return {name: figure for name, figure in found.items() if figure is not None}

    def sections(self) -> list[Section]:
        """Return what was found at what price (descriptive), and what the edits do on other texts (causal)."""
        shown, drawn, c = self.tables(), self.figures(), self.config
        made = []
        if self.searches:
            made.append(
                Section(
                    title=f"Which inputs turn it, and what does it cost to find them? {c.behaviour} in {c.model}",
                    causal=False,
                    suggests=f"{texts.searches_suggest(self)} {texts.clusters_suggest(self)}",
                    does_not_show=texts.SEARCH_DOES_NOT_SHOW,
                    figures=there(drawn, "rates", "planted"),
                    tables=there(shown, "searches", "clusters", "hits"),
                )
            )
        made.append(
            Section(
                title=f"Does the answer follow on other texts? {c.behaviour} in {c.model}",
                causal=True,
                suggests=texts.followed_suggests(self),
                does_not_show=texts.FOLLOWED_DOES_NOT_SHOW,
                figures=there(drawn, "followed"),
                tables=there(shown, "followed"),
            )
        )
        return made

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)
