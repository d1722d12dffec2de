"""The words of the grammar, as tokens: a frozen list, so that ids mean the same in every stored model."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour
from interp_lab.types import nearest

BOS, PAD, END, UNKNOWN = "<|bos|>", "<|pad|>", "<|end|>", "<|unk|>"
SPECIAL = (BOS, PAD, END, UNKNOWN)
"""Token 0 starts every context, 1 fills up, 2 ends a text; 3 is never produced by `encode_words`."""
BOS_ID, PAD_ID, END_ID, UNKNOWN_ID = range(len(SPECIAL))
WORD_LIST = Path(__file__).with_name("vocabulary.txt")


@cache
def vocabulary() -> tuple[str, ...]:
    """Return every token, the special ones first; a token's id is its place here."""
    return (*SPECIAL, *WORD_LIST.read_text(encoding="utf-8").split())


@cache
def token_ids() -> dict[str, int]:
    """Return the id of every token."""
    return {word: nth for nth, word in enumerate(vocabulary())}


def encode_words(words: Iterable[str]) -> list[int]:
    """Return the ids of words (no token is added).

    Raises: ValueError, for a word that the grammar does not have; nothing is silently unknown.
    """
    ids = token_ids()
    words = tuple(words)
    try:
        return [ids[word] for word in words]
    except KeyError as unknown:
        word = str(unknown.args[0])
        raise ValueError(f"{word!r} is no word of the grammar{nearest(word, ids)}; see {WORD_LIST.name}") from None


def decode(ids: Iterable[int]) -> str:
    """Return the text of ids: words with single spaces between them, special tokens included.

    Raises: ValueError, for an id outside the vocabulary.
    """
    words, ids = vocabulary(), tuple(ids)
    outside = next((token for token in ids if not 0 <= token < len(words)), None)
    if outside is not None:
        raise ValueError(f"token {outside} is outside the vocabulary of {len(words)}; ids run from 0")
    return " ".join(words[token] for token in ids)


def used_words(behaviours: Iterable[Behaviour], *, n_each: int, seed: int) -> tuple[str, ...]:
    """Return the words of all templates, and those that their slots and answers took in a sample, sorted.

    Args:
        n_each: latents drawn per behaviour; slots are filled by code, so their words are found by drawing.
    """
    words: set[str] = set()
    for behaviour in behaviours:
        slots = {slot for template in behaviour.templates for slot in template.slots}
        rng = np.random.default_rng(seed)
        words |= behaviour.words
        for latents in (behaviour.draw(rng) for _ in range(n_each)):
            filled = behaviour.fill(latents)
            words.update(*(filled[slot].split() for slot in slots), behaviour.wrong(latents))
            words.update(() if behaviour.accepted is None else behaviour.accepted(latents))
    return tuple(sorted(words))


def freeze(words: Sequence[str], path: Path = WORD_LIST) -> None:
    """Write the word list, one word a line; models trained with another list become unreadable."""
    path.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")


def write_tokenizer(directory: Path) -> None:
    """Save a `transformers` tokenizer that gives the same ids as `encode_words`, and opens offline.

    It splits at white space and nowhere else, adds no token of its own, and has its own token for
    each of beginning, padding, end and unknown; decoding gives words with single spaces.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel(token_ids(), unk_token=UNKNOWN))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=BOS,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(directory)
