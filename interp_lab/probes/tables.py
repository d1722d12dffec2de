"""Tables of what probes found."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from interp_lab.claims import Split
from interp_lab.probes.claimed import FAMILIES, ProbesClaims
from interp_lab.probes.judged import Judged
from interp_lab.probes.measured import Transfer
from interp_lab.stats import bounded_interval, mean_interval
from interp_lab.stats.calibration import calibration_error
from interp_lab.types import Interval

ALL_OTHERS = "all others"
CONTROLS = ("control", "shuffled", "untrained")
"""Means over draws at a site."""


def scores_table(found: ProbesClaims) -> pd.DataFrame:
    """Return one row per label and site: the score on the report split, beside every control and baseline.

    Columns: `score` (share right, or R^2), `selectivity` (score minus that of the control tasks), `control`,
    `shuffled`, `untrained` (means over draws), `majority` and `control_majority` (of always saying the commonest label,
    or the commonest of a control task), `token` (the token that is read), `words` (a bag of all
    words up to there), `held_out` (score on reserved templates), `penalty`, `chosen`.
    """
    return pd.DataFrame([row for one in found.judged for row in _score_rows(one)])


def _score_rows(judged: Judged) -> Iterator[dict[str, object]]:
    one, part = judged.probed, judged.probed.scores[Split.REPORT]
    away = one.scores.get(Split.HELD_OUT)
    for nth, site in enumerate(one.sites):
        row: dict[str, object] = {"label": one.label, "site": site, "chosen": nth == one.chosen}
        row |= judged.scores[Split.REPORT].at(nth).columns("score")
        row |= judged.selectivity[Split.REPORT].at(nth).columns("selectivity")
        row |= {name: float(getattr(part, name)[:, nth].mean()) for name in CONTROLS}
        place = one.position_of(nth)
        row |= {"majority": float(part.majority.mean()), "control_majority": float(part.control_majority.mean())}
        row |= {"token": float(part.token[place].mean())}
        row |= {"words": float(part.words[place].mean())}
        row |= {"held_out": np.nan if away is None else float(away.probe[nth].mean())}
        yield row | {"penalty": float(one.penalty[nth])}


def verdicts_table(found: ProbesClaims) -> pd.DataFrame:
    """Return one row per label: what its probe at the chosen site does beyond every control, and the verdict.

    Columns: `score`, `selectivity` and `beyond_...` with their intervals; `selective` (whether above zero; selectivity
    is left out where control tasks are no fair comparison, and `no_selectivity_because` says why); of a probe
    with a hidden layer `mlp` and `mlp_selectivity`; `verdict`, `grade`; `held_out`, `decodable_on_held_out`;
    `stated_in_training` (share of the report examples whose text says what a text of training says) and
    `score_if_not_stated`.
    """
    rows = []
    for judged, claim in zip(found.judged, found.claims(), strict=True):
        one = judged.probed
        row: dict[str, object] = {"label": one.label, "site": one.sites[one.chosen], "verdict": str(judged.verdict)}
        row |= {"grade": str(claim.grade)} | judged.scores[Split.REPORT].at(one.chosen).columns("score")
        row |= judged.selectivity_at_chosen.columns("selectivity")
        unfair = judged.unfair_controls()
        row |= {"selective": None if unfair else judged.is_selective, "no_selectivity_because": unfair}
        for control in ("majority", "token", "words", "shuffled", "untrained"):
            row |= judged.beyond(control, Split.REPORT).columns(f"beyond_{control}")
        stated, hits = one.scores[Split.REPORT].was_stated, one.scores[Split.REPORT].probe[one.chosen]
        row |= {"stated_in_training": float(stated.mean())}
        row |= {"score_if_not_stated": np.nan if stated.all() else float(hits[~stated].mean())}
        score, beyond = judged.hidden_layer
        row |= score.columns("mlp") | beyond.columns("mlp_selectivity")
        away = Split.HELD_OUT in one.scores
        row["held_out"] = judged.scores[Split.HELD_OUT].at(one.chosen).estimate if away else np.nan
        row["decodable_on_held_out"] = judged.is_decodable(Split.HELD_OUT) if away else None
        rows.append(row)
    return pd.DataFrame(rows)


def use_table(found: ProbesClaims) -> pd.DataFrame:
    """Return one row per label and way of acting: its effect beside both families of controls.

    Columns: `change` of the logit difference (logits), `versus_random` and `versus_shuffled` (what it is beyond that
    of each family), all with intervals; `random` and `shuffled` (mean changes), `p` (of the family that leaves less),
    `clear` (of both); `flipped` (share of the prompts answered rightly whose answer turns to the wrong one) and
    `flipped_random`, `flipped_shuffled` (mean shares); `held_out` (change on reserved templates), `smallest_effect`
    (logits) and `label_changed` (share of the texts that cost is taken from in which the label is another).
    """
    rows = []
    for judged in found.judged:
        use = judged.probed.use.get(Split.REPORT)
        for nth, (way, (effect, again)) in enumerate(judged.tested.items()):
            assert use is not None, "what is tested was measured"
            row: dict[str, object] = {"label": judged.probed.label, "way": way}
            row |= effect.effect.columns("change")
            for family, (beside, _) in judged.by_family[way].items():
                row |= beside.versus_control.columns(f"versus_{family}")
            row |= {"random": float(use.random[nth].mean()), "shuffled": float(use.shuffled[nth].mean())}
            row |= judged.flipped_by(way).columns("flipped")
            row |= {f"flipped_{name}": judged.flipped(getattr(use, name)[nth]).estimate for name in FAMILIES}
            row |= {"p": effect.p_adjusted, "clear": effect.is_clear(alpha=found.config.fdr)}
            away = judged.probed.use.get(Split.HELD_OUT)
            row["held_out"] = np.nan if away is None else float(away.changes[nth].mean())
            row["clear_on_held_out"] = again is not None and again.is_clear(alpha=found.config.fdr)
            row |= {"smallest_effect": judged.margin, "label_changed": float(use.changes_label.mean())}
            rows.append(row | {"unit": "logits"})
    return pd.DataFrame(rows)


def transfer_table(found: ProbesClaims, name: str) -> pd.DataFrame:
    """Return one row per label, family that is trained on (`ALL_OTHERS`: all but it) and family that is tested.

    Args:
        name: `templates` or `topics`.
    """
    rows = []
    for judged in found.judged:
        part: Transfer | None = getattr(judged.probed, name)
        if part is None:
            continue
        trained = zip([*part.train.tolist(), ALL_OTHERS], [*part.hits, part.left_out], strict=True)
        for train, hits in trained:
            for test in sorted(set(part.families.tolist())):
                at = part.families == test
                row: dict[str, object] = {"label": judged.probed.label, "trained_on": train, "tested_on": test}
                cell = _cell(hits[at], part.documents[at], judged)
                rows.append(row | cell.columns("score") | {"n_texts": len(set(part.documents[at].tolist()))})
    return pd.DataFrame(rows)


def _cell(hits: np.ndarray, documents: np.ndarray, judged: Judged) -> Interval:
    """Return the mean over the examples of one family, by text."""
    if np.isnan(hits).any() or len(set(documents.tolist())) < 2:
        mean = float(hits.mean())
        return Interval(mean, np.nan, np.nan)
    if judged.probed.is_number:
        return mean_interval(hits, documents, level=judged.config.level, seed=judged.config.seed, method="t")
    return bounded_interval(hits, documents, level=judged.config.level)


def calibration_table(found: ProbesClaims) -> pd.DataFrame:
    """Return one row per label: calibration error beside what chance alone makes of it, Brier score beside base rates.

    Columns: `ece` (0 to 1), `ece_of_calibrated` (exceeded by 5 in 100 calibrated probes), `brier` with its interval,
    `brier_of_base_rates`.
    """
    rows = []
    for judged in found.judged:
        part = judged.probed.calibration
        if part is None:
            continue
        error = calibration_error(part.confidence, part.right, seed=found.config.seed)
        row: dict[str, object] = {"label": judged.probed.label, "ece": error.ece}
        row |= {"ece_of_calibrated": error.of_calibrated}
        row |= judged.interval(part.brier, Split.REPORT).at().columns("brier")
        rows.append(row | {"brier_of_base_rates": float(part.brier_of_base_rates.mean())})
    return pd.DataFrame(rows)


def left_out_table(found: ProbesClaims) -> pd.DataFrame:
    """Return the labels that could not be probed, with the reason."""
    return pd.DataFrame(list(found.left_out), columns=["label", "why"])
