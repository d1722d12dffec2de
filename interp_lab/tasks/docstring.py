"""Docstrings: which argument does a Python docstring come to next?

The prompt is a function whose docstring has described two arguments, in their order, and ends where the name of the
next one must stand. `load` and `size` are described here, so `file` is the answer:

    def port(self, mode, user, load, size, file, last):
        ...
        :param load: the river
        :param size: the winter
        :param

Source: the task, the places (A, B and C in the definition and in the docstring) and the four corruptions are of
Heimersheim and Janiak 2023, "A circuit for Python docstrings in a 4-layer attention-only transformer", who found the
circuit in `attn-only-4l`; with the corruption of both places it is a task of Conmy et al. 2023, arXiv 2304.14997. The
functions, the names and the words are ours.
"""

from functools import partial
from typing import Literal

import numpy as np

from interp_lab.tasks.alignment import TextPair, shown_pair, tokenize_pairs
from interp_lab.tasks.batch import Padding
from interp_lab.tasks.encoding import one_token_words
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.roles import Place
from interp_lab.tasks.sentences import Sentence, in_turn, sentences, usable
from interp_lab.types import HookedModel

NAME = "docstring"
SLOTS = ("A_def", "B_def", "C_def", "A_doc", "B_doc")
Corruption = Literal["random_random", "random_def", "random_doc", "random_answer"]
"""What other names take the place of: `random_random`: A, B and C in the definition, and A and B in the docstring (by
others than there), so that nothing follows; `random_def`: A and B in the definition; `random_doc`: A and B in the
docstring; `random_answer`: C, so that the new name follows."""

TEMPLATES = sentences(
    NAME,
    slots=SLOTS,
    ordinary=(
        'def {function}(self, {before}, {before_2}, {A_def}, {B_def}, {C_def}, {after}):\n    """Return the {w1} {w2}'
        "\n\n    :param {A_doc}: {w3} {w4}\n    :param {B_doc}: {w5} {w6}\n    :param",
        'def {function}(self, {before}, {A_def}, {B_def}, {C_def}, {after}):\n    """The {w1} of a {w2}'
        "\n\n    :param {A_doc}: the {w3}\n    :param {B_doc}: the {w4}\n    :param",
        'def {function}(self, {A_def}, {B_def}, {C_def}, {after}, {after_2}):\n    """Make a {w1}'
        "\n\n    :param {A_doc}: the {w3} {w4}\n    :param {B_doc}: the {w5} {w6}\n    :param",
        '    def {function}(self, {before}, {A_def}, {B_def}, {C_def}, {after}):\n        """Find the {w1}'
        "\n\n        :param {A_doc}: {w3} {w4}\n        :param {B_doc}: {w5} {w6}\n        :param",
        'def {function}(self, {before}, {A_def}, {B_def}, {C_def}):\n    """Set the {w1} {w2}'
        "\n    :param {A_doc}: {w3}\n    :param {B_doc}: {w4}\n    :param",
        'def {function}(cls, {before}, {A_def}, {B_def}, {C_def}, {after}):\n    """Read a {w1} from the {w2}'
        "\n\n    :param {A_doc}: a {w3}\n    :param {B_doc}: a {w4}\n    :param",
    ),
    reserved=(
        'def {function}(self, {before}, {before_2}, {A_def}, {B_def}, {C_def}, {after}):\n    """Write the {w1}'
        "\n\n    :param {A_doc}: name of the {w3}\n    :param {B_doc}: name of the {w4}\n    :param",
        'def {function}(cls, {A_def}, {B_def}, {C_def}, {after}):\n    """Count the {w1} {w2}'
        "\n\n    :param {A_doc}: {w3} {w4}\n    :param {B_doc}: {w5} {w6}\n    :param",
        'class Box:\n    def {function}(self, {A_def}, {B_def}, {C_def}, {after}):\n        """Compare a {w1}'
        "\n\n        :param {A_doc}: the {w3}\n        :param {B_doc}: the {w4}\n        :param",
    ),
)
NAMES = (
    "base", "block", "cache", "client", "code", "color", "content", "count", "data", "date", "end", "field", "file",
    "filter", "first", "format", "group", "height", "host", "image", "index", "input", "items", "key", "label", "last",
    "left", "length", "level", "limit", "line", "load", "message", "mode", "model", "name", "new", "node", "number",
    "offset", "option", "order", "output", "page", "parent", "path", "point", "port", "query", "range", "result",
    "right", "root", "row", "scale", "shape", "size", "source", "start", "state", "step", "style", "table", "target",
    "task", "text", "time", "title", "token", "type", "user", "value", "version", "weight", "width", "word",
)  # fmt: skip
"""Of functions and arguments."""
WORDS = (
    "river", "winter", "garden", "bridge", "letter", "window", "market", "doctor", "forest", "engine", "island",
    "kitchen", "music", "paper", "stone", "summer", "teacher", "train", "village", "water", "horse", "church",
    "flower", "ship", "street",
)  # fmt: skip
"""What describes arguments; no name is among them."""
_N_NAMES = 13
"""Of one pair at most: A, B and C, five around them, and five others in the corrupted prompt."""
_N_WORDS = 6


def docstring_pairs(
    model: HookedModel,
    n: int,
    *,
    seed: int,
    reserved: bool | None = None,
    corruption: Corruption = "random_random",
    templates: tuple[Sentence, ...] = TEMPLATES,
    padding: Padding = "right",
) -> Pairs:
    """Draw pairs whose answer is the argument that the docstring comes to next; all other arguments are wrong.

    Names that stand only in the corrupted prompt are wrong too, as in the source. The first of the wrong ones is the
    argument that was described last: plain induction on `:param` would say it again. Every name of a pair is another
    one, and all are one token each for this tokenizer, so that all prompts of a template have the same length.

    Args:
        reserved: only reserved templates, or only the others; `None` takes all.
        templates: functions with the slots `SLOTS`, and any of `function`, `before`, `before_2`, `after`, `after_2`
            (other names) and `w1` to `w6` (words).

    Raises: ValueError, for `n` below 1, or if fewer than 13 names or six words are single tokens.
    """
    rng = np.random.default_rng(seed)
    names = one_token_words(model, NAMES, after="def f(self,", need=_N_NAMES)
    words = one_token_words(model, WORDS, need=_N_WORDS)
    pairs = []
    for template in in_turn(usable(templates, reserved=reserved), n, rng=rng):
        draw = partial(_draw, template, names, words, rng, corruption=corruption)
        pairs.append(shown_pair(draw, what=template.id))
    return tokenize_pairs(model, pairs, name=NAME, padding=padding)


def _draw(
    template: Sentence, names: list[str], words: list[str], rng: np.random.Generator, *, corruption: Corruption
) -> TextPair:
    drawn = [names[i] for i in rng.choice(len(names), size=_N_NAMES, replace=False)]
    said = [words[i] for i in rng.choice(len(words), size=_N_WORDS, replace=False)]
    return _pair(template, drawn, said, corruption=corruption)


def _pair(template: Sentence, names: list[str], words: list[str], *, corruption: Corruption) -> TextPair:
    a, b, c, *others = names
    around = dict(zip(("function", "before", "before_2", "after", "after_2"), others, strict=False))
    filled = {**around, **{f"w{nth}": word for nth, word in enumerate(words, 1)}}
    filled |= {"A_def": a, "B_def": b, "C_def": c, "A_doc": a, "B_doc": b}
    changed = _changed(others[len(around) :], corruption)
    arguments = [b, a, *(name for slot, name in around.items() if slot in template.slots and slot != "function")]
    return TextPair(
        clean=template.fill(**filled),
        corrupted=template.fill(**{**filled, **changed}),
        answers=(f" {c}",),
        wrong=tuple(f" {name}" for name in dict.fromkeys((*arguments, *changed.values()))),
        corrupted_answers=(f" {changed['C_def']}",) if corruption == "random_answer" else (),
        template=template.id,
        reserved=template.reserved,
        latents={"A": a, "B": b, "C": c, "function": around["function"]},
        roles=_roles(template.places(**filled)),
    )


def _changed(others: list[str], corruption: Corruption) -> dict[str, str]:
    """Return the slots that are filled in another way, all with different names."""
    places = {
        "random_random": SLOTS,
        "random_def": ("A_def", "B_def"),
        "random_doc": ("A_doc", "B_doc"),
        "random_answer": ("C_def",),
    }
    return dict(zip(places[corruption], others, strict=False))


def _roles(places: dict[str, Place]) -> dict[str, Place]:
    """Return the places by the source's names, and the tokens after A and B in the definition, which C is found by."""
    named = {slot: places[slot] for slot in SLOTS}
    return {**named, "A_def+1": named["A_def"]._replace(further=1), "B_def+1": named["B_def"]._replace(further=1)}
