"""What was found of a dictionary's features, in words."""

import numpy as np

from interp_lab.sae.features.combination import PAIR, SINGLE, WORDS, Combination
from interp_lab.sae.features.config import SaeFeaturesConfig
from interp_lab.sae.features.differing import Difference
from interp_lab.sae.features.monitored import monitors_line
from interp_lab.sae.features.overview import Overview
from interp_lab.sae.features.reported import (
    accuracy,
    largest_effects,
    less_than_pair,
    mean_active_per_token,
    n_units,
    told_effect,
)

N_TOLD = 3
"""Features named for each comparison."""

FEATURES_DO_NOT_SHOW = (
    "That a feature is what its examples suggest: they are a choice of tokens at which it is active, and say nothing "
    "of when it is silent. Nor that the model uses it: nothing was changed here. What a direction does to the logits "
    "is read off weights, as if nothing stood between the hook point and the final norm."
)
DIFFERENCES_DO_NOT_SHOW = (
    "That the model tells the texts apart by these features, or that a feature stands for what the texts differ in: "
    "it may follow words that go with it. Features that are read at a word which differs say no more than the word. "
    "The interval takes the spread of documents as known."
)
COMBINATION_DOES_NOT_SHOW = (
    "That the model decides by these features: others may say the same, and the classifier took what lowers its loss "
    "most. A single feature that does as well as two may be where the model has put two contexts together already. "
    "Where a bag of words does as well, the label can be told from the prompt without any model."
)


def summary(
    config: SaeFeaturesConfig,
    overview: Overview,
    differences: tuple[Difference, ...],
    combined: tuple[Combination, ...],
) -> str:
    """Return what was found, in a few lines."""
    lines = [_features_line(overview)]
    for one in differences:
        lines.append(f"{one.name}, {one.reading}: {_difference_line(one, config)}")
    lines += [_combination_line(one, config) for one in combined]
    lines += [monitors_line(one.monitors, level=config.level) for one in combined if one.monitors is not None]
    return "\n".join([*lines, "all of this is descriptive: nothing was changed in the model"])


def _features_line(overview: Overview) -> str:
    density = overview.numbers["density"][~overview.dead]
    return (
        f"{overview.name} at {overview.hook}: {len(overview.dead)} features on {overview.n_tokens} tokens, "
        f"{mean_active_per_token(overview):.1f} active at a token; {int(overview.dead.sum())} never active, median "
        f"density of the others {np.median(density) if len(density) else 0.0:.2%}"
    )


def _difference_line(one: Difference, config: SaeFeaturesConfig) -> str:
    if not one.chosen.n_clear:
        return f"none of {one.chosen.n_tested} features differs clearly"
    again = one.holds(fdr=config.fdr)
    told = ", ".join(f"{latent} ({told_effect(effect)})" for latent, effect in largest_effects(one, N_TOLD))
    found = f"{sum(word != 'no' for word in again)} of the {len(again)} largest found again on the other half"
    if one.held_out is not None:
        found += f", {sum('held-out' in word for word in again)} also on held-out templates"
    return f"{one.chosen.n_clear} of {one.chosen.n_tested} features differ; {told}; {found}"


def _combination_line(one: Combination, config: SaeFeaturesConfig) -> str:
    single, pair, words = (accuracy(one.tested, name, one.names, level=config.level) for name in (SINGLE, PAIR, WORDS))
    gain = less_than_pair(one, SINGLE, level=config.level)
    return (
        f"{one.values[1]} from {one.reading} values, {one.tested_on}: best feature {single}, two features {pair} "
        f"({'more' if gain.low > 0 else 'not clearly more'}: {gain}), bag of words {words}"
    )


def features_suggest(config: SaeFeaturesConfig, overview: Overview) -> str:
    """Return how often features are active, and how many are of one token."""
    alive = ~overview.dead
    share = overview.numbers["top_token_share"][alive]
    sampled = "all of them" if overview.n_sampled == overview.n_tokens else f"{overview.n_sampled} of them, at random"
    return (
        f"{_features_line(overview)}. Half or more of what {int((share >= 0.5).sum())} of {int(alive.sum())} features "
        f"say is said at one token. Read: {overview.n_tokens} tokens of {overview.n_documents} documents (token counts "
        f"and co-activation: {sampled}). Examples are of different documents. {_middle(config.describe.n_quantiles)} "
        "Every feature: `FeatureStore.open(RUN/features)`."
    )


def _middle(n_quantiles: int) -> str:
    if n_quantiles < 2:
        return "`middle` is empty: it takes two quantile bins or more."
    return f"`middle` is drawn from the second of {n_quantiles} equal parts of active values, from above."


def differences_suggest(config: SaeFeaturesConfig, found: list[Difference]) -> str:
    """Return which features of one set of texts were chosen, and how far they were found again."""
    one = found[0]
    c = config.differences
    lines = [f"{kind.reading}: {_difference_line(kind, config)}." for kind in found]
    away = "" if one.held_out is None else " and on held-out templates"
    how = (
        f"Features that are active on the choosing half ({one.chosen.n_tested}) were tested there, p corrected over "
        f"them (Benjamini and Hochberg, {config.fdr:.0%}, in each comparison by itself); the {c.n_shown} largest "
        f"effects among the clear ones were looked at again on the other half{away}, over {n_units(one)} {one.unit}s, "
        f"with p corrected over these. {_tested(one)} d is in standard deviations of documents."
    )
    fit = ""
    if abs(one.r2[0] - one.r2[1]) > 0.05:
        fit = (
            f" The dictionary reconstructs {one.r2[0]:.0%} of the variance on one side and {one.r2[1]:.0%} on the "
            "other: what it does not reconstruct may differ as well."
        )
    return f"{' '.join(lines)} {how}{fit}"


def _tested(one: Difference) -> str:
    """Return which test a comparison was made by, and what it could not do."""
    chosen = one.chosen
    if not chosen.test:
        return "No feature was active."
    told = f"Test on the choosing half: {chosen.test}"
    if chosen.smallest_p > 0:
        told += f", which cannot give one feature a p below {chosen.smallest_p:.2g}"
    return f"{told}."


def combination_suggests(config: SaeFeaturesConfig, combined: tuple[Combination, ...], *, hook: str) -> str:
    """Return what few features tell, beside one of them and beside words."""
    lines = [_combination_line(one, config) for one in combined]
    joined = ""
    if not any(less_than_pair(one, SINGLE, level=config.level).low > 0 for one in combined):
        joined = (
            " Two features are not clearly better than one: this says nothing of how the contexts come together, which "
            f"may have happened before {hook}; read an earlier layer."
        )
    return (
        f"{'. '.join(lines)}.{joined} Features were added one by one on the training half, all candidates of a step "
        "fitted with those that were there; their number was chosen on inner folds of whole templates. Shuffled "
        "labels: as many features, for what can be had by chance. Where all held-out templates agree there is no "
        "spread over them, and their texts count as independent. "
        f"{_warned(config, combined)}"
    ).strip()


def _warned(config: SaeFeaturesConfig, combined: tuple[Combination, ...]) -> str:
    """Return how well directions warn, where they were tried."""
    lines = [monitors_line(one.monitors, level=config.level) for one in combined if one.monitors is not None]
    return "".join(
        f"{line[0].upper()}{line[1:]}; a context alone stands for the best that any monitor could do which knows "
        "nothing else."
        for line in lines
    )
