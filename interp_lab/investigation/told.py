"""All that the page, its Markdown and its JSON say alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from interp_lab.investigation.agreement import Agreement, agreement_of
from interp_lab.investigation.answer import Answer
from interp_lab.investigation.answers import answers, headline
from interp_lab.investigation.brief import Sentence, brief
from interp_lab.investigation.claim_rows import ClaimRow, claim_rows
from interp_lab.investigation.found import Investigated


@dataclass(frozen=True)
class Told:
    """The summary, the claims, what methods say of components, and how to make it again."""

    headline: str
    brief: Sequence[Sentence]
    answers: Sequence[Answer]
    rows: Sequence[ClaimRow]
    agreement: Agreement
    reproduce: str
    """A command."""


def told_of(found: Investigated, *, reproduce: str) -> Told:
    """Compute what is said of an investigation."""
    agreement = agreement_of(found)
    return Told(
        headline(found), brief(found, agreement), answers(found, agreement), claim_rows(found), agreement, reproduce
    )
