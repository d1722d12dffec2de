"""The pairs of each split, the metric on them, and, where asked for, partners to take control values from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from interp_lab.claims import Split
from interp_lab.effects.config import PairsConfig
from interp_lab.effects.metric_names import READ_NO_ANSWER, MetricOf, metric_named
from interp_lab.folds import told
from interp_lab.metrics import Metric
from interp_lab.tasks import Pairs, pairs_for
from interp_lab.tasks.pairs import Rows
from interp_lab.types import HookedModel

POOL = 96
"""Pairs of a task that are drawn (as many as are measured, if those are more) beside those that are measured, so that
each of these is another one and finds a partner; doubled, up to four times, until that is so."""

Partners = Literal["auto", "same answers", "any"]
"""What controls take their values from: another prompt of the template with the same answers, right and wrong, or
with any. `auto` asks for the same answers where every pair has such a partner: where all pairs share two answers,
another corrupted prompt would else speak for the clean answer half of the time."""


@dataclass(frozen=True)
class Part:
    """The pairs of one split, what is measured on them, and for each of them another one of its template."""

    pairs: Pairs
    metric: Metric
    partners: Pairs | None = None
    """`None` if none were asked for; see `others`."""

    @property
    def others(self) -> Pairs:
        """The partners.

        Raises: ValueError, if these pairs were drawn without.
        """
        if self.partners is None:
            raise ValueError("these pairs were drawn without partners; draw them with parts_of(partners='any')")
        return self.partners

    def rows(self, index: Rows) -> "Part":
        """Return some of them."""
        chosen = torch.as_tensor(np.asarray(index))
        partners = None if self.partners is None else self.partners.rows(index)
        return Part(self.pairs.rows(index), self.metric.rows(chosen), partners)


@dataclass(frozen=True)
class Parts:
    """What an experiment measures on."""

    by_split: Mapping[Split, Part]
    same_answers: bool
    """Whether partners have the answers, right and wrong, of the pair: what `partners` came to."""
    metric: str
    """Its name in the config; `own metric 'NAME'` for one of your own."""

    @property
    def unit(self) -> str:
        """Of the metric."""
        return self.by_split[Split.REPORT].metric.unit


def parts_of(
    model: HookedModel, config: PairsConfig, metric: MetricOf | None = None, *, partners: Partners | None = None
) -> Parts:
    """Draw pairs and split them: choosing and reporting share templates, and no pair.

    Args:
        metric: of your own, in place of the one that the config names.
        partners: which others come with each pair; `None` for none.

    Raises: ValueError, if the task does not suit the model or has too few different pairs, answers have several tokens
        and the config's metric reads one, or a pair has no partner.
    """
    keys = ["n_pairs"] if config.n_held_out is None else ["n_pairs", "n_held_out"]
    pools = {key: _pool(model, config, key, partners=partners, reads_answers=metric is None) for key in keys}
    same = partners == "same answers"
    if partners == "auto":
        same = all(
            pool.has_partners(n=getattr(config, key), seed=config.seed, same_answers=True)
            for key, pool in pools.items()
        )
    metric_of = metric_named(config.metric) if metric is None else metric
    ordinary, *apart = (
        _part(model, config, key, pool, metric_of, same_answers=None if partners is None else same)
        for key, pool in pools.items()
    )
    splits = ordinary.pairs.splits(seed=config.seed)
    parts = {split: ordinary.rows(splits.of(split)) for split in (Split.SELECT, Split.REPORT)}
    if apart:
        parts[Split.HELD_OUT] = apart[0]
    return Parts(parts, same, config.metric if metric is None else f"own metric {ordinary.metric.name!r}")


def _pool(
    model: HookedModel, config: PairsConfig, key: str, *, partners: Partners | None, reads_answers: bool
) -> Pairs:
    """Return different pairs to measure, and behind them pairs to take partners from."""
    n, reserved, same = int(getattr(config, key)), key == "n_held_out", partners == "same answers"
    pool, n_drawn = None, 0
    try:
        for drawn in _draws(model, config, n, reserved=reserved):
            pool, n_drawn = _distinct(drawn), len(drawn)
            apart = _apart(config)
            enough = partners is None or pool.has_partners(n=n, seed=config.seed, same_answers=same, apart=apart)
            if len(pool) >= n and enough:
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


def _require_enough(pool: Pairs | None, n_drawn: int, config: PairsConfig, key: str) -> None:
    n = int(getattr(config, key))
    if pool is not None and len(pool) < n:
        raise ValueError(
            f"of {n_drawn} {'reserved' if key == 'n_held_out' else 'ordinary'} pairs of {config.task!r} only "
            f"{len(pool)}{told()} are different, and {key}={n}: a pair that comes twice would choose sites and report "
            f"on them; set {key} to {len(pool)} at most, or add pairs"
        )


def _draws(model: HookedModel, config: PairsConfig, n: int, *, reserved: bool) -> Iterator[Pairs]:
    """Yield pairs, more each time; of a file first as many as are asked for, then all there are, in random order."""
    seed = config.seed + reserved
    if not config.task.endswith(".jsonl"):
        for nth in range(5):
            yield pairs_for(model, config.task, n + max(POOL, n) * 2**nth, seed=seed, reserved=reserved)
        return
    yield pairs_for(model, config.task, n, seed=seed, reserved=reserved)
    every = pairs_for(model, config.task, None, seed=seed, reserved=reserved)
    yield every.rows(np.random.default_rng(seed).permutation(len(every)))


def _apart(config: PairsConfig) -> bool:
    """Whether a pair may not be the partner of itself turned around: a file may have every pair both ways round."""
    return config.task.endswith(".jsonl")


def _distinct(pairs: Pairs) -> Pairs:
    """Return each pair once, that is without those whose clean and corrupted prompt both come earlier."""
    stop = (pairs.answer_position + 1).tolist()
    first: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    for nth, (clean, corrupted) in enumerate(zip(pairs.clean.tolist(), pairs.corrupted.tolist(), strict=True)):
        first.setdefault((tuple(clean[: stop[nth]]), tuple(corrupted[: stop[nth]])), nth)
    return pairs.rows(list(first.values()))


def _part(
    model: HookedModel, config: PairsConfig, key: str, pool: Pairs, metric: MetricOf, *, same_answers: bool | None
) -> Part:
    """Return the pairs to measure, and for each another one of its template if partners are asked for."""
    n = int(getattr(config, key))
    pairs = pool.rows(range(n))
    if same_answers is None:
        return Part(pairs, metric(model, pairs))
    try:
        apart = _apart(config) and pool.has_partners(n=n, seed=config.seed, same_answers=same_answers, apart=True)
        partners = pool.partners(seed=config.seed, same_answers=same_answers, n=n, apart=apart)
    except ValueError as error:
        raise ValueError(f"{key}={n} leaves a control without its pair: {error}") from error
    return Part(pairs, metric(model, pairs), pool.rows(partners))
