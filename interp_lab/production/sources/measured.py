"""The sources of one split: scores, what leaving the first ones out does, and how methods agree."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from interp_lab.effects.untouched import Untouched
from interp_lab.experiment import Progress
from interp_lab.production.sources.ablations import Ablations, other_way
from interp_lab.production.sources.agreement import hits, kendall, same_first, top_k
from interp_lab.production.sources.asked import Asked
from interp_lab.production.sources.config import SourcesConfig
from interp_lab.production.sources.looks import word_overlap
from interp_lab.production.sources.prompts import SourcedPrompt, SourcedText
from interp_lab.production.sources.scores import Scores, score
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class SourcesOfSplit(Untouched):
    """Prompts of one split; sources that a prompt does not have are NaN.

    `clean` is the log odds of the answer with all sources, `corrupted` those with none, left out the way that tests
    methods.
    """

    texts: Shaped[np.ndarray, " example"]
    answers: Shaped[np.ndarray, " example"]
    starts: Int[np.ndarray, "example source"]
    """First character of each source; -1 for none."""
    stops: Int[np.ndarray, "example source"]
    truth: Int[np.ndarray, " example"]
    """The source that the answer is known to come from; -1 where that is not known."""
    right: Float[np.ndarray, " example"]
    """1 where the answer is the right one; NaN where that is not known."""
    values: Float[np.ndarray, "method example source"]
    by_layer: Float[np.ndarray, "example layer source"]
    missing: Float[np.ndarray, " example"]
    foretold: Float[np.ndarray, "method example"]
    """Rank correlation of what a method's scores add up to with the log odds, over held-out subsets."""
    hits: Float[np.ndarray, "method example"]
    """1 where the first source is the true one."""
    shuffled_hits: Float[np.ndarray, "draw example"]
    """The same of scores that were dealt out among the sources."""
    needed: Float[np.ndarray, "way method example"]
    """Fall of the log odds without the first `k` sources: the way that methods leave sources out, and the other."""
    by_lot: Float[np.ndarray, "way lot example"]
    """The same without as many that were drawn at random."""
    tau: Float[np.ndarray, "method other example"]
    """Kendall's tau-b of two methods."""
    same: Float[np.ndarray, "method other example"]
    """1 where both name the same source first."""
    n_tokens: int
    """Tokens that were run to leave sources out."""
    n_whole: int
    """Those of the same prompts, each from its beginning."""


def sources_of_split(model: HookedModel, asked: Asked, config: SourcesConfig, *, told: Progress) -> SourcesOfSplit:
    """Score the sources of every prompt, and test the scores.

    Raises: ValueError, as `Ablations`.
    """
    size, rng = config.scoring.batch_size, np.random.default_rng(config.seed)
    found: list[tuple[Scores, np.ndarray, np.ndarray, np.ndarray]] = []
    n_tokens = n_whole = 0
    for start in range(0, len(asked.prompts), size):
        told(start, len(asked.prompts), "sources")
        prompts, texts = asked.prompts[start : start + size], asked.texts[start : start + size]
        ways = _ways(model, prompts, config)
        scores = score(model, prompts, ways, config.scoring, seed=config.seed + start)
        overlap = _overlaps(texts, scores.values.shape[-1])
        values = np.concatenate([overlap[None], scores.values])
        found.append((scores, values, *_tested(ways, prompts, values, config, rng)))
        n_tokens += sum(one.n_tokens for one in ways)
        n_whole += sum(one.n_whole for one in ways)
    told(1, 1, "sources")
    return _of_split(asked, found, config, rng, counted=(n_tokens, n_whole))


def _ways(model: HookedModel, prompts: tuple[SourcedPrompt, ...], config: SourcesConfig) -> list[Ablations]:
    way, size = config.scoring.way, config.scoring.batch_size
    return [Ablations(model, prompts, way=one, batch_size=size) for one in (way, other_way(way))]


def _overlaps(texts: tuple[SourcedText, ...], most: int) -> Float[np.ndarray, "example source"]:
    rows = [word_overlap(one.query, one.sources) for one in texts]
    return np.stack([np.pad(row, (0, most - len(row)), constant_values=np.nan) for row in rows])


def _tested(
    ways: list[Ablations],
    prompts: tuple[SourcedPrompt, ...],
    values: Float[np.ndarray, "method example source"],
    config: SourcesConfig,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "way method example"], Float[np.ndarray, "way draw example"]]:
    """Return what it costs to leave out the first sources of every method, and as many at random."""
    counts = [len(one.parts) for one in prompts]
    drawn = [[top_k(rng.random(n), config.k) for n in counts] for _ in range(config.n_random)]
    first = [[top_k(own[row, :n], config.k) for row, n in enumerate(counts)] for own in values]
    asked = [(row, kept) for rows in (*first, *drawn) for row, kept in enumerate(rows)]
    whole = [(row, one.whole) for row, one in enumerate(prompts)]
    falls = [ways_own.log_odds(whole) - ways_own.log_odds(asked).reshape(-1, len(prompts)) for ways_own in ways]
    both = np.stack(falls)
    return both[:, : len(values)], both[:, len(values) :]


def _of_split(
    asked: Asked,
    found: list[tuple[Scores, np.ndarray, np.ndarray, np.ndarray]],
    config: SourcesConfig,
    rng: np.random.Generator,
    *,
    counted: tuple[int, int],
) -> SourcesOfSplit:
    texts, most = asked.texts, max(len(one.spans) for one in asked.texts)
    scores = [one for one, *_ in found]
    values = np.concatenate([_padded(own, most) for _, own, _, _ in found], 1)
    truth = np.array([-1 if one.relevant is None else one.relevant for one in texts])
    nothing = np.full(len(texts), np.nan)
    foretold = np.concatenate([one.foretold for one in scores], 1)
    own = values[1 + config.scoring.methods.index(config.scoring.causal[0])]
    dealt = [hits(_dealt_out(own, rng), truth) for _ in range(config.n_shuffled)]
    spans = np.full((2, len(texts), most), -1)
    for row, one in enumerate(texts):
        spans[:, row, : len(one.spans)] = np.array(one.spans).T
    return SourcesOfSplit(
        clean=np.concatenate([one.full for one in scores]),
        corrupted=np.concatenate([one.empty[1] for one in scores]),
        templates=np.array([one.template for one in texts]),
        preference=nothing,
        texts=np.array([one.prompt for one in texts]),
        answers=np.array([one.answer for one in texts]),
        starts=spans[0],
        stops=spans[1],
        truth=truth,
        right=np.array([np.nan if one.right is None else float(one.right == str(one.answer).strip()) for one in texts]),
        values=values,
        by_layer=np.concatenate([_padded(one.by_layer, most) for one in scores]),
        missing=np.concatenate([one.missing for one in scores]),
        foretold=np.concatenate([nothing[None], foretold]),
        hits=hits(values, truth),
        shuffled_hits=np.stack(dealt),
        needed=np.concatenate([one for _, _, one, _ in found], 2),
        by_lot=np.concatenate([one for _, _, _, one in found], 2),
        tau=kendall(values[:, None], values[None]),
        same=same_first(values[:, None], values[None]),
        n_tokens=counted[0],
        n_whole=counted[1],
    )


def _padded(values: Float[np.ndarray, "*_ source"], most: int) -> Float[np.ndarray, "*_ more"]:
    wider = [(0, 0)] * (values.ndim - 1) + [(0, most - values.shape[-1])]
    return np.pad(values, wider, constant_values=np.nan)


def _dealt_out(
    values: Float[np.ndarray, "example source"], rng: np.random.Generator
) -> Float[np.ndarray, "example source"]:
    """Return each prompt's scores among its own sources in another order."""
    dealt = values.copy()
    for row in dealt:
        own = np.isfinite(row)
        row[own] = rng.permutation(row[own])
    return dealt
