"""What was found of features and concepts, in words."""

import numpy as np

from interp_lab.claims import Split
from interp_lab.sae.concepts.claimed import ConceptsClaims
from interp_lab.sae.concepts.judged import Beside, Judged
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
    """Return which concepts have a feature, how features stand beside other units, and what they are worth on average.

    In brackets: the area under the ROC curve, and by how much it exceeds that of the best rival.
    """
    c, n = found.config, len(found.judged)
    lines = [f"{found.sae} of {c.model} at {found.hook}: {n} concepts, one {c.per} at a time"]
    for told, own in (("feature found", True), ("no feature found", False)):
        named = [_told(one) for one, is_found in zip(found.judged, found.found, strict=True) if is_found == own]
        if named:
            lines.append(f"{told} ({len(named)}): {', '.join(named)}")
    lines += [beside_told(found), f"on average: {averages(found)}"]
    if found.left_out:
        lines.append(f"left out: {', '.join(name.removeprefix('grammar/') for name, _ in found.left_out)}")
    again = again_told(found)
    if again:
        lines.append(again)
    lines.append("descriptive: what goes with a concept; whether the model uses it, feature_effects asks")
    return "\n".join(lines)


def beside_told(found: ConceptsClaims) -> str:
    """Return how features stand beside the best unit of every other side, of all concepts, found or not."""
    n, parts = len(found.judged), []
    for side in found.judged[0].others:
        counted = found.counted(side)
        parts.append(
            f"best {side}: better in {counted[Beside.BETTER]}, worse in {counted[Beside.WORSE]}, not clearly either in "
            f"{counted[Beside.UNCLEAR]}"
        )
    beats = [one.measured.short for nth, one in enumerate(found.judged) if found.beats_all(nth)]
    all_of = f"{len(beats)} of {n} features beat the best of every side{f' ({_listed(beats)})' if beats else ''}"
    return f"the best feature beside the {'; '.join(parts)}. {all_of}"


def again_told(found: ConceptsClaims) -> str:
    """Return how many of those found are seen again on held-out templates; nothing, where none can be."""
    asked = [told for told in (found.seen_again(nth) for nth in range(len(found.judged))) if told is not None]
    return f"seen again on held-out templates: {sum(asked)} of {len(asked)} of those found" if asked else ""


def _listed(names: list[str]) -> str:
    return ", ".join(names)


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
    """Return how many concepts have a feature, on what terms that is said, and what else does as well."""
    c, n, again = found.config, len(found.judged), again_told(found)
    told = (
        f"{int(found.found.sum())} of {n} concepts have a feature: the one chosen on other texts tells them apart "
        f"(area under the ROC curve clearly above {c.least_area:g}; 0.5 is what saying the commonest label scores) "
        "better than the best of random dictionaries as wide and as sparse, and than features chosen by shuffled "
        f"labels (false discovery rate {c.fdr:.0%} over concepts){f'; {again}' if again else ''}. Of all concepts, "
        f"found or not, paired on the same texts (false discovery rate {c.fdr:.0%} over concepts and sides together): "
        f"{beside_told(found)}. On average: {averages(found)}."
    )
    if found.rival == Kind.NEURON:
        told += " Neurons are those of the last two layers that write to this place."
    for side in found.one_unit_sides:
        counted = found.counted(side)
        if counted[Beside.BETTER] <= counted[Beside.WORSE]:
            told += f" On these concepts the autoencoder's single features are no improvement on {side}s."
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
    ks = ", ".join(k_told(found))
    return (
        f"Mean area under the ROC curve of probes that read {ks} units: {'; '.join(parts)}. Few units: those whose "
        "means differ most on the texts that train, logistic regression. All: ridge regression, its penalty chosen on "
        "inner folds of texts."
    )


def k_told(found: ConceptsClaims) -> list[str]:
    """Return how many units probes read; the full one reads no more than `n_full`."""
    c, ks = found.config, found.judged[0].measured.k
    full = "all" if found.width <= c.n_full else f"all (at most {c.n_full})"
    return [full if k == FULL else k for k in ks]


def _told(one: Judged) -> str:
    score = one.score(Kind.FEATURE).estimate
    return f"{one.measured.short} #{one.measured.feature} {score:.2f} ({one.beyond_rival.estimate:+.2f})"
