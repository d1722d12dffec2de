"""What was found, in words."""

import math

import numpy as np

from interp_lab.claims import Grade, Split, how_much_holds
from interp_lab.effects.confirming import how_chosen
from interp_lab.production.counterfactuals.choice import AnyValue
from interp_lab.production.counterfactuals.claimed import CounterfactualClaims
from interp_lab.production.counterfactuals.proposals import METHODS
from interp_lab.production.counterfactuals.tables import fairness_of, truth_of
from interp_lab.stats.shares import HOW_SHARES

METHODS_DO_NOT_SHOW = (
    "That no smaller flip exists where a search found none: sets of edits grow from the best few, and words of the "
    "tokenizer are tried as far as they are ranked first. That an edit is one a person would make: plausibility is the "
    "model's own, and a deletion or a word of the gradient may leave a text that nobody writes. Nor how the model "
    "comes to its answer."
)
TESTED_DO_NOT_SHOW = (
    "What values do that are not put in, and what attributes do together. A share depends on how texts are drawn: of "
    "texts that are decided clearly fewer flip. Whether an attribute should decide is declared, not measured."
)
FAIRNESS_DOES_NOT_SHOW = (
    "That a model is fair where few texts flip: the protected attribute may still move the odds, and others that are "
    "not declared may stand in for it. A text has no group: values tell of one, and the model may go by words alone."
)
TRUTH_DOES_NOT_SHOW = (
    "How good the search is where no rule is known. What the rule does not have may be a true flip of the model, which "
    "is not the rule: precision and recall judge both together."
)


def summary(found: CounterfactualClaims) -> str:
    """Return what was found, in a few lines; the last one says how much is claimed, or why nothing."""
    c = found.config
    lines = [f"{c.behaviour} in {c.model}: texts that flip within {c.most_edits} edits"]
    held = found.report
    for nth, method in enumerate(held.found.methods):
        share = found.interval(np.isfinite(held.found.size[nth]).astype(float), held.texts.template)
        random = found.interval(held.found.random[nth], held.texts.template)
        lines.append(f"{method}: {share}, random edits of the same size {random}")
    lines += [said(found, nth) for nth in range(len(found.chosen))]
    lines += [fairness_said(found, nth) for nth in range(len(held.fair.names))]
    if held.truth is not None:
        lines.append(f"against the rule, by values of attributes: {truth_said(found)}")
    return "\n".join([*lines, holds(found)])


def said(found: CounterfactualClaims, nth: int) -> str:
    """Return what changing an attribute does, in words."""
    one = found.chosen[nth]
    kind = f"some other {one.attribute}" if isinstance(one, AnyValue) else f"changing {one.attribute}"
    told = f"{kind} flips the answer in {found.share(one)} of the texts, random edits in {found.control(one)}"
    return told if found.held_out is None else f"{told}; on held-out templates in {found.share(one, Split.HELD_OUT)}"


def fairness_said(found: CounterfactualClaims, nth: int) -> str:
    """Return what changing a protected attribute alone does, in words."""
    name, own = found.report.fair.names[nth], fairness_of(found, Split.REPORT, nth)
    told = f"only {name} changed: the answer flips in {own['any value flips']} of the texts"
    if np.isfinite(own["difference"].estimate):
        other = found.config.against or "the other model"
        told += f", in {other} in {own['the same in the other model']}"
    if np.isfinite(own["across minus within"].estimate):
        across, within = own["values of another group"], own["values of the same group"]
        told += f"; by values that tell of another group {across}, of the same {within}"
    return told


def holds(found: CounterfactualClaims) -> str:
    """Return how much is claimed, or why nothing."""
    grades: list[Grade] = [claim.grade for _, claim in found.graded]
    why = found.not_replicable if found.config.n_held_out is not None else "none were asked for"
    return how_much_holds(grades, not_asked=found.not_asked, not_replicable=why)


def methods_suggest(found: CounterfactualClaims) -> str:
    """Return how searches were made, and what each found."""
    c = found.config
    every = "; ".join(f"{name}: {METHODS[name]}" for name in c.methods)
    return (
        f"Every single edit of a text is read; where none flips the answer, sets grow from the best, to {c.most_edits} "
        f"edits at most, and each edit of a flip is needed: without it the answer returns. {every}. Flips are ranked "
        f"by the turn that was measured; what the gradient foretells stands beside it. {HOW_SHARES}"
    )


def tested_suggest(found: CounterfactualClaims) -> str:
    """Return what was tested, and what is clear."""
    told = ". ".join(said(found, nth) for nth in range(len(found.chosen))) or found.not_asked or ""
    return f"Values {how_chosen(found.config.chosen)}, put into other texts. {told}. {holds(found)}."


def fairness_suggests(found: CounterfactualClaims) -> str:
    """Return what protected attributes do alone."""
    kept = f" ({', '.join(found.legitimate)} among it)" if found.legitimate else ""
    told = ". ".join(fairness_said(found, nth) for nth in range(len(found.report.fair.names)))
    return f"All else{kept} stays as it is. {told}."


def truth_suggests(found: CounterfactualClaims) -> str:
    """Return how far found flips are those of the rule."""
    return (
        "Smallest flips by values of attributes, beside those that the rule behind the texts has: precision, the share "
        "of found ones that are true and smallest; recall, of true flips by a single edit; and whether the sizes are "
        f"the same. {truth_said(found)}."
    )


def truth_said(found: CounterfactualClaims) -> str:
    """Return how far flips are those of the rule, those that were measured and those that the gradient foretells."""
    parts = []
    for label, truth in (("", found.report.truth), ("of flips foretold by the gradient ", found.report.foretold)):
        assert truth is not None, "the caller asks only where there is a rule"
        known = {name: one for name, one in truth_of(found, Split.REPORT, truth).items() if math.isfinite(one.estimate)}
        parts.append(label + (", ".join(f"{name} {one}" for name, one in known.items()) or "nothing can be compared"))
    return "; ".join(parts)
