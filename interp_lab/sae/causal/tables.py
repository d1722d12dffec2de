"""What was found of features, as tables; of the report split, in the unit of the metric unless said otherwise."""

import numpy as np
import pandas as pd

from interp_lab.sae.causal.claimed import RANDOM, TOGETHER, FeatureClaims
from interp_lab.sae.causal.config import SELECTIONS
from interp_lab.sae.causal.controls import closeness
from interp_lab.sae.causal.splits import SHARES, WAYS, Way
from interp_lab.stats import bootstrap_interval
from interp_lab.types import UNMEASURED, Interval


def features_table(found: FeatureClaims) -> pd.DataFrame:
    """Return one row per chosen latent: what is lost by the first operation, beside its controls, and the grade.

    `changed` is the share of prompts on which the first operation changes something, `differs` how much of its
    activation differs between clean and corrupted prompts (0 to 1, descriptive). `random` and `borrowed` are means over
    directions as long at the same tokens, with the quantiles between which the config's share of them lies; `matched`
    the same over other latents, changed where they are active themselves and brought to the same length on each prompt:
    `matched_length` is how long they were before, and `matched_reach` how much of the length they could be brought to,
    as shares of the latent's own. `larger_than` is the share of random directions that do less.
    """
    held, chosen = found.report, found.selected.chosen
    near = closeness(held.lengths, chosen, held.matched)
    rows = []
    for nth, name in enumerate(found.names):
        row: dict[str, object] = {"feature": int(name), "fires_on": found.fires_on[nth], "changed": found.active[nth]}
        row |= (found.contrast[nth] or UNMEASURED).columns("differs")
        row |= found.effects[0].at(nth).columns("lost") | _graded(found, name)
        random = found.lost(held.random[nth])
        row |= found.band(random).columns("random") | found.band(found.lost(held.borrowed[nth])).columns("borrowed")
        row |= found.band(found.lost(held.beside[nth])).columns("matched")
        own = abs(float(found.lost(held.operations[0, nth]).mean()))
        row |= {
            "matched_length": float(near[nth]),
            "matched_reach": float(found.reached[nth]),
            "larger_than": float((np.abs(random.mean(-1)) < own).mean()),
            "writes": found.writes[nth],
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _graded(found: FeatureClaims, name: str) -> dict[str, object]:
    """Return the evidence on something that was tested; empty cells where it was not."""
    effect, again = found.evidence.get(name, (None, None))
    grade = found.grade(name)
    row: dict[str, object] = {"grade": "" if grade is None else str(grade)}
    row |= (effect.versus_control if effect else UNMEASURED).columns("versus_control")
    row |= {"p_adjusted": effect.p_adjusted if effect else np.nan}
    return row | (again.effect if again else UNMEASURED).columns("held_out")


def operations_table(found: FeatureClaims) -> pd.DataFrame:
    """Return one row per chosen latent: what each operation loses, and how far the first moves predictions (KL, nats).

    `disagree` names the operations whose effect is not clear of zero on the side of the first one's.
    """
    first = str(found.config.operations[0])
    kl = (found.interval(found.report.divergence), found.interval(found.report.divergence_matched))
    rows = []
    for nth, name in enumerate(found.names):
        row: dict[str, object] = {"feature": int(name)}
        for operation, intervals in zip(found.config.operations, found.effects, strict=True):
            row |= intervals.at(nth).columns(str(operation))
        row |= {"disagree": ", ".join(told.split(maxsplit=1)[0] for told in found.disagreeing[nth])}
        rows.append(row | kl[0].at(nth).columns(f"{first}_kl") | kl[1].at(nth).columns(f"{first}_kl_matched"))
    return pd.DataFrame(rows)


def text_table(found: FeatureClaims) -> pd.DataFrame:
    """Return one row per chosen latent: rise of the loss on text with it silent (nats per token), beside other latents.

    `versus_matched` is the difference, window by window. Intervals are over windows, several of which may be of one
    document; empty where the latent is never active on the text.
    """
    if found.text is None:
        return pd.DataFrame()
    text, c = found.text, found.config
    matched = text.controls.mean(1)
    columns = {"loss_rise": text.silent, "matched": matched, "versus_matched": text.silent - matched}
    told = {name: bootstrap_interval(values, level=c.level, seed=c.seed) for name, values in columns.items()}
    rows = []
    for nth, name in enumerate(found.names):
        row: dict[str, object] = {"feature": int(name), "density": float(text.density[nth])}
        there = bool(text.density[nth] > 0)
        for column, intervals in told.items():
            row |= (intervals.at(nth) if there else UNMEASURED).columns(column)
        rows.append(row)
    return pd.DataFrame(rows)


def patches_table(found: FeatureClaims) -> pd.DataFrame:
    """Return one row per chosen latent: the share of the total effect that patching it alone brings back, and loses."""
    shares = found.share(found.report.patched)
    return pd.DataFrame(
        [
            {"feature": int(name)}
            | {key: cell for at, way in enumerate(WAYS) for key, cell in shares.at(at, nth).columns(str(way)).items()}
            for nth, name in enumerate(found.names)
        ]
    )


def shares_table(found: FeatureClaims) -> pd.DataFrame:
    """Return what the whole activation, its features and the dictionary's error carry, as shares of the total effect.

    `interaction` is what the whole does beyond the sum of features and error. Beside the chosen features stand
    random directions, as long at every token, and random sets of as many latents of those not chosen, as long on every
    prompt; these were denoised only.
    """
    rows = []
    for nth, part in enumerate([*map(str, SHARES), "interaction"]):
        row: dict[str, object] = {"part": part, "latents": _size(found, part)}
        for at, way in enumerate(WAYS):
            row |= found.shares.at(at, nth).columns(str(way))
        rows.append(row | {"grade": ""})
    rows[3]["grade"] = _graded(found, TOGETHER)["grade"]
    total = found.report.total.mean()
    for part, draws in (
        (RANDOM, found.report.set_random),
        ("random sets of those not chosen", found.report.set_others),
    ):
        if len(draws):
            row = {"part": part, "latents": len(found.names)}
            row |= found.band(draws / total).columns(str(Way.DENOISE)) | UNMEASURED.columns(str(Way.NOISE))
            rows.append(row | {"grade": ""})
    return pd.DataFrame(rows)


def _size(found: FeatureClaims, part: str) -> float:
    """Return how many latents a part has; NaN where that is no question."""
    return float(len(found.names)) if part == str(SHARES[-1]) else np.nan


def growing_table(found: FeatureClaims) -> pd.DataFrame:
    """Return one row per set of the first latents: the share of the total effect that patching it brings back."""
    shares = found.share(found.report.growing)
    rows = []
    for nth, size in enumerate(found.steps):
        row: dict[str, object] = {"latents": size}
        for at, way in enumerate(WAYS):
            row |= shares.at(at, nth).columns(str(way))
        rows.append(row)
    return pd.DataFrame(rows)


def selection_table(found: FeatureClaims) -> pd.DataFrame:
    """Return one row per way to choose: how its scores agree with exact effects on the report split.

    `rank_correlation` is over all considered latents (of sizes); `recall` the share of the latents with the largest
    exact effects that it would have chosen, as many as were chosen, and `chance` what a random choice would find.
    """
    rows = []
    n, every = len(found.selected.chosen), len(found.selected.considered)
    for by in SELECTIONS:
        if by in found.selected.scores:
            one: Interval | None = found.correlation(by)
            row: dict[str, object] = {"by": by, "used": by == found.config.by and not found.selected.named}
            row |= (one or UNMEASURED).columns("rank_correlation")
            rows.append(row | {"recall": found.recall(by, n), "chance": n / every})
    return pd.DataFrame(rows)


def scores_table(found: FeatureClaims) -> pd.DataFrame:
    """Return one row per considered latent: its scores on the selection split, its exact effect on the report split."""
    table = pd.DataFrame({"feature": found.selected.considered})
    for by, scores in found.selected.scores.items():
        table[by.replace(" ", "_")] = scores
    exact = found.interval(found.report.alone)
    table["report"], table["report_low"], table["report_high"] = exact.estimate, exact.low, exact.high
    table["chosen"] = np.isin(np.arange(len(table)), found.selected.chosen)
    return table
