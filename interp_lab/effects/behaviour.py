"""Is there a behaviour to carry, and are there enough templates to say so? What has to hold before anything is claimed.

Whatever changes a metric on average can be patched, and gets effects with intervals clear of zero: a model that prefers
the wrong answer, or a KL divergence, which is there in any model. Claims speak of the answer, and need one.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from interp_lab.effects.metric_names import COSTS
from interp_lab.effects.parts import Part
from interp_lab.effects.untouched import Untouched
from interp_lab.effects.values import metric_values
from interp_lab.stats import feasible_test, mean_interval, paired_difference
from interp_lab.tasks import Pairs
from interp_lab.types import HookedModel


def preference(model: HookedModel, pairs: Pairs) -> Float[np.ndarray, " example"]:
    """Return the logit difference of right and wrong answers on the clean prompts minus that on the corrupted ones.

    Above zero where the model tells the two prompts apart in favour of the answer (logits). Of answers of several
    tokens, the log odds of the first ones (nats).
    """
    if pairs.single_token:
        runs, metric = (pairs.clean, pairs.corrupted), pairs.logit_difference()
        clean, corrupted = (metric_values(model, tokens, metric, mask=pairs.mask) for tokens in runs)
        return clean - corrupted
    total = np.zeros(len(pairs))
    for side, spoken in ((1, pairs.teacher_forced()), (-1, pairs.teacher_forced(wrong=True))):
        metric = spoken.log_probability()
        for sign, tokens in ((1, spoken.clean), (-1, spoken.corrupted)):
            total += side * sign * metric_values(model, tokens, metric, mask=spoken.mask)
    return total


def untouched(model: HookedModel, part: Part, *, is_cost: bool) -> Untouched:
    """Run both prompts of every pair.

    Args:
        is_cost: whether the metric is one of `COSTS`, by which alone nothing is claimed.
    """
    clean, corrupted = (
        metric_values(model, tokens, part.metric, mask=part.pairs.mask)
        for tokens in (part.pairs.clean, part.pairs.corrupted)
    )
    prefers = preference(model, part.pairs) if is_cost else np.full(len(part.pairs), np.nan)
    return Untouched(clean, corrupted, np.array(part.pairs.templates), prefers)


def lacks_behaviour(split: Untouched, *, metric: str, unit: str, least: float, level: float, seed: int) -> str | None:
    """Return why the pairs of a split show no behaviour whose carriers could be asked for; `None` if they do.

    The corruption must cost something clear of zero, in the direction that the metric calls better: costs must rise,
    and anything else fall. For costs, the model must besides prefer the answer more clearly on the clean prompts. By
    how much, is asked where that is measured in logits: of the logit difference itself, and of that beside costs.

    Args:
        least: that it must cost of the logit difference (logits); see `config.AnswerConfig`.
    """
    total = mean_interval(split.total, split.clusters, level=level, seed=seed)
    if not total.excludes(0.0):
        return f"the corruption costs {total} {unit}, which covers zero, so that there is nothing to bring back"
    if (total.estimate < 0) != (metric in COSTS):
        return f"by {metric} it is the corrupted prompts that come out better: the corruption costs {total} {unit}"
    few = f"too little to be called a behaviour ({least:g})"
    if metric == "logit_difference" and total.estimate < least:
        return f"the corruption costs {total} {unit}, which is {few}"
    if metric not in COSTS:
        return None
    prefers = mean_interval(split.preference, split.clusters, level=level, seed=seed)
    if prefers.low > 0 and prefers.estimate >= least:
        return None
    return (
        f"{metric} does not compare right with wrong answers, and of the logit difference between them the corruption "
        f"costs {prefers} logits, which is {few if prefers.low > 0 else 'not clear of zero'}"
    )


def too_few_templates(split: Untouched, *, n_tests: int, fdr: float) -> str | None:
    """Return why no test over the templates of a split could reject; `None` if one can."""
    n_clusters = len(set(split.clusters.tolist()))
    nothing = np.zeros_like(split.total)[None]
    test = feasible_test(n_clusters, n_tests=n_tests)
    if paired_difference(nothing, nothing, split.clusters, test=test).smallest_p < fdr:
        return None
    return f"{n_clusters} templates cannot reject at {fdr:.0%}"


def why_not_asked(
    split: Untouched, *, metric: str, unit: str, least: float, n_tests: int, fdr: float, level: float, seed: int
) -> str | None:
    """Return why nothing can be claimed on a split: no behaviour, or templates too few to tell; `None` if it can."""
    lacking = lacks_behaviour(split, metric=metric, unit=unit, least=least, level=level, seed=seed)
    return lacking or too_few_templates(split, n_tests=n_tests, fdr=fdr)


def why_not_replicable(held_out: Untouched | None, asked: Callable[[Untouched], str | None]) -> str | None:
    """Return why nothing can be replicated on held-out templates; `None` if it can.

    Args:
        asked: why nothing could be claimed on a split; see `why_not_asked`.
    """
    if held_out is None:
        return "there are none"
    if not held_out.has_templates:
        return "there is one, whose pairs cannot speak for others"
    return asked(held_out)
