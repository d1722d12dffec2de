"""What steered models write, measured: words of either side, fluency, repetition, and what was touched."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float

from interp_lab.decoding import DecodingSettings
from interp_lab.effects import metric_values
from interp_lab.experiment import Progress, silent
from interp_lab.metrics import next_token_loss
from interp_lab.steering.generated.config import GeneratedConfig
from interp_lab.steering.generated.continuations import MEASURES
from interp_lab.steering.generated.generated import Generated
from interp_lab.steering.generated.lexicon import Lexicon, balance, lexicon_of, lexicon_shares, marks
from interp_lab.steering.generated.repetition import repetition
from interp_lab.steering.generated.writing import Subject, Written, written
from interp_lab.steering.prompts import TraitPrompts
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.tasks.encoding import tokenizer_of
from interp_lab.types import HookedModel

FEWEST = 4
"""Openings that make a mean worth having."""
Classifier = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
"""`(openings, continuations) -> one number each`, higher for the positive side."""


def generated_of(
    model: HookedModel,
    prompts: TraitPrompts,
    subjects: Sequence[Subject],
    config: GeneratedConfig,
    *,
    classifier: Classifier | None = None,
    level: float = 0.95,
    progress: Progress = silent,
) -> Generated:
    """Let the model continue the same openings without steering, under each subject, and under its random directions.

    Args:
        prompts: those whose openings are continued; of several with the same opening the first is taken, and where
            fewer than the config's `n_prompts` are left, all of them.
        subjects: each with as many random directions as any other.
        classifier: a target of your own, beside the words.
        level: of the intervals.

    Raises: ValueError, for no subjects, too few random directions or different openings, no words to count and no
        classifier, or as `decode`.
    """
    _require_subjects(subjects, config)
    rows, given = _openings(prompts, config)
    lexicons = _lexicons(model, prompts.rows(rows), config)
    if classifier is None:
        _require_words(lexicons, prompts.trait)
    variants: list[Subject | None] = [None, *subjects]
    variants += [one.drawn(nth) for one in subjects for nth in range(len(one.random))]
    found = written(
        model, [opening for _ in variants for opening in given], [one for one in variants for _ in given],
        _settings(model, given, config) * len(variants), rows_at_once=config.rows_at_once, progress=progress,
    )  # fmt: skip
    tokenizer = tokenizer_of(model)
    openings = [tokenizer.decode(list(one), skip_special_tokens=True) for one in given]
    values = _values(model, lexicons, given, found)
    if classifier is not None:
        values["classifier"] = _classified(classifier, openings * len(variants), found.texts)
    shape = (len(variants), len(given))
    return Generated(
        trait=prompts.trait,
        names=tuple(one.setting.name for one in subjects),
        n_random=len(subjects[0].random),
        openings=tuple(openings),
        templates=tuple(prompts.templates[row] for row in rows.tolist()),
        continuations=tuple(tuple(found.texts[i * shape[1] : (i + 1) * shape[1]]) for i in range(shape[0])),
        values={name: array.reshape(shape) for name, array in values.items()},
        level=level,
    )


def _require_subjects(subjects: Sequence[Subject], config: GeneratedConfig) -> None:
    if not subjects:
        raise ValueError("no settings to write under; give at least one")
    n_random = {len(one.random) for one in subjects}
    if n_random != {config.n_random}:
        raise ValueError(f"{sorted(n_random)} random directions beside the settings; give n_random={config.n_random}")


def _openings(prompts: TraitPrompts, config: GeneratedConfig) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Return which prompts are continued, and what is given of each."""
    chosen: dict[tuple[int, ...], int] = {}
    for row, (tokens, last) in enumerate(zip(prompts.tokens.tolist(), prompts.last.tolist(), strict=True)):
        stop = last + 1 if config.opening is None else min(config.opening, last + 1)
        chosen.setdefault(tuple(tokens[:stop]), row)
    if len(chosen) < FEWEST:
        raise ValueError(
            f"{len(chosen)} different openings, and it takes {FEWEST}; give more prompts, or a longer opening"
        )
    kept = list(chosen.items())[: config.n_prompts]
    return np.array([row for _, row in kept]), [opening for opening, _ in kept]


def _settings(model: HookedModel, given: Sequence[Sequence[int]], config: GeneratedConfig) -> list[DecodingSettings]:
    """Return settings of each opening, the same under every subject."""
    room = int(model.cfg.n_ctx) - max(map(len, given))
    length = min(config.max_new_tokens, max(1, room))
    return [
        DecodingSettings(max_new_tokens=length, temperature=config.temperature, seed=config.seed + row)
        for row in range(len(given))
    ]


def _values(
    model: HookedModel, lexicons: Sequence[Lexicon], given: Sequence[tuple[int, ...]], found: Written
) -> dict[str, Float[np.ndarray, " row"]]:
    """Return every measure of every continuation; NaN where one is too short for it."""
    n_variants = len(found.tokens) // len(given)
    shares = lexicon_shares(found.texts, [*lexicons] * n_variants)
    distinct, repeated = repetition(found.tokens)
    made = {
        "lexicon": balance(shares),
        "positive_words": shares[0],
        "negative_words": shares[1],
        "fluency": _fluency(model, list(given) * n_variants, found.tokens),
        "distinct_2": distinct,
        "repeated_4": repeated,
        "length": np.array([float(len(row)) for row in found.tokens]),
        "touched": found.touched,
        "norm": found.norm,
        "first": found.first,
    }
    assert set(made) == set(MEASURES) - {"classifier"}, "every measure but the user's own"
    return made


def _lexicons(model: HookedModel, prompts: TraitPrompts, config: GeneratedConfig) -> list[Lexicon]:
    """Return the words of each prompt: those of its trait, its own answers (see `marks`), and those of the config."""
    tokenizer = tokenizer_of(model)
    common = lexicon_of(prompts.trait, config.positive_words, config.negative_words)
    sides = [
        [marks(tokenizer.decode(list(one))) for one in answers] for answers in (prompts.positive, prompts.negative)
    ]
    return [common.with_words(one, other) for one, other in zip(*sides, strict=True)]


def _require_words(lexicons: Sequence[Lexicon], trait: str) -> None:
    """Refuse to count words where there are none of either side."""
    if not any(one.positive or one.negative for one in lexicons):
        raise ValueError(
            f"no word tells the sides of {trait!r} apart: its answers are letters, or several words each; give "
            "generated.positive_words and negative_words, a classifier, or generated: null"
        )


def _fluency(
    model: HookedModel, given: Sequence[tuple[int, ...]], tokens: Sequence[tuple[int, ...]]
) -> Float[np.ndarray, " row"]:
    """Return the mean log-probability of each continuation under the unsteered model (nats per token)."""
    rows = [(*opening, *new) for opening, new in zip(given, tokens, strict=True)]
    padded, mask = pad_rows(rows, pad=pad_token(model), padding="right")
    padded, mask = (part.to(next(iter(model.parameters())).device) for part in (padded, mask))
    first = torch.tensor([len(opening) for opening in given])
    return -metric_values(model, padded, next_token_loss(padded, first=first, last=mask.sum(1).cpu() - 1), mask=mask)


def _classified(classifier: Classifier, openings: Sequence[str], texts: Sequence[str]) -> Float[np.ndarray, " row"]:
    found = np.asarray(list(classifier(openings, texts)), dtype=np.float64)
    if found.shape != (len(texts),) or not np.isfinite(found).all():
        raise ValueError(
            f"the classifier gave {found.shape} for {len(texts)} continuations, or NaN or inf; it must return one "
            "finite number for each"
        )
    return found
