"""What is to be tested on other examples, and what is said of sources."""

from interp_lab.effects.confirming import ToTest, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.production.sources.answers import UNIT
from interp_lab.production.sources.claimed import WITHOUT, SourcesClaims
from interp_lab.production.sources.scores import LOOKS

_UNCERTAIN = (
    "Sources of other kinds, lengths and numbers. They were {taken}, which leaves a text that the model may never have "
    "seen, and sources that say the same are each ranked low."
)


def confirmation(found: SourcesClaims) -> Confirmation | None:
    """Return how the first sources of the chosen method are tested on other examples; `None` if that does not hold.

    Nothing has to be fixed: a method is a rule, which says of any prompt what it ranks first.
    """
    testable = [
        ToTest(claim, "input", _UNCERTAIN.format(taken=WITHOUT[found.tested_by]))
        for name, claim in zip(found.evidence, found.claims(), strict=True)
        if name == found.chosen
    ]
    return confirmation_of({}, testable)


def components(found: SourcesClaims) -> list[Component]:
    """Return for each method what the answer loses without the source that it ranks first."""
    return [
        Component(
            "source ranked first",
            name,
            name not in LOOKS,
            found.over(found.report.needed[1, nth]),
            UNIT,
            found.grade(name),
            name == found.chosen,
        )
        for nth, name in enumerate(found.names[:-1])
    ]
