"""A prompt in which sources stand: which of its tokens are of which source, and what is left without some of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from interp_lab.tasks.encoding import continuations, pieces, prompts, require_room, tokenizer_of
from interp_lab.types import HookedModel

Span = tuple[int, int]
"""First character, and the one after the last."""
Kept = tuple[bool, ...]
"""For each source, whether it is kept."""
Spoken = tuple[tuple[int, ...], tuple[int, ...]]
"""Tokens of a prompt, and of the answer behind it."""

TEMPLATE = "{sources}\n{query}"
"""How a prompt is put together, unless told otherwise: the sources, one a line, and the query behind them."""
_SENTENCE = re.compile(r"\S.*?(?:[.!?]+(?=\s|\Z)|\Z)", re.DOTALL)


@dataclass(frozen=True)
class SourcedText:
    """A prompt as text, and where in it its sources are."""

    prompt: str
    spans: tuple[Span, ...]
    """Characters of each source."""
    query: str
    answer: str | None = None
    """What is asked about, as it goes on; `None` for what the model itself answers."""
    relevant: int | None = None
    """The source that the answer is known to come from."""
    template: str = ""
    reserved: bool = False
    stated: tuple[str, ...] | None = None
    """What each source would have the answer be, where that is known."""
    right: str | None = None
    """The right answer, where it is known."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources themselves."""
        return tuple(self.prompt[start:stop] for start, stop in self.spans)


@dataclass(frozen=True)
class SourcedPrompt:
    """A prompt as tokens, with an answer that is forced behind it."""

    tokens: tuple[int, ...]
    """Of the prompt alone."""
    parts: tuple[tuple[int, ...], ...]
    """Positions of the tokens of each source, white space behind it included."""
    answer: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("there are no sources to ask about; give at least one")
        if not self.answer:
            raise ValueError("the answer is empty, and nothing can be asked about it; give at least one token")
        taken = [at for part in self.parts for at in part]
        if not all(self.parts) or len(set(taken)) < len(taken):
            raise ValueError(f"sources at {self.parts}: each must have tokens, and none may share one with another")
        if not set(taken) <= set(range(len(self.tokens))):
            raise ValueError(f"sources at {self.parts} are not all in a prompt of {len(self.tokens)} tokens")

    @property
    def spoken(self) -> Spoken:
        """The prompt and its answer."""
        return self.tokens, self.answer

    @property
    def whole(self) -> Kept:
        """Every source."""
        return (True,) * len(self.parts)

    def left_out(self, kept: Kept) -> tuple[int, ...]:
        """Return the positions of sources that are not kept.

        Raises: ValueError, unless something is said of each source.
        """
        if len(kept) != len(self.parts):
            raise ValueError(f"{len(kept)} entries for {len(self.parts)} sources; say of each whether it is kept")
        return tuple(sorted(at for own, part in zip(kept, self.parts, strict=True) if not own for at in part))


def put_together(
    query: str, sources: Sequence[str], *, template: str = TEMPLATE, separator: str = "\n"
) -> tuple[str, tuple[Span, ...]]:
    """Return the prompt of a query and its sources, and where in it these are.

    Args:
        template: with `{sources}` and `{query}` in it, each once.
        separator: between sources.

    Raises: ValueError, for a template without them, no sources, or an empty one.
    """
    for name in ("{sources}", "{query}"):
        if template.count(name) != 1:
            raise ValueError(
                f"the template {template!r} must have {name} in it once, and has it {template.count(name)}"
            )
    _require_sources(sources)
    before, _, behind = template.partition("{sources}")
    start = len(before.replace("{query}", query))
    spans = []
    for source in sources:
        spans.append((start, start + len(source)))
        start += len(source) + len(separator)
    return (before.replace("{query}", query) + separator.join(sources) + behind.replace("{query}", query), tuple(spans))


def found_in(prompt: str, sources: Sequence[str]) -> tuple[Span, ...]:
    """Return where sources stand in a prompt that is given as a whole.

    Raises: ValueError, for no sources, an empty one, one that is not in the prompt or not once, or two that overlap.
    """
    _require_sources(sources)
    spans = []
    for nth, source in enumerate(sources):
        starts = [match.start() for match in re.finditer(f"(?={re.escape(source)})", prompt)]
        if len(starts) != 1:
            raise ValueError(
                f"source {nth}, {_short(source)!r}, stands {len(starts)} times in the prompt and must stand there "
                "once, word for word; copy it from there, or leave out the prompt and let it be put together"
            )
        spans.append((starts[0], starts[0] + len(source)))
    _require_apart(spans)
    return tuple(spans)


def sentence_spans(prompt: str, spans: Sequence[Span]) -> tuple[tuple[Span, ...], tuple[int, ...]]:
    """Return the sentences of sources, in order, and which source each is of.

    A sentence ends with `.`, `!` or `?` before white space; abbreviations end one, too.
    """
    found = [
        ((start + one.start(), start + one.end()), nth)
        for nth, (start, stop) in enumerate(spans)
        for one in _SENTENCE.finditer(prompt[start:stop])
    ]
    return tuple(span for span, _ in found), tuple(nth for _, nth in found)


def encoded(
    model: HookedModel, given: Sequence[tuple[str, Sequence[Span], str | tuple[int, ...]]]
) -> list[SourcedPrompt]:
    """Return prompts as tokens, each with the answer behind it.

    Args:
        given: prompt, spans of its sources, and the answer, as text or tokens; a text that begins without white space
            behind a prompt that ends without is given a space.

    Raises: ValueError, for no or empty sources, an empty answer, sources that share a token with what is beside them, a
        prompt that with its answer does not fit the context, or a word that the tokenizer does not know.
    """
    read = prompts(model, [prompt for prompt, _, _ in given])
    where = _offsets(model, [prompt.text for prompt in read])
    both = zip(read, (says for _, _, says in given), strict=True)
    written = [(one, _as_it_goes_on(one.text, says)) for one, says in both if isinstance(says, str)]
    rest = iter(continuations(model, written))
    made = []
    for prompt, (_, spans, says), offsets in zip(read, given, where, strict=True):
        answer = next(rest) if isinstance(says, str) else says
        parts = _parts(prompt.text, spans, offsets, first=len(prompt.ids) - len(offsets))
        made.append(SourcedPrompt(prompt.ids, parts, answer))
        require_room(model, len(prompt.ids) + len(answer) - 1, what="the prompt with its sources and the answer")
    return made


def token_texts(model: HookedModel, tokens: Sequence[int]) -> list[str]:
    """Return tokens as text; without a tokenizer, their numbers."""
    return [str(token) for token in tokens] if getattr(model, "tokenizer", None) is None else pieces(model, tokens)


def _require_sources(sources: Sequence[str]) -> None:
    if isinstance(sources, str):
        raise ValueError(f"sources is the single text {_short(sources)!r}; give a list of sources")
    if not sources:
        raise ValueError("there are no sources to ask about; give at least one")
    empty = [nth for nth, source in enumerate(sources) if not source.strip()]
    if empty:
        raise ValueError(f"source {empty[0]} is empty; leave it out")


def _require_apart(spans: Sequence[Span]) -> None:
    order = sorted(range(len(spans)), key=lambda nth: spans[nth])
    for one, other in pairwise(order):
        if spans[one][1] > spans[other][0]:
            raise ValueError(f"sources {one} and {other} overlap in the prompt; give sources that stand apart")


def _as_it_goes_on(prompt: str, answer: str) -> str:
    if not answer.strip():
        raise ValueError("the answer is empty, and nothing can be asked about it; give at least one word")
    return answer if answer[0].isspace() or prompt[-1:].isspace() else f" {answer}"


def _offsets(model: HookedModel, texts: Sequence[str]) -> list[list[Span]]:
    tokenizer = tokenizer_of(model)
    if not tokenizer.is_fast:
        raise ValueError("the tokenizer does not say where in a text its tokens are; use its fast version")
    return tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
        "offset_mapping"
    ]


def _parts(text: str, spans: Sequence[Span], offsets: Sequence[Span], *, first: int) -> tuple[tuple[int, ...], ...]:
    """Return the tokens of each source, and those behind it that are white space alone."""
    _require_apart(spans)
    parts = []
    for nth, (start, stop) in enumerate(spans):
        own = [at for at, (begin, end) in enumerate(offsets) if begin < stop and end > start]
        if not own:
            raise ValueError(f"source {nth}, {_short(text[start:stop])!r}, has no token in the prompt; leave it out")
        begin, end = offsets[own[0]][0], offsets[own[-1]][1]
        if text[min(begin, start) : start].strip() or text[stop : max(end, stop)].strip():
            raise ValueError(
                f"source {nth}, {_short(text[start:stop])!r}, shares a token with the text beside it; put white space "
                "between them"
            )
        at = own[-1] + 1
        while at < len(offsets) and not text[slice(*offsets[at])].strip():
            own.append(at)
            at += 1
        parts.append(tuple(first + at for at in own))
    return tuple(parts)


def _short(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
