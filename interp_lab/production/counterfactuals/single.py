"""Counterfactuals of one prompt of your own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from interp_lab import folds
from interp_lab.production.counterfactuals.cases import own_case
from interp_lab.production.counterfactuals.diffs import diff_table
from interp_lab.production.counterfactuals.outcome import Flip, flips_of, problems_of
from interp_lab.production.counterfactuals.proposals import METHODS, Lexicon, MethodName
from interp_lab.production.counterfactuals.reading import Reader
from interp_lab.production.counterfactuals.search import Reach, needed, searched
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class PromptFlips:
    """What flips the answer to one prompt."""

    prompt: str
    answer: str
    """That the model prefers."""
    turn: float
    """Log odds of the best other answer over it (nats), not above 0."""
    flips: tuple[tuple[str, Flip], ...]
    """Method and flip, those of fewest edits first, and among those the largest measured turn."""
    most_edits: int
    n_texts: int
    """Texts that went through the model."""

    def table(self) -> pd.DataFrame:
        """Return a row per flip."""
        return pd.DataFrame(
            [
                {
                    "method": method,
                    "edit": flip.told,
                    "edits": flip.n_edits,
                    "turn": flip.turn,
                    "foretold turn": flip.estimated,
                    "plausibility": flip.plausibility,
                    "as the slots allow": flip.member,
                    "text": flip.text,
                }
                for method, flip in self.flips
            ]
        )

    def html(self) -> Markup:
        """Return the prompt beside each flip, escaped."""
        return diff_table(
            [
                (
                    self.prompt,
                    flip.text,
                    f"{method}: {flip.told}",
                    self.answer.strip(),
                    f"{self.turn:+.2f} to {flip.turn:+.2f} (foretold {flip.estimated:+.2f})",
                    f"{flip.plausibility:+.2f} nats per token",
                )
                for method, flip in self.flips
            ]
        )

    def __str__(self) -> str:
        """Return the flips, one a line."""
        head = f"{self.prompt!r}: {self.answer.strip()}, by {-self.turn:.2f} nats"
        if not self.flips:
            return f"{head}; no flip within {self.most_edits} edits was found"
        return "\n".join([head, *(f"{method}: {flip.told} ({flip.turn:+.2f} nats)" for method, flip in self.flips)])


def counterfactuals(
    model: HookedModel,
    prompt: str,
    answers: Sequence[str],
    *,
    slots: Mapping[str, Sequence[str]] | None = None,
    methods: Sequence[MethodName] = tuple(METHODS),
    reach: Reach | None = None,
    n_proposed: int = 48,
    n_shown: int = 3,
    batch_size: int = 128,
    seed: int = 0,
) -> PromptFlips:
    """Return the smallest edits of a prompt that flip the model's answer, each of whose edits is needed.

    Args:
        answers: as they follow the prompt, space included; their first tokens are compared.
        slots: by attribute, the values that it may take, the one that stands in the prompt among them; what
            `vocabulary` and `swap` draw on.
        methods: see `proposals.METHODS`.
        reach: how far to search.
        n_proposed: words of the tokenizer that `gradient` and `fillers` try.
        n_shown: flips of each method.
        seed: of the fillers that are drawn.

    In one fold (see `folds`), texts that may not be seen are not tried.

    Raises: ValueError, for a prompt, answers or slots that cannot be used, or an unknown method.
    """
    unknown = [one for one in methods if one not in METHODS]
    if unknown or not methods:
        raise ValueError(f"methods {list(methods)}: name some of {', '.join(METHODS)}")
    if not folds.shows(prompt):
        raise ValueError(f"the prompt {prompt!r} is not{folds.told()}; leave the fold, or ask about another prompt")
    case, reader, reach = own_case(prompt, answers, slots or {}), Reader(model, batch_size), reach or Reach()
    slopes, lexicon, rng = reader.slopes([case]), Lexicon.of(reader), np.random.default_rng(seed)
    flips: list[tuple[str, Flip]] = []
    for method in methods:
        problems = problems_of(reader, [case], slopes, method, lexicon, n=n_proposed, rng=rng)
        (found,) = needed(reader, searched(reader, problems, reach), n=n_shown)
        flips += [(str(method), flip) for flip in flips_of(reader, found)]
    (read,) = reader.read([(case, case.words.text)])
    order = sorted(flips, key=lambda one: (one[1].n_edits, -one[1].turn))
    return PromptFlips(
        prompt, case.answers[read.answer], read.turn(read.answer), tuple(order), reach.most_edits, reader.n_texts
    )
