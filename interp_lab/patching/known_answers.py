"""Rows of `interp-lab verify`: patches and estimates of patches on the compiled models, and sabotaged twins."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from interp_lab.experiment import KnownAnswer
from interp_lab.organisms.compiled import compiled_names
from interp_lab.patching.known_estimates import Part, reads_attention, reads_first_order, reads_prescreen, reads_sums
from interp_lab.patching.known_patches import reads_backup, reads_heads, reads_stream
from interp_lab.patching.prescreen import Estimator
from interp_lab.patching.worked import HEADS, STREAM
from interp_lab.types import head_name

_OUTPUTS: tuple[Part, ...] = ("z",)
_LOOKING: tuple[Part, ...] = ("q", "k")
_LOOKS = {"1.attn.hook_q[0]": 10.0, "1.attn.hook_k[0]": 10.0}
"""Queries and keys that matter for induction: with those of the other prompt the head finds nothing."""


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [*_patches(), *_first_order(), *_prescreens()]


def _patches() -> list[KnownAnswer]:
    heads, stream = ({"swapped": True}, {"head_offset": 1}), ({"offset": 1}, {"swapped": True})
    return [
        *_by_model("patches of heads", reads_heads, expected=_expected_heads, sabotages=heads),
        *_by_model("patches of the stream", reads_stream, expected=_expected_stream, sabotages=stream),
        KnownAnswer(
            "patches of a set, compiled/backup",
            "keys of either head: nothing; of both: all",
            reads_backup,
            partial(reads_backup, pair=[(1, 0), (2, 2)]),
        ),
    ]


def _first_order() -> list[KnownAnswer]:
    methods: list[tuple[Estimator, dict[str, Any]]] = [
        ("attribution", {"opposite": True}),
        ("integrated gradients", {"head_offset": 1}),
    ]
    return [
        *[
            KnownAnswer(
                f"{method}, compiled/linear",
                "equal to exact patches at every head and position",
                partial(reads_first_order, method),
                partial(reads_first_order, method, **sabotage),
            )
            for method, sabotage in methods
        ],
        KnownAnswer(
            "sums of attribution, compiled/linear",
            "every layer's positions sum to +8 and -8",
            reads_sums,
            partial(reads_sums, skipped=1),
        ),
        KnownAnswer(
            "AtP*, compiled/duplicate-token",
            "equal to exact patches of queries and keys, where attention is saturated",
            reads_attention,
            partial(reads_attention, method="attribution"),
        ),
    ]


def _prescreens() -> list[KnownAnswer]:
    by_name = {head_name(head): amount for head, amount in HEADS["compiled/linear"].items()}
    linear = partial(reads_prescreen, "compiled/linear", parts=_OUTPUTS, method="attribution", expected=by_name)
    attending = partial(reads_prescreen, "compiled/induction", parts=_LOOKING, expected=_LOOKS)
    return [
        KnownAnswer(
            "prescreen by attribution, compiled/linear",
            f"keeps {', '.join(by_name)}; recall 1",
            linear,
            partial(linear, direction="noise"),
        ),
        KnownAnswer(
            "prescreen by AtP*, compiled/induction",
            "keeps the query and the key of 1.0, where attention is saturated; recall 1",
            partial(attending, method="atp*"),
            partial(attending, method="attribution"),
        ),
    ]


def _by_model(
    instrument: str,
    reads: Callable[..., tuple[bool, str]],
    *,
    expected: Callable[[str], str],
    sabotages: Sequence[Mapping[str, Any]],
) -> list[KnownAnswer]:
    """Return a row for each compiled model, its sabotages in turn."""
    return [
        KnownAnswer(
            f"{instrument}, {name}",
            expected(name),
            partial(reads, name),
            partial(reads, name, **sabotages[nth % len(sabotages)]),
        )
        for nth, name in enumerate(compiled_names())
    ]


def _expected_heads(name: str) -> str:
    effects = ", ".join(f"{head_name(head)} {amount:+g}" for head, amount in sorted(HEADS[name].items()))
    return f"denoising adds {effects}, noising takes as much, no other head matters"


def _expected_stream(name: str) -> str:
    return f"every position as worked by hand, the last one {sum(STREAM[name][-1].values()):+g} after the last layer"
