"""Texts to watch: where the model begins to write, what it writes, and whether one is to be warned of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from interp_lab import folds
from interp_lab.decoding import DecodingSettings, decode
from interp_lab.organisms.grammar import Behaviour, Example, Template
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.tasks.encoding import continuations, encode, prompts, require_known
from interp_lab.tasks.grammar import templates_of
from interp_lab.tasks.sentences import in_turn
from interp_lab.types import HookedModel, nearest

_TRIES = 400
"""Draws for one text."""
_Drawn = tuple[str, str, Example]
"""A text up to where the model begins to write, up to where it is read, and whence it comes."""


@dataclass(frozen=True)
class Cases:
    """Texts up to where they are read, as words and as tokens."""

    texts: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]
    prompt_lengths: tuple[int, ...]
    """Tokens before the model begins to write."""
    labels: Bool[np.ndarray, " text"]
    """Whether it is to be warned of."""
    templates: tuple[str, ...]
    answers: tuple[str, ...]
    """The word that each text, as it was drawn, goes on with."""
    n_new: int
    """Tokens that the model writes to say what it says."""
    written: tuple[tuple[int, ...], ...] = ()
    """What it writes unwatched."""

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, index: Sequence[int] | Int[np.ndarray, " row"]) -> "Cases":
        """Return some of the texts."""
        chosen = [int(nth) for nth in index]
        names = ("texts", "ids", "prompt_lengths", "templates", "answers", "written")
        each = {name: tuple(getattr(self, name)[nth] for nth in chosen) for name in names if getattr(self, name)}
        return replace(self, labels=self.labels[chosen], **each)

    @property
    def prompts(self) -> list[list[int]]:
        """Tokens before the model begins to write."""
        return [list(ids[:n]) for ids, n in zip(self.ids, self.prompt_lengths, strict=True)]


@dataclass
class Drawing:
    """Draws cases; no text comes twice, in whatever part."""

    model: HookedModel
    config: MonitorsConfig
    taken: set[str]

    def cases(self, n: int, *, part: int, reserved: bool = False, rewritten: bool = False) -> Cases:
        """Draw so many texts, templates in turn.

        Args:
            part: its number; each has draws of its own.
            rewritten: with one of the config's paraphrases in each.

        Raises: ValueError, for a behaviour, latent, value or slot that there is not, texts that the tokenizer cannot
            express, or fewer different texts than are asked for.
        """
        c, source = self.config, behaviour(self.config.behaviour)
        rng = np.random.default_rng([c.seed, part])
        phrases = list(c.paraphrases.items()) if rewritten else [("", "")]
        turns = in_turn(templates_of(source, reserved), n, rng=rng)
        drawn = [self._one(source, one, rng, phrases[nth % len(phrases)]) for nth, one in enumerate(turns)]
        return self._encoded(drawn)

    def _one(self, source: Behaviour, template: Template, rng: np.random.Generator, phrase: tuple[str, str]) -> _Drawn:
        c = self.config
        tries = _TRIES * folds.more_draws(texts=3)
        for _ in range(tries):
            example = source.example(template, source.draw(rng))
            self._require_known_latents(example)
            if any(str(example.latents[name]) != value for name, value in c.where.items()):
                continue
            start, text = _cut(example, c)
            old, new = phrase
            if old and f" {old} " not in f" {text} ":
                continue
            if old:
                start, text = (f" {one} ".replace(f" {old} ", f" {new} ").strip() for one in (start, text))
            if text in self.taken or not folds.shows(example.prompt, start, text):
                continue
            self.taken.add(text)
            return start, text, example
        told = f" with {phrase[0]!r} in it" if phrase[0] else ""
        raise ValueError(
            f"in {tries} texts of {source.name}{folds.told()} none was new{told}; ask for fewer texts, or look at "
            "`where`"
        )

    def _require_known_latents(self, example: Example) -> None:
        for name in (self.config.label, *self.config.where):
            if name not in example.latents:
                raise ValueError(
                    f"{example.behaviour} has no latent {name!r}{nearest(name, example.latents)}; it has "
                    f"{', '.join(example.latents)}"
                )

    def _encoded(self, drawn: Sequence[_Drawn]) -> Cases:
        c, model = self.config, self.model
        texts = [text for _, text, _ in drawn]
        ids, starts = encode(model, texts), encode(model, [start for start, _, _ in drawn])
        for text, row, start in zip(texts, ids, starts, strict=True):
            require_known(model, text, row, what="text")
            if row[: len(start)] != start:
                raise ValueError(
                    f"the tokenizer joins words where the model begins to write in {text!r}; cut elsewhere"
                )
        labels = np.array([str(example.latents[c.label]) in c.alarming for _, _, example in drawn])
        n_new = max(len(row) - len(start) for row, start in zip(ids, starts, strict=True)) + 1
        examples = [example for _, _, example in drawn]
        found = Cases(
            tuple(texts), tuple(ids), tuple(map(len, starts)), labels, tuple(one.template for one in examples),
            tuple(one.answer for one in examples), n_new,
        )  # fmt: skip
        return found if c.says is None else said(model, found, c)


def said(model: HookedModel, cases: Cases, config: MonitorsConfig) -> Cases:
    """Return the cases with what the model writes, labelled by whether it says what it should not."""
    written: list[tuple[int, ...]] = []
    for start in range(0, len(cases), config.batch_size):
        rows = cases.prompts[start : start + config.batch_size]
        written += decode(model, rows, DecodingSettings(max_new_tokens=cases.n_new, stop_tokens=())).tokens
    return replace(cases, written=tuple(written), labels=says_it(model, written, config))


def says_it(model: HookedModel, written: Sequence[Sequence[int]], config: MonitorsConfig) -> Bool[np.ndarray, " text"]:
    """Return in which of the texts that were written one of the words stands.

    Raises: ValueError, for a word that the tokenizer does not know.
    """
    runs = []
    for word in config.says or ():
        for spelt in dict.fromkeys((word, f" {word}")):
            (ids,) = encode(model, [spelt], bos=False)
            require_known(model, word, ids, what="word")
            runs.append(tuple(ids))
    return np.array([any(_stands_in(run, new) for run in runs) for new in written], dtype=bool)


def begun_with(model: HookedModel, fit: Cases, config: MonitorsConfig) -> tuple[int, ...]:
    """Return ids that words to be warned of begin with: what should not be written, or what such texts went on with.

    Raises: ValueError, as `continuations`.
    """
    behind = dict.fromkeys(config.says or (), 0)
    if config.says is None:
        behind = {fit.answers[nth]: int(nth) for nth in np.flatnonzero(fit.labels)}
    before = prompts(model, [fit.texts[nth] for nth in behind.values()])
    added = continuations(model, [(one, f" {word}") for one, word in zip(before, behind, strict=True)])
    return tuple(sorted({ids[0] for ids in added}))


def _stands_in(run: tuple[int, ...], ids: Sequence[int]) -> bool:
    return any(tuple(ids[at : at + len(run)]) == run for at in range(len(ids) - len(run) + 1))


def _cut(example: Example, config: MonitorsConfig) -> tuple[str, str]:
    """Return a text up to where the model begins to write, and up to where it is read."""
    slots = [labels.get("slot") for labels in example.labels]
    if config.begins not in slots:
        raise ValueError(f"{example.template} has no slot {config.begins!r}; it has {sorted({s for s in slots if s})}")
    begin = slots.index(config.begins) - config.words_before
    end = example.answer_at
    if config.until is not None:
        own = [nth for nth, slot in enumerate(slots[:end]) if slot in config.until]
        if not own:
            raise ValueError(f"{example.template} has none of the slots {list(config.until)} before its answer")
        end = own[-1] + 1
    if not 0 < begin <= end:
        raise ValueError(
            f"{example.template} would begin at word {begin} and be read up to word {end}; use fewer words_before, or "
            "another slot"
        )
    return " ".join(example.words[:begin]), " ".join(example.words[:end])
