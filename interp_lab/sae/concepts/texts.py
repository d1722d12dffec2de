"""What was found of features and concepts, in words."""

from collections import Counter

import numpy as np

from interp_lab.claims import Split
from interp_lab.sae.concepts.judged import ConceptsClaims, Judged, Verdict
from interp_lab.sae.concepts.measured import FULL
from interp_lab.sae.concepts.sides import Kind

BEST_DOES_NOT_SHOW = (
    "That the model uses a feature, or the concept: nothing was changed here. What ablating or steering a feature does "
    "is measured by the experiment feature_effects. Nor that a feature stands for nothing else, or that a concept "
    "without a feature is not there: it may be held by several, or fire elsewhere than at the tokens that count here "
    "(those from the first word on that could give it away, but not such words themselves). A sparse feature that "
    "fires at one token of a text cannot tell the other tokens apart; the setting per=text asks about texts. Nor that "
    "the concept is computed: what the words of a text say together can be read off untrained models too, which the "
    "experiment probes measures. Texts of the report split share templates with those that chose; intervals there are "
    "over texts, and on held-out templates over these few templates."
)
CHOOSING_DOES_NOT_SHOW = (
    "Which unit is best: another draw of texts may choose another one of about the same score. The more units there "
    "are to choose from, the more the best one flatters itself; what shuffled labels reach on the texts that chose is "
    "that alone."
)
PROBES_DO_NOT_SHOW = (
    "That the model reads these units together. Units are ranked by the difference of their means as they are, so that "
    "units of large scale come first, and a probe of few is not the best of that size. A probe of all units of a wide "
    "dictionary of random directions does well wherever one of all coordinates does: it has the same activations."
)


def summary(found: ConceptsClaims) -> str:
    """Return a line per verdict, and what single features are worth on average."""
    c = found.config
    lines = [f"{found.sae} of {c.model} at {found.hook}: {len(found.measured)} concepts, one {c.per} at a time"]
    for verdict in Verdict:
        named = [_told(one) for one, own in zip(found.judged, found.verdicts, strict=True) if own is verdict]
        if named:
            lines.append(f"{verdict} ({len(named)}): {', '.join(named)}")
    lines.append(f"on average: {averages(found)}")
    if found.left_out:
        lines.append(f"left out: {', '.join(name.removeprefix('grammar/') for name, _ in found.left_out)}")
    again = [found.seen_again(nth) for nth in range(len(found.judged))]
    asked = [one for one in again if one is not None]
    if asked:
        lines.append(f"seen again on held-out templates: {sum(asked)} of {len(asked)} of those found")
    lines.append("descriptive: what goes with a concept; whether the model uses it, feature_effects asks")
    return "\n".join(lines)


def averages(found: ConceptsClaims) -> str:
    """Return the mean score of each side over concepts, and of the difference."""
    parts = []
    for side in found.judged[0].measured.sides:
        parts.append(f"{side} {np.mean([one.score(side).estimate for one in found.judged]):.3f}")
    random = np.mean([one.measured.scores[Split.REPORT].random.mean() for one in found.judged])
    dense = np.mean([one.probe(Kind.COORDINATE, FULL).estimate for one in found.judged])
    beside = np.array([one.beyond_rival.estimate for one in found.judged])
    over = found.over_concepts(beside)
    difference = f"{beside.mean():+.3f}" if np.isnan(over.low) else str(over)
    rival = found.judged[0].rival
    return f"{', '.join(parts)}, random feature {random:.3f}, probe {dense:.3f}; feature less {rival} {difference}"


def best_suggests(found: ConceptsClaims) -> str:
    """Return how many concepts have a feature, and on what terms that is said."""
    counted, c = Counter(found.verdicts), found.config
    n, rival = len(found.judged), found.judged[0].rival
    told = (
        f"{n - counted[Verdict.NOT_FOUND]} of {n} concepts have a feature: the one chosen on other texts tells them "
        "apart (area under the ROC curve above 0.5, which is what saying the commonest label scores) better than "
        "the best of random dictionaries as wide and as sparse, and than features chosen by shuffled labels. Of these, "
        f"{counted[Verdict.BETTER]} are better than the best {rival}, {counted[Verdict.WORSE]} worse, "
        f"{counted[Verdict.AS_GOOD]} not clearly either (paired difference on the same texts, false discovery rate "
        f"{c.fdr:.0%} over concepts). On average: {averages(found)}."
    )
    if found.judged[0].rival == Kind.NEURON:
        told += " Neurons are those of the last two layers that write to this place."
    if counted[Verdict.BETTER] <= counted[Verdict.WORSE]:
        told += f" On these concepts the autoencoder's single features are no improvement on {rival}s."
    return told


def choosing_suggests(found: ConceptsClaims) -> str:
    """Return by how much choosing flatters."""
    measured = [one.measured for one in found.judged]
    lost = [float(one.chosen[0]) - float(one.scores[Split.REPORT].best[0].mean()) for one in measured]
    null = float(np.mean([one.chosen_shuffled.mean() for one in measured]))
    after = float(np.mean([one.scores[Split.REPORT].shuffled.mean() for one in measured]))
    return (
        f"From the texts that chose to others, the best features lose {np.mean(lost):.3f} on average (at most "
        f"{max(lost):.3f}). The same done with labels that are shuffled among texts gives {null:.3f} on the texts that "
        f"chose, and {after:.3f} on the others: the first is what choosing alone makes, and this is what is left of it."
    )


def probes_suggest(found: ConceptsClaims) -> str:
    """Return what few units together do."""
    parts = []
    for side in found.judged[0].measured.probed:
        means = [np.mean([one.probe(side, k).estimate for one in found.judged]) for k in found.judged[0].measured.k]
        told = ", ".join(f"{mean:.3f}" for mean in means)
        parts.append(f"{side}s {told}")
    ks = ", ".join(found.judged[0].measured.k)
    return (
        f"Mean area under the ROC curve of probes that read {ks} units: {'; '.join(parts)}. Few units: those whose "
        "means differ most on the texts that train, logistic regression. All: ridge regression, its penalty chosen on "
        "inner folds of texts."
    )


def _told(one: Judged) -> str:
    score = one.score(Kind.FEATURE).estimate
    return f"{one.measured.short} #{one.measured.feature} {score:.2f} ({one.beyond_rival.estimate:+.2f})"
