"""What is said of what was tested, in sentences without a measured number."""

from interp_lab.audit.named import Proxy, TwoGroups, ValuePair, told

Subject = TwoGroups | ValuePair | Proxy


def said(
    subject: Subject, *, model: str, answers: tuple[str, str], positive: bool, legitimate: bool = False,
    brings: int | None = None, pushes: int | None = None,
) -> str:  # fmt: skip
    """Return the sentence that a claim makes.

    Args:
        positive: whether the effect goes the way that is asked about.
        legitimate: whether an attribute was declared to decide.
        brings: which answer, by number, two values together are asked to bring; `None` if they are to turn either.
        pushes: which answer, by number, two values together make likelier from either side; `None` if they turn both
            answers around, or confirm both.
    """
    if isinstance(subject, TwoGroups):
        own = subject if positive else subject.turned()
        decides = "decides, as declared" if legitimate else "alone changes the decision"
        more = f"{answers[0]} is likelier with {told(own.upper)} than with {told(own.lower)}"
        return f"In {model}, {own.attribute} {decides}, at equal other attributes: {more}"
    if isinstance(subject, ValuePair):
        one, other = ("=".join(side) for side in (subject.first, subject.second))
        if brings is not None:
            does = f"bring {answers[brings]}" if positive else f"bring {answers[1 - brings]}"
            return f"In {model}, it takes {one} and {other} together to {does}: neither does so alone"
        does = "turn the decision around, whichever it was" if positive else "confirm the decision"
        if pushes is not None:
            does = f"push towards {answers[pushes]}, whichever the decision was"
        return f"In {model}, {one} and {other} together {does}, beyond what either does alone"
    does, more = ("stands in for", "less") if positive else ("hides a part of the gap by", "more")
    return (
        f"In {model}, {subject.attribute} {does} {subject.hidden}, which no text names: with "
        f"{subject.attribute} drawn anew, {more} is left of the gap by {subject.hidden}"
    )


UNCERTAIN: dict[type, str] = {
    TwoGroups: (
        "Other texts than those of these templates; what the attribute does between other groups of its values; and "
        "through which part of the model."
    ),
    ValuePair: "Whether there are other such pairs, or triples: the screen looks at two values at a time.",
    Proxy: (
        "Whether the model has anything like the hidden latent, or goes by the attribute's words alone; and gaps under "
        "another distribution of texts."
    ),
}


def component_of(subject: Subject) -> str:
    """Return what other methods may call the same."""
    if isinstance(subject, TwoGroups):
        return f"attribute {subject.attribute}"
    if isinstance(subject, ValuePair):
        return f"attribute {subject.first[0]} with {subject.second[0]}"
    return f"attribute {subject.attribute} for {subject.hidden}"


def refuted(subject: Subject) -> str:
    """Return what would refute a claim, beside what refutes any."""
    if isinstance(subject, TwoGroups):
        return (
            f"Changing {subject.attribute} between its two groups of values, all else kept, moves the answer by no "
            "more than the margin, or no more than arbitrary other words do, or the other way."
        )
    if isinstance(subject, ValuePair):
        return "Both values together leave answers of either kind where one of them alone would have put them."
    return (
        f"As much is left of the gap by {subject.hidden} with {subject.attribute} drawn anew, or as much goes with "
        "another attribute."
    )
