"""Two induction heads of which the second works only when the first is silent.

The second head's query reads what the first wrote: if anything is there, BOS outscores the match, and the head rests.
So either head can be removed without any change, and removing both ends the behaviour: effects of single ablations say
nothing about pairs.

Source: backup heads are described by Wang et al. 2022, arXiv 2211.00593, and self-repair by McGrath et al. 2023,
arXiv 2307.15771; the gate is our own.
"""

from interp_lab.edges import edges
from interp_lab.organisms.compiled.heads import (
    LOGIT,
    MATCH,
    SYMBOLS,
    bystander,
    copy,
    evenly,
    pick,
    rest_on_bos,
    same_symbol,
    to_scratch,
    unembed,
)
from interp_lab.organisms.compiled.heads import layout as common_layout
from interp_lab.organisms.compiled.induction import (
    BEHAVIOUR,
    PAIRS,
    VOCABULARY,
    draw_repeats,
    induction_head,
    previous_token,
)
from interp_lab.organisms.compiled.model import BOS, CompiledModel, compiled
from interp_lab.organisms.compiled.residual import Head, Layout, Score
from interp_lab.organisms.compiled.truth import Knockout, Truth

_FIRST, _SECOND = (1, 0), (2, 1)
_ONE, _OTHER, _BOTH = frozenset({_FIRST}), frozenset({_SECOND}), frozenset({_FIRST, _SECOND})

KNOCKOUTS = (
    Knockout(_ONE, "zero", survives=True),
    Knockout(_OTHER, "zero", survives=True),
    Knockout(_BOTH, "zero", survives=False),
    # The mean or another prompt's output of the first head is still an output: it keeps the second silent.
    Knockout(_ONE, "mean", survives=False),
    Knockout(_OTHER, "mean", survives=True),
    Knockout(_BOTH, "mean", survives=False),
    Knockout(_ONE, "resample", survives=False),
    Knockout(_OTHER, "resample", survives=True),
    Knockout(_BOTH, "resample", survives=False),
)


def backup_head(residual: Layout) -> Head:
    """Look one past the earlier occurrence of the current token, unless the first head wrote something here."""
    silenced = Score(residual.read("tok", pick(BOS)), MATCH, residual.read("first", pick(*SYMBOLS)))
    looks = (same_symbol(residual, "prev"), rest_on_bos(residual), silenced)
    return Head(looks, (copy(residual, "tok", to="out"),))


def compile_backup() -> CompiledModel:
    """Return the induction model with a backup of its induction head, and eight heads that do nothing."""
    residual = common_layout("prev", "first")
    scratch = to_scratch(residual)
    layers = (
        (previous_token(residual), evenly(scratch), evenly(), bystander(residual)),
        (induction_head(residual, copy(residual, "tok", to="first")), evenly(), evenly(scratch), evenly()),
        (evenly(scratch), backup_head(residual), evenly(), evenly()),
    )
    truth = Truth(
        behaviour=BEHAVIOUR,
        pairs=PAIRS,
        head_types={
            (0, 0): frozenset({"previous_token"}),
            (0, 3): frozenset({"first_token", "inert"}),
            _FIRST: frozenset({"induction", "copying", "inhibition"}),
            # It would be an induction head if the first were silent; as things are, it rests on BOS.
            _SECOND: frozenset({"first_token", "copying"}),
            **dict.fromkeys([(0, 1), (0, 2), (1, 1), (1, 2), (1, 3), (2, 0), (2, 2), (2, 3)], frozenset({"inert"})),
        },
        # Cut what the first head looks for, and the second steps in; cut what silences the second, and both speak.
        edges_zero=edges("pos_embed -> 0.0.q 0.0.k", "embed -> 0.0.v 2.1.k", "1.0 -> 2.1.q logits"),
        edges_resample=edges("embed -> 0.0.v 1.0.v", "1.0 -> logits"),
        direct_effects={"1.0": LOGIT},
        total_effects={(0, 0): LOGIT},
        sufficient_under=frozenset({"resample"}),
        knockouts=KNOCKOUTS,
    )
    return compiled(
        "backup",
        layers,
        layout=residual,
        unembed=unembed(residual) + LOGIT * residual.read("first"),
        truth=truth,
        vocabulary=VOCABULARY,
        symbols=SYMBOLS,
        draw=draw_repeats,
    )
