"""What a sweep found, in words."""

import math
from collections.abc import Sequence

import numpy as np

from interp_lab.sweeps.config import number_text
from interp_lab.sweeps.found import Found
from interp_lab.sweeps.pareto import SECONDS
from interp_lab.sweeps.searched import FAILED, RUNNING, STOPPED
from interp_lab.sweeps.shrinkage import Remeasured, expected_maximum
from interp_lab.types import Interval

SEARCHED_DOES_NOT_SHOW = (
    "How good the best setting is. Its value was chosen for being the best of all those tried, and chance between runs "
    "is part of why it is: read the last section for what is left of it. Nor that no better setting exists outside of "
    "what was searched, or between the values that were tried. Trials that failed or were stopped early have no value "
    "to compare, and may have failed because of their setting."
)
SETTINGS_DO_NOT_SHOW = (
    "That a parameter is why trials differ. Trials differ in all parameters at once, each was run with one seed, and a "
    "search that learns from its trials tries more of what did well, so that values stand beside each other that were "
    "not tried alike."
)
FRONT_DOES_NOT_SHOW = (
    "That the trials on the front would be on it with another seed: each was run once, and the front, like the best "
    "trial, is chosen for what came out well. Time depends on what else the machine was doing."
)
IMPORTANCE_DOES_NOT_SHOW = (
    "What changing a parameter would do. It says where the values of the better half lie, not which way is better, "
    "nothing of parameters that act only together, and nothing outside of what was searched; a parameter that does not "
    "stand out may matter all the same. Trials that failed or were stopped are left out. Shuffling supposes that no "
    "trial's values were chosen by the metric of another: a search that learns draws values unevenly and gets better "
    "meanwhile, so that the values that it came to stand beside good metrics whether or not they are why."
)
HELD_OUT_DOES_NOT_SHOW = (
    "What another task, model or text would give. Seeds vary what an experiment draws, not which examples there are: "
    "both folds come from the same source, and intervals over so few seeds are wide. The base is one config that "
    "nothing was chosen by, not the best that could be had without a search."
)


def interval(one: Interval) -> str:
    """Return an interval as text, in digits that tell small numbers from nothing; or that there is none."""
    if math.isnan(one.low):
        return f"{number_text(one.estimate)} (no interval)"
    return f"{number_text(one.estimate)} [{number_text(one.low)}, {number_text(one.high)}]"


def number_of(n: int, what: str) -> str:
    """Return a number of things in words, such as `1 trial`."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def selected(found: Found) -> str:
    """Return the best value with how many it was chosen among; what is shown nowhere without it."""
    if found.best is None:
        return f"none of {number_of(len(found.searched.numbers), 'trial')} has a {found.config.metric}"
    s = found.searched
    value = number_text(s.metric[found.best])
    tied = f"; {found.n_tied} are equally good" if found.n_tied > 1 else ""
    among = "the only one that can be compared" if s.n_comparable == 1 else f"the best of {s.n_comparable}{tied}"
    return f"{found.config.metric} {value} in trial {s.numbers[found.best]} ({among})"


def summary(found: Found) -> str:
    """Return what was found, in a few lines."""
    lines = [f"{found.config.name}: {counted(found)}", f"best in the search: {selected(found)}"]
    if found.best is not None:
        values = found.searched.values[found.best]
        lines.append(
            "with "
            + (", ".join(f"{found.known[nth].name}={found.known[nth].text_of(values[nth])}" for nth in found.varied)
               or "the only setting that was tried")
        )  # fmt: skip
    return "\n".join([*lines, important(found), held_out(found)])


def counted(found: Found) -> str:
    """Return how many trials there are of each kind."""
    s = found.searched
    n = number_of(len(s.numbers), "trial")
    told = [f"{n} ({found.config.method} search), {s.n_comparable} with a value"]
    kinds = {"stopped early": STOPPED, "failed": FAILED, "not ended": RUNNING}
    return ", ".join(told + [f"{len(s.ended(state))} {kind}" for kind, state in kinds.items() if len(s.ended(state))])


def searched_suggests(found: Found) -> str:
    """Return what was searched and what came of it."""
    goal = "more" if found.config.goal == "maximize" else "less"
    retried = int((found.searched.attempts > 1).sum())
    told = f"{counted(found).capitalize()}. By {found.config.metric} ({goal} is better): {selected(found)}."
    if "early_terminate" in found.config.definition and not len(found.searched.ended(STOPPED)):
        told += (
            f" Early termination, which goes by what trials log as {found.config.metric} while they run, stopped none."
        )
    return told + (f" {retried} took more than one attempt." if retried else "")


def settings_suggest(found: Found) -> str:
    """Return how far trials lie apart."""
    s, metric = found.searched, found.config.metric
    values = s.metric[s.comparable]
    if not len(values):
        return "No trial has a value: only what was tried is shown."
    if np.ptp(values) == 0:
        every = "All trials" if len(values) > 1 else "The one trial"
        return f"{every} with a value came to {metric} {number_text(values[0])}: nothing tells settings apart."
    low, middle, high = (number_text(value) for value in np.quantile(values, [0, 0.5, 1]))
    return f"{metric} runs from {low} to {high} over {number_of(len(values), 'trial')}, with a median of {middle}."


def front_suggests(found: Found) -> str:
    """Return how many trials are on the front."""
    if not found.objectives:
        return f"Nothing to weigh the metric against.{_unknown(found)}"
    against = " and ".join(map(str, found.objectives))
    n, of = int(found.front.sum()), int(np.isfinite(found.gains).all(1).sum())
    be = "is" if n == 1 else "are"
    told = f"{n} of {number_of(of, 'trial')} {be} beaten by no other in {found.config.metric} and {against} at once."
    if len(found.objectives) > 1:
        told += " The figure shows two of three: a trial on the front may look beaten where the third is not drawn."
    again = int((found.front & (found.searched.attempts > 1)).sum())
    if again and SECONDS in (one.name for one in found.objectives):
        told += (
            f" Of {number_of(again, 'trial')} on the front only the last of several attempts is timed, which may have "
            "begun where an earlier one broke off."
        )
    return told + _unknown(found)


def _unknown(found: Found) -> str:
    if not found.unknown_objectives:
        return ""
    return f" Asked for, and in no trial: {', '.join(found.unknown_objectives)}."


def important(found: Found) -> str:
    """Return which parameters tell good trials from others, or that too few trials were made to say."""
    held = found.importance
    if held is None:
        return f"Importance of parameters is not estimated: {found.not_ranked}."
    n = number_of(found.searched.n_comparable, "trial")
    clear = {name: p for name, stands, p in zip(held.names, held.stands_out, held.adjusted_p, strict=True) if stands}
    unclear = [name for name in held.names if name not in clear]
    told = []
    if clear:
        named = ", ".join(f"{name} (adjusted p {number_text(p)})" for name, p in clear.items())
        told.append(f"Over {n}, the better half has other values than the rest in {named}")
    if unclear:
        told.append(
            f"{'for' if clear else 'For'} {', '.join(unclear)} {n} say little: a shuffled metric often gives as much"
        )
    if found.config.method == "bayes":
        return "; ".join(told) + ". The search learned from its trials, and p supposes that it did not."
    return "; ".join(told) + "."


def held_out(found: Found) -> str:
    """Return what is left of the winner on the held-out fold."""
    if found.best is None:
        return "Nothing was chosen, so that nothing was measured again."
    held = found.remeasured
    own = [one.metric for one in found.again if one.name == "winner" and one.metric is not None]
    if held is None and own:
        return _incomparable(found, own)
    if held is None:
        failed = sorted({one.reason for one in found.again if one.reason})
        why = f"every run of it failed ({'; '.join(failed)})" if failed else found.config.no_held_out or "not asked for"
        return f"The winner was not measured on held-out examples: {why}. Its value in the search says too much."
    s, sign, k = found.searched, found.config.sign, len(held.winner)
    better, worse = held.difference.low > 0, held.difference.high < 0
    verdict = "better than" if better else "worse than" if worse else "not clearly better or worse than"
    trial = f"trial {s.numbers[found.best]}, chosen among {s.n_comparable},"
    lost = len({one.seed for one in found.again if one.fold == "held_out"}) - k
    told = (
        f"On held-out examples the setting of {trial} is {verdict} "
        f"the config without it: {found.config.metric} {number_text(sign * held.winner.mean())} against "
        f"{number_text(sign * held.base.mean())}, better by {interval(held.difference)} over {number_of(k, 'seed')}."
    )
    told += _without_chance(held)
    return told + (f" Left out: {number_of(lost, 'seed')} of which a run failed." if lost else "")


def _incomparable(found: Found, own: Sequence[float]) -> str:
    """Return what the winner came to where no seed has a value of both."""
    failed = sorted({one.reason for one in found.again if one.name == "base" and one.reason})
    return (
        f"On held-out examples the setting of trial {found.searched.numbers[found.best]}, chosen among "
        f"{found.searched.n_comparable}, came to {found.config.metric} {number_text(float(np.mean(own)))} over "
        f"{number_of(len(own), 'seed')}; there is nothing to compare it with, for the config without it has no value "
        f"there ({'; '.join(failed)})."
    )


def _without_chance(held: Remeasured) -> str:
    """Return why there is no interval where there were several seeds."""
    if len(held.winner) > 1 and (held.winner == held.base).all():
        return " The two came to the same values on every seed: what was chosen changes nothing here."
    if held.is_same_on_every_seed:
        return " Every seed gave the same values, so that this is one measurement, and chance is not measured."
    if len(held.winner) > 1 and math.isnan(held.difference.low):
        return " The difference is the same on every seed, which says nothing of how far chance reaches."
    return ""


def shrunk(found: Found) -> str:
    """Return how much better the winner looked in the search, beside the base and beside pure selection."""
    held = found.remeasured
    if held is None:
        return ""
    told = f" In the search the winner looked better than there by {interval(held.shrinkage)}"
    if not math.isnan(held.base_search):
        told += (
            f", the config without it by {interval(held.shrinkage_of_base)}: beyond what the other fold does to a "
            f"config that nothing was chosen by, {interval(held.excess)}"
        )
    n = found.searched.n_comparable
    if n > 1 and held.spread > 0 and not held.is_same_on_every_seed:
        luck = expected_maximum(n) * held.spread
        told += (
            f". If all {n} settings were equally good, the best of them would look better than it is by "
            f"{number_text(luck)} on average ({expected_maximum(n):.2f} standard deviations between seeds), and by "
            "less as far as trials, which share a seed, share their luck"
        )
    if math.isnan(held.shrinkage.low):
        return f"{told}."
    return f"{told}. Intervals of what looked better allow for the chance of the one run in the search."
