"""Results made by hand: any claims, any sections, any text, and no model."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from interp_lab.claims import Claim, Evidence, Split
from interp_lab.config import Config
from interp_lab.experiment import Provenance, Section
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.types import Interval

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\u202egnp"


class MadeConfig(Config):
    """Does it?

    Measured on `made-up` numbers.
    """

    text: str = "none"
    seed: int = 0


@dataclass(frozen=True)
class Made:
    """A Result."""

    made_claims: tuple[Claim, ...] = ()
    made_sections: tuple[Section, ...] = ()
    text: str = "made"
    model: str = "a-model"
    config: Any = field(default_factory=MadeConfig)
    commit: str | None = "abc123"

    @property
    def provenance(self) -> Provenance:
        identity = ModelIdentity(self.model, WeightProcessing(), n_layers=1, d_model=2, d_vocab=3)
        return Provenance("made_up", identity, seed=0, device="cpu", dtype="float32", commit=self.commit,
                          versions={"torch": "2.0"}, created="2026-01-01T00:00:00+00:00")  # fmt: skip

    def metrics(self) -> dict[str, float]:
        return {}

    def tables(self) -> dict[str, pd.DataFrame]:
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        return {}

    def figures(self) -> dict[str, Any]:
        return {}

    def sections(self) -> list[Section]:
        return list(self.made_sections)

    def claims(self) -> list[Claim]:
        return list(self.made_claims)

    def summary(self) -> str:
        return self.text


def evidence(
    effect: tuple[float, float, float] = (2.0, 1.5, 2.5),
    control: tuple[float, float, float] = (1.9, 1.4, 2.4),
    *,
    p: float = 0.001,
    margin: float = 0.5,
    split: Split = Split.REPORT,
    what: str = "ablation of 1.0: change of loss",
    name: str = "random heads",
) -> Evidence:
    intervals = {"effect": Interval(*effect), "versus_control": Interval(*control)}
    return Evidence(what, "nats", **intervals, p_adjusted=p, control=name, split=split, n_examples=32, margin=margin)


def held_out(*intervals: tuple[float, float, float], **options: Any) -> Evidence:
    return evidence(*intervals, split=Split.HELD_OUT, **options)
