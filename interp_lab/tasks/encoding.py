"""Text to token ids and back, as the model was trained to read it: one BOS or none, nothing silently unknown.

TransformerLens's own `to_tokens` doubles a BOS that stands in the text already and cuts long text without a word;
nothing here does either.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Prompt:
    """A text and its token ids."""

    text: str
    ids: tuple[int, ...]
    """BOS included, if the model reads one."""
    bos: bool
    """Whether BOS was put in front; a continuation of the text is encoded in the same way."""


def tokenizer_of(model: HookedModel) -> Any:  # noqa: ANN401 - any transformers tokenizer
    """Return the tokenizer of a model.

    Raises: ValueError, if it has none.
    """
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None:
        raise ValueError("the model has no tokenizer, so it cannot read text; load one that has, or use token ids")
    return tokenizer


def prepends_bos(model: HookedModel) -> bool:
    """Whether the model was trained on text that begins with a BOS token."""
    return bool(model.cfg.default_prepend_bos) and tokenizer_of(model).bos_token_id is not None


def encode(model: HookedModel, texts: Sequence[str], *, bos: bool | None = None) -> list[tuple[int, ...]]:
    """Return the token ids of texts.

    Args:
        bos: whether to put the BOS token in front of texts that do not begin with it; `None` does as the model
            was trained.

    Raises: ValueError, if there is no tokenizer.
    """
    tokenizer = tokenizer_of(model)
    if not texts:
        return []
    bos = prepends_bos(model) if bos is None else bos
    rows = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    first = tokenizer.bos_token_id
    return [(first, *row) if bos and row[:1] != [first] else tuple(row) for row in rows]


def prompts(model: HookedModel, texts: Sequence[str], *, chat: bool = False, system: str | None = None) -> list[Prompt]:
    """Return prompts for the model, each either the text itself or a chat in which a user has just said it.

    Whether a chat begins with BOS is for the tokenizer's chat template to say.

    Args:
        system: what the chat begins with; needs `chat`.

    Raises: ValueError, for empty text, a word that the tokenizer does not know, a prompt longer than the context, or a
        chat without chat template.
    """
    if system is not None and not chat:
        raise ValueError("a system message needs a chat; give chat=True")
    written = [chat_text(model, text, system=system) for text in texts] if chat else list(texts)
    bos = False if chat else prepends_bos(model)
    rows = encode(model, written, bos=bos)
    for text, ids in zip(written, rows, strict=True):
        if not text:
            raise ValueError("a prompt is empty; give at least one word")
        require_known(model, text, ids, what="prompt")
        require_room(model, len(ids), what=f"the prompt {text!r}")
    return [Prompt(text, ids, bos) for text, ids in zip(written, rows, strict=True)]


def chat_text(model: HookedModel, said: str, *, system: str | None = None) -> str:
    """Return a chat as text, up to where the model's reply begins.

    Raises: ValueError, if the tokenizer has no chat template.
    """
    tokenizer = tokenizer_of(model)
    if getattr(tokenizer, "chat_template", None) is None:
        raise ValueError("the tokenizer has no chat template; use the text as it is (chat=False)")
    opening = [] if system is None else [{"role": "system", "content": system}]
    messages = [*opening, {"role": "user", "content": said}]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def continuations(model: HookedModel, pairs: Iterable[tuple[Prompt, str]]) -> list[tuple[int, ...]]:
    """Return the tokens that each text adds to its prompt, encoded together with it.

    Raises: ValueError, for a continuation that has no tokens, holds an unknown word, or melts into the prompt.
    """
    pairs = list(pairs)
    unique: dict[tuple[str, bool], tuple[int, ...]] = {}
    for bos in (False, True):
        wanted = list(dict.fromkeys(prompt.text + text for prompt, text in pairs if prompt.bos is bos))
        rows = encode(model, wanted, bos=bos)
        unique.update({(text, bos): ids for text, ids in zip(wanted, rows, strict=True)})
    added, unknown = [], tokenizer_of(model).unk_token_id
    for prompt, text in pairs:
        ids = unique[prompt.text + text, prompt.bos]
        if ids[: len(prompt.ids)] != prompt.ids:
            raise ValueError(
                f"the tokenizer joins {text!r} with the end of the prompt {prompt.text!r}; begin it with a space, and "
                "end the prompt without one"
            )
        rest = ids[len(prompt.ids) :]
        if not rest:
            raise ValueError(f"the tokenizer cannot express {text!r} after {prompt.text!r}: it becomes no token at all")
        if unknown in rest:
            require_known(model, text, rest, what="answer")
        added.append(rest)
    return added


def one_token_words(
    model: HookedModel, words: Sequence[str], *, after: str = "the", between: str = " ", need: int = 1
) -> list[str]:
    """Return the words that the tokenizer writes as one token of their own behind some text.

    Args:
        after: the text, without a space at its end.
        between: what separates a word from it.
        need: how many the task cannot do without.

    Raises: ValueError, if fewer remain.
    """
    tokenizer = tokenizer_of(model)
    before, *rows = encode(model, [after, *(f"{after}{between}{word}" for word in words)])
    kept: dict[int, str] = {}
    for word, ids in zip(words, rows, strict=True):
        single = len(ids) == len(before) + 1 and ids[:-1] == before
        if single and ids[-1] not in (tokenizer.unk_token_id, *kept):
            kept[ids[-1]] = word
    if len(kept) < need:
        raise ValueError(
            f"only {len(kept)} of {len(words)} words ({', '.join(words[:3])}, ...) are one token of their own for this "
            f"tokenizer, and the task needs {need}; use another model, or a task from the grammar for the organisms"
        )
    return list(kept.values())


def pieces(model: HookedModel, ids: Sequence[int]) -> list[str]:
    """Return tokens as text, one string each."""
    tokenizer = tokenizer_of(model)
    return [tokenizer.decode([token]) for token in ids]


def spellings(model: HookedModel, ids: Iterable[int]) -> dict[int, str]:
    """Return the text of tokens; without a tokenizer, their numbers.

    Tokens that are part of a character have no text: they are spelt as in the tokenizer's vocabulary.
    """
    tokenizer, wanted = getattr(model, "tokenizer", None), sorted(set(ids))
    if tokenizer is None:
        return {token: str(token) for token in wanted}
    own = tokenizer.convert_ids_to_tokens(wanted)
    texts = zip(wanted, own, pieces(model, wanted), strict=True)
    return {token: str(spelt) if not text or "\ufffd" in text else text for token, spelt, text in texts}


def pair_label(clean: str, corrupted: str) -> str:
    """Return a token to be read, `clean/corrupted` where two differ."""
    one, other = _readable(clean), _readable(corrupted)
    if clean == corrupted:
        return one
    return f"{one}/{other}" if one != other else f"{clean}/{corrupted}"


def _readable(piece: str) -> str:
    return piece.strip(" ").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") or repr(piece)


def require_known(model: HookedModel, text: str, ids: Sequence[int], *, what: str) -> None:
    """Refuse ids that hold the unknown token.

    Raises: ValueError, quoting the text.
    """
    tokenizer = tokenizer_of(model)
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown == tokenizer.bos_token_id or unknown not in ids or tokenizer.unk_token in text:
        return
    words = [word for word in text.split() if unknown in tokenizer(word, add_special_tokens=False)["input_ids"]]
    strange = ", ".join(map(repr, words[:5])) or repr(text)
    raise ValueError(f"the tokenizer cannot express the {what} {text!r}: it does not know {strange}")


def require_room(model: HookedModel, n_tokens: int, *, what: str) -> None:
    """Refuse what is longer than the context; nothing is cut.

    Raises: ValueError.
    """
    n_ctx = int(model.cfg.n_ctx)
    if n_tokens > n_ctx:
        raise ValueError(f"{what} has {n_tokens} tokens, more than the context of {n_ctx}; shorten it")
