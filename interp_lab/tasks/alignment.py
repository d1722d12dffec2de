"""From pairs of texts to pairs of token rows: checked to be aligned, different, answerable, and within the context."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from interp_lab.folds import first_shown
from interp_lab.hooks import device_of
from interp_lab.organisms.grammar import Value
from interp_lab.tasks.batch import Padding, pad_rows, pad_token
from interp_lab.tasks.encoding import Prompt, continuations, pieces, prompts, require_room, spellings
from interp_lab.tasks.pairs import Answer, AnswerSets, Pairs
from interp_lab.tasks.roles import Place, role_positions, token_indices
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class TextPair:
    """One pair before it is tokenized."""

    clean: str
    corrupted: str
    answers: tuple[str, ...]
    """What follows the clean prompt, the space in front included: `" Mary"`."""
    wrong: tuple[str, ...]
    template: str
    corrupted_answers: tuple[str, ...] = ()
    reserved: bool = False
    latents: Mapping[str, Value] = field(default_factory=dict)
    roles: Mapping[str, Place] = field(default_factory=dict)
    """Where in `clean` what stands; the tokens of the corrupted prompt are in the same places."""


def shown_pair(draw: Callable[[], TextPair], *, what: str) -> TextPair:
    """Draw until both prompts of a pair may be seen (see `folds`).

    Raises: ValueError, naming `what` is drawn from, if nothing is found.
    """
    return first_shown(draw, lambda pair: (pair.clean, pair.corrupted), what=what)


def tokenize_pairs(
    model: HookedModel,
    pairs: Sequence[TextPair],
    *,
    name: str,
    several_tokens: bool = False,
    padding: Padding = "right",
    chat: bool = False,
    system: str | None = None,
) -> Pairs:
    """Tokenize pairs for a model, on its device.

    Args:
        name: of the task.
        several_tokens: allow answers of more than one token; they are measured with teacher forcing.
        chat: put each prompt into the tokenizer's chat template, as what the user said; answers begin the reply.
        system: what the chat begins with.

    Raises: ValueError, for no pairs, prompts that are equal or of different length in tokens, answers that the
        tokenizer cannot express, answers that are both right and wrong, or what does not fit the context.
    """
    require_pairs(pairs)
    clean = prompts(model, [pair.clean for pair in pairs], chat=chat, system=system)
    corrupted = prompts(model, [pair.corrupted for pair in pairs], chat=chat, system=system)
    for one, other in zip(clean, corrupted, strict=True):
        _require_aligned(model, one, other)
    answers = _answer_sets(model, clean, [pair.answers for pair in pairs], several_tokens=several_tokens)
    wrong = _answer_sets(model, clean, [pair.wrong for pair in pairs], several_tokens=several_tokens)
    after = _answer_sets(model, corrupted, [pair.corrupted_answers for pair in pairs], several_tokens=several_tokens)
    for pair, prompt, right, false in zip(pairs, clean, answers, wrong, strict=True):
        _require_distinct(pair, right, false)
        longest = max(map(len, (*right, *false)))
        require_room(model, len(prompt.ids) + longest - 1, what=f"the prompt {prompt.text!r} with its answer")
    return pairs_of_rows(
        model,
        pairs,
        clean=[prompt.ids for prompt in clean],
        corrupted=[prompt.ids for prompt in corrupted],
        texts=([prompt.text for prompt in clean], [prompt.text for prompt in corrupted]),
        answers=(answers, wrong, after),
        roles=token_indices(model, clean, [pair.clean for pair in pairs], [pair.roles for pair in pairs]),
        name=name,
        padding=padding,
    )


def pairs_of_rows(
    model: HookedModel,
    pairs: Sequence[TextPair],
    *,
    clean: Sequence[Answer],
    corrupted: Sequence[Answer],
    texts: tuple[Sequence[str], Sequence[str]],
    answers: tuple[AnswerSets, AnswerSets, AnswerSets],
    roles: Sequence[Mapping[str, int]],
    name: str,
    padding: Padding = "right",
) -> Pairs:
    """Lay token rows out as `Pairs`; what is said in tokens here takes the place of the words in `pairs`.

    Args:
        texts: of clean and corrupted prompts.
        answers: right and wrong ones after the clean prompt, and right ones after the corrupted one.
        roles: for each pair the token of each role, counted from the first of the row; `roles.GIVEN` are found here,
            but for `start`.
    """
    pad, device = pad_token(model), device_of(model)
    tokens, mask = pad_rows(clean, pad=pad, padding=padding)
    others, _ = pad_rows(corrupted, pad=pad, padding=padding)
    last = mask.long().argmax(1) + mask.sum(1) - 1
    positions = role_positions(roles, mask=mask, changed=tokens != others, last=last)
    used = {token for row in (*clean, *corrupted) for token in row}
    used |= {token for sets in answers for chosen in sets for answer in chosen for token in answer}
    return Pairs(
        task=name,
        clean=tokens.to(device),
        corrupted=others.to(device),
        mask=mask.to(device),
        answer_position=last.to(device),
        answers=answers[0],
        wrong=answers[1],
        corrupted_answers=answers[2],
        templates=tuple(pair.template for pair in pairs),
        reserved=tuple(pair.reserved for pair in pairs),
        latents=tuple(pair.latents for pair in pairs),
        clean_texts=tuple(texts[0]),
        corrupted_texts=tuple(texts[1]),
        roles={role: at.to(device) for role, at in positions.items()},
        spelling=spellings(model, used),
        pad=pad,
        padding=padding,
    )


def require_pairs(pairs: Sequence[TextPair]) -> None:
    """Refuse an empty data set, and pairs that say nothing.

    Raises: ValueError, quoting the pair.
    """
    if not pairs:
        raise ValueError("no pairs; give at least one")
    for pair in pairs:
        if pair.clean == pair.corrupted:
            raise ValueError(f"clean and corrupted are the same text, {pair.clean!r}; they must differ in one thing")
        if not pair.answers or not pair.wrong:
            raise ValueError(f"{pair.clean!r} has answers {pair.answers} and wrong answers {pair.wrong}; give both")


def _require_aligned(model: HookedModel, clean: Prompt, corrupted: Prompt) -> None:
    if len(clean.ids) != len(corrupted.ids):
        raise ValueError(
            f"clean and corrupted must have the same number of tokens, and have {len(clean.ids)} and "
            f"{len(corrupted.ids)}: {clean.text!r} is {pieces(model, clean.ids)}, {corrupted.text!r} is "
            f"{pieces(model, corrupted.ids)}; choose words of equally many tokens"
        )
    if clean.ids == corrupted.ids:
        raise ValueError(f"{clean.text!r} and {corrupted.text!r} are the same tokens; they must differ in one thing")


def _answer_sets(
    model: HookedModel, after: Sequence[Prompt], answers: Sequence[tuple[str, ...]], *, several_tokens: bool
) -> AnswerSets:
    flat = [(prompt, answer) for prompt, chosen in zip(after, answers, strict=True) for answer in chosen]
    encoded = continuations(model, flat)
    for (prompt, answer), ids in zip(flat, encoded, strict=True):
        if len(ids) > 1 and not several_tokens:
            raise ValueError(
                f"the answer {answer!r} after {prompt.text!r} is {len(ids)} tokens, {pieces(model, ids)}; choose "
                "another, or allow several_tokens=True and measure its log-probability"
            )
    remaining = iter(encoded)
    return tuple(tuple(next(remaining) for _ in chosen) for chosen in answers)


def _require_distinct(pair: TextPair, right: tuple[Answer, ...], wrong: tuple[Answer, ...]) -> None:
    said = dict(zip(right, pair.answers, strict=True))
    for ids, text in zip(wrong, pair.wrong, strict=True):
        if ids in said:
            raise ValueError(
                f"{text!r} is a wrong answer to {pair.clean!r} and the same token as the answer {said[ids]!r}"
            )
    for sets, texts in ((right, pair.answers), (wrong, pair.wrong)):
        if len(set(sets)) < len(sets):
            raise ValueError(f"two of the answers {texts} to {pair.clean!r} are the same tokens; give each once")
