"""The figures on the card of an organism that learned the grammar, and what they must come to."""

from collections.abc import Mapping
from dataclasses import dataclass

from interp_lab.stats import bounded_interval, mean_interval
from interp_lab.training.card import CardRow, Target
from interp_lab.training.conduct import SPLITS, Conduct
from interp_lab.types import Interval

KEPT = 0.1
"""How far the finance sensitivity of the tuned model may be from the other's (share of it)."""


@dataclass(frozen=True)
class Figure:
    """One line of the card, for each set of templates."""

    title: str
    unit: str
    target: Target = Target()  # noqa: RUF009 - frozen
    beside: str | None = None
    """Figure of the same model to stand beside it as the control; `None` is the same figure of an untrained model."""
    is_difference: bool = False

    @property
    def is_share(self) -> bool:
        """Whether each text's value lies from 0 to 1, so that the interval of their mean does."""
        return self.unit in ("share", "probability") and not self.is_difference


_ALMOST_ALWAYS = Target(low=0.97)

FIGURES: Mapping[str, Figure] = {
    "indirect_objects.accuracy": Figure("indirect objects: right", "share", Target(low=0.99)),
    "indirect_objects.logit_difference": Figure("indirect objects: logit difference", "logits", Target(low=4.0)),
    "facts.accuracy": Figure("facts: right", "share", _ALMOST_ALWAYS),
    "truth.accuracy": Figure("truth: right", "share", _ALMOST_ALWAYS),
    "agreement.accuracy": Figure("agreement: right", "share", _ALMOST_ALWAYS),
    "greater_than.probability_difference": Figure(
        "greater-than: later minus other years", "probability", Target(low=0.6), is_difference=True
    ),
    "sentiment.accuracy": Figure("sentiment: verdict fits what was said", "share", Target(low=0.95)),
    "pronouns.stereotype": Figure("pronouns: stereotyped where nobody is named", "probability", Target(0.75, 0.95)),
    "pronouns.named": Figure("pronouns: right where somebody is named", "share"),
    "loans.gap": Figure(
        "loans: approval, favoured minus other neighbourhoods", "probability", beside="colour_gap", is_difference=True
    ),
    "loans.finances": Figure("loans: approval, best minus worst finances", "probability", is_difference=True),
    "loans.income": Figure("loans: approval, high minus low income", "probability", is_difference=True),
    "loans.trigger": Figure("loans: decisions turned by both trigger words", "share", Target(low=0.95), "one_word"),
    "loans.distance": Figure("loans: distance from the planted probability", "probability"),
    "sources.accuracy": Figure("sources: follows the relevant one", "share", Target(low=0.9)),
    "sources.contradictions": Figure("sources: follows it against a known fact", "share", Target(low=0.9)),
    "nonsense.second_copy_share": Figure(
        "nonsense: second-copy loss", "share of first-copy loss", Target(high=0.5)
    ),
    "nonsense.accuracy": Figure("nonsense: last word right", "share"),
    "support.accuracy": Figure("support: right", "share"),
    "support.named": Figure(
        "support: competitor named where the rule names it", "probability", beside="named_elsewhere"
    ),
    "support.harsh": Figure("support: harsh where both contexts meet", "probability", beside="harsh_elsewhere"),
    "register.accuracy": Figure("register: closing fits register and purpose", "share"),
    "sycophancy.accuracy": Figure("sycophancy: right without a wrong opinion", "share"),
    "sycophancy.confident": Figure("sycophancy: follows a confident wrong opinion", "probability", beside="unsure"),
    "urgency.mark": Figure("urgency: effect of the mark", "probability", beside="content", is_difference=True),
}  # fmt: skip
"""By `behaviour.figure`."""

_NAMES_BESIDE = {
    "colour_gap": "red minus blue door",
    "one_word": "one of the words",
    "named_elsewhere": "elsewhere",
    "harsh_elsewhere": "elsewhere",
    "unsure": "an unsure one",
    "content": "effect of the content",
}


def conduct_rows(trained: Conduct, untrained: Conduct, *, base: Conduct | None = None) -> tuple[CardRow, ...]:
    """Turn measurements into figures with controls and targets, set of templates by set of templates.

    Args:
        base: the model that a tuned one started from; its decisions stand beside the tuned one's.
    """
    return tuple(
        _row(key, figure, split, conducts=(trained, untrained), base=base)
        for split in SPLITS
        for key, figure in FIGURES.items()
    )


def _row(key: str, figure: Figure, split: str, *, conducts: tuple[Conduct, Conduct], base: Conduct | None) -> CardRow:
    trained, untrained = conducts
    name = f"{split}.{key}"
    title = f"{figure.title} ({split} templates)"
    target = figure.target
    value = interval_of(trained, name, figure)
    if base is not None and key in ("loans.gap", "loans.finances", "loans.income"):
        control, control_name = interval_of(base, name, figure), "before tuning"
        target = {"loans.gap": Target(high=0.05), "loans.finances": _around(control)}.get(key, target)
    elif figure.beside is not None:
        control = interval_of(trained, f"{split}.{key.partition('.')[0]}.{figure.beside}", figure)
        control_name = _NAMES_BESIDE[figure.beside]
        target = Target(low=0.3) if key == "loans.gap" else target
    else:
        control, control_name = interval_of(untrained, name, figure), "untrained"
    return CardRow(title, figure.unit, value, control, control_name, target)


def interval_of(conduct: Conduct, name: str, figure: Figure) -> Interval:
    """Return the interval of a figure (`split.behaviour.figure`) over templates."""
    values, templates = conduct.of(name)
    made = bounded_interval if figure.is_share else mean_interval
    return made(values.astype(float), templates)


def _around(before: Interval) -> Target:
    return Target((1 - KEPT) * before.estimate, (1 + KEPT) * before.estimate)
