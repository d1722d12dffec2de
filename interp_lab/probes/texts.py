"""What probes found, in words."""

from collections import Counter

import numpy as np

from interp_lab.claims import Split, how_much_holds
from interp_lab.probes.claimed import ProbesClaims
from interp_lab.probes.judged import Judged, Verdict
from interp_lab.stats import mean_interval
from interp_lab.types import Interval

READ_DOES_NOT_SHOW = (
    "That the model uses what a probe reads, or has it as a variable: a probe finds whatever goes with the label. A "
    "probe that does as well on control tasks shows what probes can do; one that a bag of words equals, or a model of "
    "random weights, shows what is in the words. Where the label hangs on the context, a control task, which asks for "
    "no more than the word, is the easier one: selectivity below zero does not say that the label is not there. Texts "
    "of the report split share templates with those trained on, and most of the facts they speak of; the held-out "
    "templates share only the facts. A topic that is left out whole (of truth, the country) shares no statement. At a "
    "token that stands before the label could be known, nothing can be read in a model that reads from left to right."
)
TRANSFER_DOES_NOT_SHOW = (
    "That a family to which a probe carries over holds the label in the same way: a single direction that two families "
    "share does for both. A row of one family is trained on few texts, so that a low score may be one of too few. No "
    "text of the columns was trained on."
)
CALIBRATION_DOES_NOT_SHOW = (
    "That probabilities are right in other texts: they were fitted on the training split, by text, and hold for texts "
    "like these. Bins hold equally many examples; a calibrated probe has a calibration error above zero by chance."
)
USE_DOES_NOT_SHOW = (
    "That a label whose direction does nothing plays no part: it may be held in other directions, at other tokens, or "
    "be computed again behind this site. Taking a direction out takes its mean over prompts too. Nor does an effect "
    "show that the answer hangs on the label itself rather than on what goes with it; near the output, a direction "
    "that says the answer is used by any model."
)


def summary(found: ProbesClaims) -> str:
    """Return a line per label, and how many claims hold."""
    lines = [f"{found.config.model}: {found.config.kind} probes, {_places(found)}"]
    lines += [line_of(one) for one in found.judged]
    if found.left_out:
        lines.append(f"left out: {', '.join(label.removeprefix('grammar/') for label, _ in found.left_out)}")
    if len(found.judged) > 1:
        counted = Counter(one.verdict for one in found.judged)
        lines.append(", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict]))
    return "\n".join([*lines, holds(found)])


def holds(found: ProbesClaims) -> str:
    """Return how many claims rest on interventions that moved the answer."""
    asked = [one for one in found.judged if not one.no_behaviour]
    grades = [claim.grade for claim, one in zip(found.claims(), found.judged, strict=True) if not one.no_behaviour]
    why = None if asked else f"use ({found.judged[0].no_behaviour})"
    not_replicable = None if found.config.n_held_out is not None else "n_held_out is not set"
    return how_much_holds(grades, not_asked=why, not_replicable=not_replicable)


def line_of(judged: Judged) -> str:
    """Return what was found of one label, in a line."""
    one = judged.probed
    score = judged.scores[Split.REPORT].at(one.chosen)
    fair = not judged.unfair_controls()
    part = one.scores[Split.REPORT]
    told = (
        f"{one.label.removeprefix('grammar/')}: {judged.verdict}; {'R^2' if one.is_number else 'accuracy'} {score} at "
        f"{one.sites[one.chosen]}, commonest label {part.majority.mean():.3f}, words "
        f"{part.words[one.position_of(one.chosen)].mean():.3f}, untrained {part.untrained[:, one.chosen].mean():.3f}, "
        f"{part.was_stated.mean():.0%} of what is tested was stated in training, "
        + (f"selectivity {judged.selectivity_at_chosen}" if fair else "no selectivity: the control tasks are no match")
    )
    if judged.used_by is not None:
        way, (effect, _) = judged.used_by
        told += f"; {way}: {effect.effect} logits, {judged.flipped_by(way).estimate:.0%} of answers flip"
    elif judged.verdict in (Verdict.UNCLEAR, Verdict.NOT_USED):
        told += f"; {_largest(judged)}"
    return told


def _largest(judged: Judged) -> str:
    """Return the largest thing that acting does, beside what would be too small to matter."""
    way, (effect, _) = max(judged.tested.items(), key=lambda item: abs(item[1][0].effect.estimate))
    margin = f"the smallest effect of interest is {judged.margin:.2f}"
    if not judged.is_cost_of_label:
        margin = "not judged whether that is too little to matter, as few texts can change the label"
    return f"{way}: {effect.effect} logits ({margin})"


def read_suggests(found: ProbesClaims) -> str:
    """Return how many labels can be read, and on what terms that is said."""
    n = sum(one.verdict is not Verdict.NOT_DECODABLE for one in found.judged)
    selective = sum(one.is_selective for one in found.judged)
    unfair = sum(bool(one.unfair_controls()) for one in found.judged)
    words = sum(one.beyond("words", Split.REPORT).low > 0 for one in found.judged)
    untrained = sum(one.beyond("untrained", Split.REPORT).low > 0 for one in found.judged)
    come_by = "stated in advance" if found.config.chosen else "chosen on the select split"
    told = (
        f"{n} of {len(found.judged)} labels can be read: at the site {come_by}, the probe beats on "
        "the report split the commonest label, probes of shuffled labels and the token that is read, interval "
        f"included. {selective} beat their control tasks (a random label for every word"
        f"{f'; {unfair} have none that match' if unfair else ''}), {words} a bag of the words "
        f"up to there, {untrained} probes of models with random weights. {_places(found).capitalize()}."
    )
    stated = [float(one.probed.scores[Split.REPORT].was_stated.mean()) for one in found.judged]
    told += (
        f" Of what is tested, {_span(stated)} is of texts that say what a text of training says, in another template: "
        "there a probe may know the statement by heart."
    )
    if found.config.by_token:
        told += (
            " Only tokens count that do not give the label away: none in a slot that the label stands behind, and "
            "none of a word that a test found to go with one label; a word too rare for that may."
        )
    return told


def transfer_suggests(found: ProbesClaims, name: str) -> str:
    """Return how well probes of one family do on it and on others."""
    own, other = [], []
    for judged in found.judged:
        part = getattr(judged.probed, name)
        for train, hits in zip(part.train.tolist(), part.hits, strict=True):
            own.extend(hits[part.families == train].tolist())
            other.extend(hits[part.families != train].tolist())
    told = {
        f"Trained on one of the {name} and tested on other texts of the same": own,
        "on texts of the others": other,
    }
    means = {what: [value for value in values if value == value] for what, values in told.items()}  # NaN: no probe
    shown = [f"{what}: {sum(values) / len(values):.3f}" for what, values in means.items() if values]
    left_out = _left_out(found, name)
    if left_out is not None:
        shown.append(f"trained on all {name} but one and tested on that one: {left_out}")
    if not shown:
        return "Too few texts of a family to train on."
    told_of = "; ".join(shown)
    return f"{told_of[0].upper()}{told_of[1:]}. At the chosen site, with the penalty chosen on all of them."


def _left_out(found: ProbesClaims, name: str) -> Interval | None:
    """Return the mean score on families that were left out, by family; `None` if there are fewer than two."""
    values, families = [], []
    for judged in found.judged:
        part = getattr(judged.probed, name)
        known = ~np.isnan(part.left_out)
        values.append(part.left_out[known])
        families += [f"{judged.probed.label} {family}" for family in part.families[known].tolist()]
    if len(set(families)) < 2:
        return None
    return mean_interval(
        np.concatenate(values), np.array(families), level=found.config.level, seed=found.config.seed, method="t"
    )


def use_suggests(found: ProbesClaims) -> str:
    """Return how many labels are used, and on what terms that is said."""
    asked = [one for one in found.judged if not one.no_behaviour]
    why = dict.fromkeys(f"{one.probed.label}: {one.no_behaviour}" for one in found.judged if one.no_behaviour)
    told = ""
    if asked:
        used = sum(one.verdict is Verdict.USED for one in asked)
        told = (
            f"{used} of {len(asked)} labels are used where they are read: without the direction, or moved along it, "
            "the model prefers the expected answer less, by more than "
            f"{found.config.smallest_effect:.0%} of what changing the label in the text costs, and by that much "
            "more than along random directions as long and along directions of shuffled labels, whose spread counts. "
            "Not used is said only where the effect itself and its differences from both families are surely smaller "
            "than that. Prompts are of texts on which no probe was trained; the model is acted upon "
            f"{'at every token of them' if found.config.by_token else 'at the token that was read'}. "
        )
        unlike = [one.probed.label for one in asked if not one.is_cost_of_label]
        if unlike:
            told += (
                f"Of {', '.join(unlike)} the grammar cannot change the label in enough texts, so that it is never "
                "called not used. "
            )
    return told + ("" if not why else f"Not asked of {'; '.join(why)}.")


def _span(shares: list[float]) -> str:
    """Return the shares of several labels, from the least to the largest."""
    least, most = min(shares), max(shares)
    return f"{least:.0%}" if round(least, 2) == round(most, 2) else f"{least:.0%} to {most:.0%}"


def _places(found: ProbesClaims) -> str:
    c = found.config
    return f"read at {', '.join(c.positions)}" if not c.by_token else f"read at {c.positions[0]} tokens"
