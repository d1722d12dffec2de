"""The pairs of each split, for each of them another one to take control values from, and the metric on them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from interp_lab.claims import Split
from interp_lab.metrics import Metric
from interp_lab.patching.config import PatchingConfig
from interp_lab.patching.metric_names import READ_NO_ANSWER, MetricOf, metric_named
from interp_lab.tasks import Pairs, pairs_for
from interp_lab.tasks.pairs import Rows
from interp_lab.types import HookedModel

POOL = 96
"""Pairs of a task that are drawn (as many as are patched, if those are more) beside those that are patched, so that
each of these is another one and finds a partner; doubled, up to four times, until that is so."""


@dataclass(frozen=True)
class Part:
    """The pairs of one split, for each of them another one of its template, and what is measured on them."""

    pairs: Pairs
    others: Pairs
    metric: Metric

    def rows(self, index: Rows) -> "Part":
        """Return some of them."""
        chosen = torch.as_tensor(np.asarray(index))
        return Part(self.pairs.rows(index), self.others.rows(index), self.metric.rows(chosen))


@dataclass(frozen=True)
class Parts:
    """What an experiment patches."""

    by_split: Mapping[Split, Part]
    same_answers: bool
    """Whether the others have the answers, right and wrong, of the pair: what `partners` came to."""
    metric: str
    """Its name in the config; `own metric 'NAME'` for one of your own."""

    @property
    def unit(self) -> str:
        """Of the metric."""
        return self.by_split[Split.REPORT].metric.unit


def parts_of(model: HookedModel, config: PatchingConfig, metric: MetricOf | None = None) -> Parts:
    """Draw pairs and partners, and split them: choosing and reporting share templates, and no pair.

    Args:
        metric: of your own, in place of the one that the config names.

    Raises: ValueError, if the task does not suit the model or has too few different pairs, answers have several tokens
        and the config's metric reads one, or a pair has no partner.
    """
    pools = {"n_pairs": _pool(model, config, "n_pairs", reads_answers=metric is None)}
    if config.n_held_out is not None:
        pools["n_held_out"] = _pool(model, config, "n_held_out", reads_answers=metric is None)
    same = config.partners == "same answers"
    if config.partners == "auto":
        same = all(
            pool.has_partners(n=getattr(config, key), seed=config.seed, same_answers=True)
            for key, pool in pools.items()
        )
    made = {key: _with_others(config, key, pool, same_answers=same) for key, pool in pools.items()}
    metric_of = metric_named(config.metric) if metric is None else metric
    ordinary, *apart = (Part(pairs, others, metric_of(model, pairs)) for pairs, others in made.values())
    splits = ordinary.pairs.splits(seed=config.seed)
    parts = {split: ordinary.rows(splits.of(split)) for split in (Split.SELECT, Split.REPORT)}
    if apart:
        parts[Split.HELD_OUT] = apart[0]
    return Parts(parts, same, config.metric if metric is None else f"own metric {ordinary.metric.name!r}")


def _pool(model: HookedModel, config: PatchingConfig, key: str, *, reads_answers: bool) -> Pairs:
    """Return different pairs to measure, and behind them pairs to take partners from."""
    n, reserved = int(getattr(config, key)), key == "n_held_out"
    pool, n_drawn = None, 0
    try:
        for drawn in _draws(model, config, n, reserved=reserved):
            pool, n_drawn = _distinct(drawn), len(drawn)
            if len(pool) >= n and pool.has_partners(
                n=n, seed=config.seed, same_answers=config.partners == "same answers"
            ):
                break
        _require_enough(pool, n_drawn, config, key)
    except ValueError as error:
        if not reserved:
            raise
        raise ValueError(f"{error}; or set n_held_out to null, and nothing is replicated") from error
    assert pool is not None, "something was drawn"
    if reads_answers and config.metric not in READ_NO_ANSWER and not pool.single_token:
        raise ValueError(
            f"answers of {config.task!r} have several tokens, and {config.metric} reads one; write answers of one "
            "token, take kl_divergence, or measure pairs.teacher_forced().log_probability() with engine.sweep"
        )
    return pool


def _require_enough(pool: Pairs | None, n_drawn: int, config: PatchingConfig, key: str) -> None:
    n = int(getattr(config, key))
    if pool is not None and len(pool) < n:
        raise ValueError(
            f"of {n_drawn} {'reserved' if key == 'n_held_out' else 'ordinary'} pairs of {config.task!r} only "
            f"{len(pool)} are different, and {key}={n}: a pair that comes twice would choose sites and report on them; "
            f"set {key} to {len(pool)} at most, or add pairs"
        )


def _draws(model: HookedModel, config: PatchingConfig, n: int, *, reserved: bool) -> Iterator[Pairs]:
    """Yield pairs, more each time; of a file first as many as are asked for, then all there are, in random order."""
    seed = config.seed + reserved
    if not config.task.endswith(".jsonl"):
        for nth in range(5):
            yield pairs_for(model, config.task, n + max(POOL, n) * 2**nth, seed=seed, reserved=reserved)
        return
    yield pairs_for(model, config.task, n, seed=seed, reserved=reserved)
    every = pairs_for(model, config.task, None, seed=seed, reserved=reserved)
    yield every.rows(np.random.default_rng(seed).permutation(len(every)))


def _distinct(pairs: Pairs) -> Pairs:
    """Return each pair once, that is without those whose clean and corrupted prompt both come earlier."""
    stop = (pairs.answer_position + 1).tolist()
    first: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    for nth, (clean, corrupted) in enumerate(zip(pairs.clean.tolist(), pairs.corrupted.tolist(), strict=True)):
        first.setdefault((tuple(clean[: stop[nth]]), tuple(corrupted[: stop[nth]])), nth)
    return pairs.rows(list(first.values()))


def _with_others(config: PatchingConfig, key: str, pool: Pairs, *, same_answers: bool) -> tuple[Pairs, Pairs]:
    """Return the pairs to measure, and for each another one of its template."""
    n = int(getattr(config, key))
    try:
        partners = pool.partners(seed=config.seed, same_answers=same_answers, n=n)
    except ValueError as error:
        raise ValueError(f"{key}={n} leaves a control without its pair: {error}") from error
    return pool.rows(range(n)), pool.rows(partners)
