"""What is known for certain about a hand-compiled model: its edges, head types and effects, as data."""

from dataclasses import dataclass
from typing import Literal, get_args

from interp_lab.edges import Edge
from interp_lab.types import HeadIndex, head_name

HeadType = Literal[
    "previous_token", "induction", "duplicate_token", "first_token", "copying", "inhibition", "inert"
]  # fmt: skip
"""See `Truth.head_types` for what each one asserts."""

AttentionType = Literal["previous_token", "induction", "duplicate_token", "first_token"]
"""The head types that say where a head looks; the other three say what it does."""

AblationName = Literal["zero", "mean", "resample"]
"""What ablated values are replaced with: zero; their mean over the clean prompts, position by position; their values on
the corrupted prompt."""

ATTENTION_TYPES: tuple[AttentionType, ...] = get_args(AttentionType)


@dataclass(frozen=True)
class Knockout:
    """What becomes of the behaviour when the outputs of some heads are ablated together."""

    heads: frozenset[HeadIndex]
    method: AblationName
    survives: bool
    """True: no prompt's logit difference changes. False: on average less than a twentieth of it is left (or it is
    negative)."""


@dataclass(frozen=True)
class Truth:
    """The known answers about one compiled model; each of them is proven in the tests, none is merely asserted.

    An *effect* is a change of the logit difference (answer minus wrong answer, last position) on the clean prompts.
    """

    behaviour: str
    """What the model does, and on which prompts."""
    pairs: str
    """What the clean and the corrupted prompt of a pair are, and how they differ; `edges_resample` holds for these."""
    head_types: dict[HeadIndex, frozenset[HeadType]]
    """Types of every head; a head may have several, or none.

    Where a head looks holds on `[BOS, x, x]`, `x` being four or more distinct symbols (`CompiledModel.symbols`) in
    random order; in shorter segments places coincide:
    `previous_token`, `first_token` (BOS): of the attention of every query but the first, more than 0.95 goes there;
    `induction` (one past the earlier occurrence), `duplicate_token` (the earlier occurrence): the same for every query
    in the second copy. Heads of these two types rest on BOS throughout the first copy, so that half of their attention
    is paid to BOS; that makes them no `first_token` heads.

    What a head does: `copying`: what it makes of a symbol's embedding raises that symbol's own logit more than any
    other. `inhibition`: by way of a later head's query it keeps that head, at the last position of a clean prompt, from
    looking at some token. `inert`: nothing reads what it writes; its output may be anything."""
    edges_zero: frozenset[Edge]
    """The edges with an effect on some clean prompt when what flows along them, one edge at a time, is set to zero."""
    edges_resample: frozenset[Edge]
    """The same, when what flows along them is replaced with what flows there on the corrupted prompt."""
    direct_effects: dict[str, float]
    """What each node writes straight to the logits, as a part of the logit difference of every clean prompt; nodes
    that are not listed write nothing there."""
    total_effects: dict[HeadIndex, float]
    """How far the logit difference of every clean prompt falls when a head's output is set to zero; heads that are
    not listed make no difference."""
    sufficient_under: frozenset[AblationName]
    """Ablations under which the edges listed for it keep every logit difference whole while all others are ablated at
    once. Where parts stand in for each other, edges found one at a time need not suffice."""
    knockouts: tuple[Knockout, ...] = ()
    """Ablations of whole heads whose outcome teaches something."""

    @property
    def needed(self) -> frozenset[HeadIndex]:
        """Heads whose output, set to zero on its own, changes the behaviour."""
        return frozenset(self.total_effects)

    @property
    def logit_difference(self) -> float:
        """The logit difference on every clean prompt."""
        return sum(self.direct_effects.values())

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes that edges of either truth start or end at."""
        known = self.edges_zero | self.edges_resample
        return frozenset(edge.source for edge in known) | frozenset(edge.target_node for edge in known)

    def heads_of_type(self, kind: HeadType) -> tuple[str, ...]:
        """Return the names of the heads of a type, layer by layer."""
        return tuple(head_name(head) for head, kinds in sorted(self.head_types.items()) if kind in kinds)
