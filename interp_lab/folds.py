"""Which examples may be seen: every text belongs to one of two folds by what it says, whoever draws it, and wherever.

What is searched for on one fold (the best setting of a sweep) is reported on the other, and no text is in both:
neither the seed, nor the order, the file or the number that is asked for moves a text to the other fold. Whatever
draws examples asks here which of them it may draw; experiments enter the fold that their config names.

The rule for what consists of several texts: one that is drawn (a pair of prompts, a contrast) is seen where all its
texts are, so that none of them is ever seen in the other fold; a line of a file, of which there are no others, is
decided as a whole, together with the lines that share a text with it (`lines_shown`): those alone can move it, if they
are added or taken away between a search and its report.

What an earlier run made (a direction, an autoencoder, a circuit) carries what it read: held-out examples, if its fold
was `held_out` or `all`. So while one fold is in force, nothing may be used but what was made in `search`
(`require_made_in`); while that is `all`, anything. Each run that used something was held to this when it did, so that
of a chain of artefacts the last link alone is asked about. What no run of ours made (what comes with the package or
from a hub, what is handed over in memory) says nothing of a fold: it may be used, and provenance says that it was
(`note_beyond`). Models are what is measured, and are not asked.
"""

import math
import unicodedata
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, TypeVar

from interp_lab.seals import FoldError, closed, open_templates, require_open, reserved_closed, sealed

__all__ = [
    "Fold", "FoldError", "beyond_now", "first_shown", "fold_of", "lines_shown", "more_draws", "normal", "note_beyond",
    "open_templates", "require_made_in", "reserved_closed", "sealed", "seen_now", "shows", "told", "visible",
]  # fmt: skip

T = TypeVar("T")
Fold = Literal["all", "search", "held_out"]
"""What may be seen: one fold, or both."""
_ONE_IN = 3
"""Of so many texts one is held out."""
_SALT = b"interp_lab fold"
"""Makes this division independent of every other one by the same hash, such as that of `sae` text into train and
held-out sides."""
_SPARE = 1.2
"""Draws beyond those that are needed on average."""
_MOST = 10_000
"""Draws for one example."""


@dataclass(frozen=True)
class _InForce:
    fold: Fold
    beyond: dict[str, None] = field(default_factory=dict)
    """What was used meanwhile that says nothing of a fold, in order."""


_now: ContextVar[_InForce] = ContextVar("in force", default=_InForce("all"))  # noqa: B039 - nothing is noted in `all`


@contextmanager
def visible(fold: Fold) -> Generator[None]:
    """Let nothing but one fold be drawn inside the `with` block; `all` opens nothing that is closed around it.

    This is the only way into a fold: what one may have to show before it opens belongs here.

    Raises: ValueError, for one fold within the other; FoldError, for what is held out while it is `sealed`.
    """
    around = _now.get()
    if fold == "held_out":
        require_open("held-out examples")
    if "all" not in (fold, around.fold) and fold != around.fold:
        raise ValueError(f"fold {fold!r} cannot be opened where only {around.fold!r} may be seen; leave that one first")
    token = _now.set(around if fold in ("all", around.fold) else _InForce(fold))
    try:
        yield
    finally:
        _now.reset(token)


def seen_now() -> Fold:
    """Return what may be seen here; whoever reads later asks when asked, and keeps the answer."""
    fold = _now.get().fold
    return "search" if fold == "all" and closed() else fold


def require_made_in(made: Fold, *, what: str, fold: Fold | None = None) -> None:
    """Refuse an artefact that may have been made from held-out examples, while one fold is in force.

    Args:
        made: the fold of the run that made it.
        what: it is, and where, for the error.
        fold: that is in force; `None` asks now.

    Raises: FoldError.
    """
    seen = seen_now() if fold is None else fold
    if seen == "all" or made == "search":
        return
    why = {
        "search": "held-out examples would come into the search by it",
        "held_out": "what is measured with it would be no longer held out from it",
    }[seen]
    raise FoldError(
        f"{what} was made in fold {made!r}, and fold {seen!r} is in force: {why}. Use what was made in fold 'search': "
        "make it again with --fold=search, or set fold to all here, where nothing is called held out"
    )


def note_beyond(what: str) -> None:
    """Note that something was used that says nothing of a fold; where all may be seen, there is nothing to note."""
    if seen_now() != "all":
        _now.get().beyond[what] = None


def beyond_now() -> tuple[str, ...]:
    """Return what was used since the fold was opened that says nothing of a fold."""
    return tuple(_now.get().beyond)


def fold_of(*texts: str) -> Fold:
    """Return the fold, `search` or `held_out`, of one text, or of several that are decided together in any order.

    White space and the form of Unicode do not matter. A third of all texts is held out.
    """
    return _fold(_number(texts))


def shows(*texts: str, fold: Fold | None = None) -> bool:
    """Return whether every one of some texts may be seen.

    Args:
        fold: as `seen_now` said; `None` asks now.
    """
    seen = seen_now() if fold is None else fold
    return seen == "all" or all(fold_of(text) == seen for text in texts)


def lines_shown(lines: Sequence[Sequence[str]]) -> list[bool]:
    """Return which lines of a file may be seen, each given by its texts; those that share a text are in one fold."""
    seen = seen_now()
    if seen == "all":
        return [True] * len(lines)
    group = list(range(len(lines)))  # towards the first line of those that belong together

    def first_of(nth: int) -> int:
        while group[nth] != nth:
            group[nth] = group[group[nth]]
            nth = group[nth]
        return nth

    holder: dict[str, int] = {}
    for nth, texts in enumerate(lines):
        for text in map(normal, texts):
            one, other = sorted((first_of(nth), first_of(holder.setdefault(text, nth))))
            group[other] = one
    numbers: dict[int, int] = {}
    for nth, texts in enumerate(lines):
        own = _number(texts)
        numbers[first_of(nth)] = min(numbers.get(first_of(nth), own), own)
    return [_fold(numbers[first_of(nth)]) == seen for nth in range(len(lines))]


def first_shown(draw: Callable[[], T], texts_of: Callable[[T], Iterable[str]], *, what: str) -> T:
    """Draw until all texts of an example may be seen.

    Args:
        what: is drawn from, for the error.

    Raises: ValueError, if nothing is found.
    """
    drawn = draw()
    for _ in range(_MOST):
        if shows(*texts_of(drawn)):
            return drawn
        drawn = draw()
    raise ValueError(f"none of {_MOST} draws of {what} is{told()}; draw from more, or set fold to all")


def more_draws(*, texts: int = 1) -> int:
    """Return by how much to multiply draws so that as many examples of some texts each are left: 1 where all are."""
    share = {"all": 1.0, "search": 1 - 1 / _ONE_IN, "held_out": 1 / _ONE_IN}[seen_now()]
    return 1 if share == 1 else math.ceil(_SPARE / share**texts)


def told() -> str:
    """Return what messages say after the number of what there is: nothing, where all may be seen."""
    seen = seen_now()
    return "" if seen == "all" else f" in the fold {seen!r}"


def normal(text: str) -> str:
    """Return a text as it is compared: composed characters, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _fold(number: int) -> Fold:
    return "held_out" if number % _ONE_IN == 0 else "search"


def _number(texts: Iterable[str]) -> int:
    data = "\0".join(sorted(map(normal, texts))).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8, person=_SALT).digest(), "little")
