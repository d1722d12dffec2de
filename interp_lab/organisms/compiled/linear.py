"""A model on which first-order methods are exact, with every number worked by hand.

All heads look at fixed distances, so attention depends on positions alone and is the same in clean and corrupted runs;
all that differs between them passes through linear maps. The last three tokens of a prompt are `a w a`, the answer is
`a` and the wrong answer `w`. What each part adds to logit(a) - logit(w) at the last position:

    embed   the unembedding reads the current token, a, with weight 1:                               +1
    0.0     one back stands w, weight 1/2 to the logits:                                             -1/2
    1.0     one back it finds what 0.0 noted there, the a two back, weight 4:                        +4
    1.1     two back stands a, weight -3/2:                                                          -3/2
    1.2     one back stands w, weight -1:                                                            +1
                                                                                             in all: +4
    Without 0.0 its own -1/2 and the +4 that pass through it are missing: a total effect of 3 1/2.
    The corrupted prompt ends in `w a w`: its logit difference is -4.
"""

from torch import Generator, cat

from interp_lab.edges import edges
from interp_lab.organisms.compiled.heads import SYMBOLS, copy, evenly, layout, look_back, to_scratch
from interp_lab.organisms.compiled.induction import VOCABULARY
from interp_lab.organisms.compiled.model import N_CTX, CompiledModel, Pairs, compiled, distinct_tokens, with_bos
from interp_lab.organisms.compiled.truth import Truth

BEHAVIOUR = (
    "Weighs the last three tokens: the current one adds 1 to its own logit, the one before -1/2, the one before that "
    "5/2; so it predicts the token two back, by 4 logits over the token in between where the current one is the same."
)
PAIRS = (
    "Clean: BOS, five symbols, then a w a, all distinct. Corrupted: the same with w a w at the end. Answer: a; wrong "
    "answer: w."
)

_FILLERS = 5


def compile_linear() -> CompiledModel:
    """Return the model with four heads that add up, and four that do nothing."""
    residual = layout("mid")
    scratch = to_scratch(residual)
    layers = (
        (
            look_back(residual, copy(residual, "tok", to="mid"), copy(residual, "tok", to="out", weight=0.5)),
            look_back(residual, scratch, by=N_CTX),
            evenly(scratch),
            evenly(),
        ),
        (
            look_back(residual, copy(residual, "mid", to="out", weight=4.0)),
            look_back(residual, copy(residual, "tok", to="out", weight=-1.5), by=2),
            look_back(residual, copy(residual, "tok", to="out", weight=-1.0)),
            evenly(scratch),
        ),
    )
    carried = edges("embed -> 0.0.v 1.1.v 1.2.v logits", "0.0 -> 1.0.v logits")
    carried |= edges("1.0 -> logits", "1.1 -> logits", "1.2 -> logits")
    truth = Truth(
        behaviour=BEHAVIOUR,
        pairs=PAIRS,
        head_types={
            (0, 0): frozenset({"previous_token", "copying"}),
            (0, 1): frozenset({"first_token", "inert"}),
            (1, 0): frozenset({"previous_token"}),
            (1, 1): frozenset(),
            (1, 2): frozenset({"previous_token"}),
            **dict.fromkeys([(0, 2), (0, 3), (1, 3)], frozenset({"inert"})),
        },
        edges_zero=carried | edges("pos_embed -> 0.0.q 0.0.k 1.0.q 1.0.k 1.1.q 1.1.k 1.2.q 1.2.k"),
        edges_resample=carried,
        direct_effects={"embed": 1.0, "0.0": -0.5, "1.0": 4.0, "1.1": -1.5, "1.2": 1.0},
        total_effects={(0, 0): 3.5, (1, 0): 4.0, (1, 1): -1.5, (1, 2): 1.0},
        sufficient_under=frozenset({"zero", "resample"}),
    )
    return compiled(
        "linear",
        layers,
        layout=residual,
        unembed=residual.read("out") + residual.read("tok"),
        truth=truth,
        vocabulary=VOCABULARY,
        symbols=SYMBOLS,
        draw=draw_swapped,
    )


def draw_swapped(n: int, generator: Generator) -> Pairs:
    """Draw prompts that end in `a w a`; see `PAIRS`."""
    words = distinct_tokens(n, generator, symbols=SYMBOLS, length=_FILLERS + 2)
    before, a, w = words.split([_FILLERS, 1, 1], dim=1)
    clean, corrupted = cat([before, a, w, a], dim=1), cat([before, w, a, w], dim=1)
    return Pairs(with_bos(clean), with_bos(corrupted), a[:, 0], w[:, 0])
