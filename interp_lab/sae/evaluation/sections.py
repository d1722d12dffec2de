"""Sections of a report."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section, there
from interp_lab.sae.evaluation import texts
from interp_lab.sae.evaluation.claimed import Claimed
from interp_lab.sae.evaluation.reconstruction import VARIANTS


def sections(found: Claimed, tables: Mapping[str, pd.DataFrame], figures: Mapping[str, go.Figure]) -> list[Section]:
    """Return reconstruction (descriptive), splicing (causal), and stability if it was asked for."""
    made = [
        Section(
            title=f"How well are activations at {found.hook} reconstructed?",
            causal=False,
            suggests=texts.reconstruction_suggests(found),
            does_not_show=texts.RECONSTRUCTION_DOES_NOT_SHOW,
            figures=there(figures, "frontier", "density"),
            tables={
                "reconstruction": _reconstruction(tables["codecs"]),
                "what is what": tables["codecs"][["name", "what"]],
            },
        ),
        Section(
            title="What becomes of the predictions with reconstructions in place?",
            causal=True,
            suggests=texts.splicing_suggests(found),
            does_not_show=texts.SPLICING_DOES_NOT_SHOW,
            figures=there(figures, "losses", "recovered"),
            tables={
                "raw losses (nats per token)": tables["losses"],
                "shares recovered": _of(tables["codecs"], texts.RECOVERED),
            }
            | there(tables, "differences"),
        ),
    ]
    if found.stability:
        stable = Section(
            title="Does another seed find the same directions?",
            causal=False,
            suggests=texts.stability_suggests(found),
            does_not_show=texts.STABILITY_DOES_NOT_SHOW,
            tables=there(tables, "stability"),
        )
        made.append(stable)
    return made


def _of(table: pd.DataFrame, metrics: tuple[str, ...]) -> pd.DataFrame:
    kept = [f"{name}{end}" for name in metrics for end in ("", "_low", "_high")]
    return table[["name", *kept]]


def _reconstruction(table: pd.DataFrame) -> pd.DataFrame:
    """Return what matters most first, and variants that were asked for last."""
    own = _of(table, texts.RECONSTRUCTION)
    dead = [name for name in table if str(name).startswith("dead_in_")]
    variants = [name for name in table if str(name).removesuffix("_low").removesuffix("_high") in VARIANTS]
    first = [name for name in own if str(name).startswith(("name", "l0", "r2"))]
    rest = [name for name in own if name not in first]
    return table[[*first, "latents", *dead, *rest, *variants]]
