"""Audits whose every probability is written by hand."""

from collections.abc import Mapping

import numpy as np

from interp_lab.audit.asked import Asked
from interp_lab.audit.config import AuditConfig
from interp_lab.audit.measurements import AuditSplit
from interp_lab.audit.named import chosen_from
from interp_lab.audit.result import AuditResult
from interp_lab.experiment import Provenance
from interp_lab.identity import ModelIdentity, WeightProcessing

N, TEMPLATES = 40, 10


def jittered(*p: float, n: int = N, seed: int = 0) -> np.ndarray:
    """Return texts of `n` examples whose probabilities are these, give or take a hundredth."""
    return np.array(p) + np.random.default_rng(seed).uniform(-0.01, 0.01, size=(n, len(p)))


def asked(rows: Mapping[str, np.ndarray], *, templates: np.ndarray | None = None, n_texts: int = 1) -> Asked:
    """Return rows by name; templates are ten unless they are given."""
    p = np.stack(list(rows.values())) if rows else np.zeros((0, N, n_texts))
    one = np.array([f"t{nth % TEMPLATES}" for nth in range(p.shape[1])]) if templates is None else templates
    known = np.tile(np.where(np.arange(p.shape[1]) % 2 == 0, 1.0, np.nan), (len(p), 1))
    return Asked(tuple(rows), p, np.full_like(p, np.nan), np.tile(one, (len(p), 1)), known)


def split(
    singles: Mapping[str, np.ndarray] | None = None,
    pairs: Mapping[str, np.ndarray] | None = None,
    proxies: Mapping[str, np.ndarray] | None = None,
    *,
    templates: np.ndarray | None = None,
) -> AuditSplit:
    """Return what was read on one split; the gap by group is 0.4 over ordinary texts."""
    return AuditSplit(
        asked(singles or {}, n_texts=4),
        asked({}, n_texts=3),
        asked(pairs or {}, n_texts=10, templates=templates),
        asked(proxies or {}, n_texts=8),
        asked({"group": jittered(0.8, 0.4)}),
        asked({"ordinary texts": jittered(0.9)}),
    )


def audit(chosen: list[str], report: AuditSplit, held_out: AuditSplit | None = None, **config: object) -> AuditResult:
    """Return the audit of what was stated in advance."""
    named = chosen_from(chosen)
    own = AuditConfig.from_mapping({"chosen": chosen, "n_held_out": None if held_out is None else N, **config})
    identity = ModelIdentity("by hand", WeightProcessing(), 1, 8, 9)
    return AuditResult(
        config=own, provenance=Provenance("audit", identity, 0, "cpu", "float32"),
        source="made", answers=(" yes", " no"), attributes=("home", "income", "paper", "seal"), legitimate=("income",),
        hidden=("group",), groups=named.attributes, chosen=named, scan=None, screen=None, candidates=None,
        report=report, held_out=held_out, not_replicable=None, under=None,
    )  # fmt: skip
