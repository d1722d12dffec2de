"""Traits: what a direction is to move. A contrast of the grammar by name, or a user's own `.jsonl` file."""

from collections.abc import Callable, Mapping, Set
from pathlib import Path

import numpy as np

from interp_lab.folds import open_templates, told
from interp_lab.organisms.grammar import Example
from interp_lab.organisms.grammar.behaviours.facts import after, fact
from interp_lab.organisms.grammar.behaviours.loans import ANSWERS
from interp_lab.organisms.grammar.behaviours.register import CLOSINGS, REGISTERS
from interp_lab.organisms.grammar.behaviours.sentiment import VERDICTS
from interp_lab.organisms.grammar.behaviours.urgency import LABELS
from interp_lab.organisms.grammar.corpus import BEHAVIOURS
from interp_lab.steering.trait_files import TraitLine, read_trait
from interp_lab.tasks.contrast import Contrast
from interp_lab.tasks.grammar_texts import CONTRASTS, Part, grammar_contrast
from interp_lab.types import nearest

Answers = tuple[str, str]
"""The words that stand for either side of a trait behind a prompt: (positive, negative)."""


def _sycophancy(example: Example) -> Answers:
    """The mistaken opinion, whether it is stated or not, and the fact."""
    country, relation = str(example.latents["country"]), str(example.latents["relation"])
    return fact(after(country, int(example.latents["slip"])), relation), fact(country, relation)


ANSWERS_OF: Mapping[str, Callable[[Example], Answers]] = {
    "sentiment": lambda example: VERDICTS[str(example.latents["lead"])],
    "register": lambda example: (
        CLOSINGS[REGISTERS[0], str(example.latents["purpose"])],
        CLOSINGS[REGISTERS[1], str(example.latents["purpose"])],
    ),
    "truth": lambda example: ("true", "false"),
    "neighbourhood": lambda example: (ANSWERS[1], ANSWERS[0]),
    "sycophancy": _sycophancy,
    "urgency": lambda example: (LABELS[0], LABELS[1]),
    "stereotype": lambda example: ("she", "he"),
}
"""By trait. The positive answer is what the positive texts of the contrast make likelier: praise, a formal closing,
`true`, **`rejected`** (positive texts name a neighbourhood that is not favoured), the mistaken opinion, `urgent`,
`she` (positive texts name a job that mostly goes with it)."""
RELATED: Mapping[str, tuple[str, ...]] = {
    "sentiment": ("support",),
    "register": ("support",),
    "truth": ("sources", "sycophancy"),
    "neighbourhood": (),
    "sycophancy": ("truth", "sources"),
    "urgency": (),
    "stereotype": (),
}
"""Behaviours of whose texts it might be said that they show the trait too: replies of support are friendly or harsh;
marks, sources and opinions are all about whether what is said fits what is known."""


def is_file(trait: str) -> bool:
    """Whether a trait is named by a user's file."""
    return trait.endswith(".jsonl")


def require_trait(trait: str) -> None:
    """Refuse what is neither a trait of the grammar nor a `.jsonl` file.

    Raises: ValueError.
    """
    if not is_file(trait) and trait not in CONTRASTS:
        raise ValueError(
            f"unknown trait {trait!r}{nearest(trait, CONTRASTS)}; there are: {', '.join(CONTRASTS)}, and .jsonl files"
        )


def neutral_behaviours(trait: str) -> tuple[str, ...]:
    """Return the behaviours whose texts show neither a trait nor what is near to it; for a file, all behaviours."""
    require_trait(trait)
    if is_file(trait):
        return tuple(BEHAVIOURS)
    own = CONTRASTS[trait].behaviour
    return tuple(name for name in BEHAVIOURS if name != own and name not in RELATED[trait])


def contrast_of(trait: str, n: int, *, seed: int, reserved: bool | None = None, part: Part = "prompt") -> Contrast:
    """Return the contrast set of a trait: `n` texts on each side.

    Args:
        trait: a name in `CONTRASTS`, or the path of a `.jsonl` file.
        seed: of the draw; from a file, of which lines are taken.
        reserved: only reserved templates (lines), or only the others; `None` takes all.
        part: of the grammar's texts, and of lines with a `prompt`: `prompt` is a text without its answer, which exists
            for the grammar only; lines of a file always include it.

    Raises: ValueError, for an unknown trait, a line that is not right, or fewer lines than are asked for.
    """
    require_trait(trait)
    if not is_file(trait):
        return grammar_contrast(trait, n, seed=seed, reserved=reserved, part=part)
    lines = drawn_lines(Path(trait), n, seed=seed, reserved=reserved)
    return Contrast(
        name=Path(trait).stem,
        positive=tuple(line.texts[0] for line in lines),
        negative=tuple(line.texts[1] for line in lines),
        positive_templates=tuple(line.template for line in lines),
        negative_templates=tuple(line.template for line in lines),
        paired=True,
    )


def drawn_lines(
    path: Path, n: int, *, seed: int, reserved: bool | None, avoid: Set[str] = frozenset()
) -> list[TraitLine]:
    """Return lines of a file in a random order, without those whose prompt or texts are among `avoid`.

    Raises: ValueError, for a line that is not right, or fewer lines than are asked for.
    """
    open_ = open_templates(reserved)
    lines = [line for line in read_trait(path) if open_ in (None, line.reserved)]
    free = [line for line in lines if not _is_used(line, avoid)]
    if not 1 <= n <= len(free):
        kind = "" if reserved is None else " reserved" if reserved else " ordinary"
        used = f", {len(lines) - len(free)} of them used elsewhere" if len(free) < len(lines) else ""
        raise ValueError(
            f"{path} holds {len(lines)}{kind} lines{told()}{used}, and n={n} are asked for; give more, or ask for fewer"
        )
    order = np.random.default_rng(seed).permutation(len(free))[:n]
    return [free[i] for i in order]


def _is_used(line: TraitLine, used: Set[str]) -> bool:
    """Whether a line's texts, or its prompt with or without some answer, are used elsewhere."""
    prompt = line.prompt
    return bool(used & {*line.texts}) or (prompt is not None and any(text.startswith(prompt) for text in used))
