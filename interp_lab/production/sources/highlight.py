"""One prompt: what its answer owes to each source and sentence, how sure that is, and where methods disagree."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from interp_lab.plots.inline import require_page_path
from interp_lab.production.sources.ablations import Ablations, other_way
from interp_lab.production.sources.answers import UNIT
from interp_lab.production.sources.asked import answered
from interp_lab.production.sources.prompts import (
    TEMPLATE,
    SourcedPrompt,
    SourcedText,
    Span,
    encoded,
    found_in,
    put_together,
    sentence_spans,
)
from interp_lab.production.sources.scores import Scores, Scoring, score
from interp_lab.production.sources.subsets import weight_intervals
from interp_lab.production.sources.warnings import Warned, warnings_of
from interp_lab.runs import write_atomic
from interp_lab.types import HookedModel, Interval


@dataclass(frozen=True)
class Level:
    """The parts of a prompt that are scored together: its sources, or their sentences."""

    kind: str
    """`source` or `sentence`."""
    texts: tuple[str, ...]
    spans: tuple[Span, ...]
    of: tuple[int, ...]
    """Which source each is of."""
    methods: tuple[str, ...]
    values: Float[np.ndarray, "method source"]
    """In log odds of the answer; attention as a share."""
    by_layer: Float[np.ndarray, "layer source"]
    """Attention from where the answer is predicted (share), mean over heads."""
    intervals: tuple[Interval, ...]
    """Of random subsets: what another draw of subsets would have given."""
    full: float
    """Log odds of the answer."""
    empty: float
    """Without any source."""
    foretold: Float[np.ndarray, " method"]
    """Rank correlation of each method's sums with the log odds over held-out subsets; NaN where too few are left."""
    missing: float
    """By how much integrated gradients fail to add up (share)."""
    n_tokens: int
    """Tokens run to leave parts out."""
    n_whole: int
    """Those of the same prompts, each from its beginning."""

    def scores(self, method: str) -> Float[np.ndarray, " source"]:
        """Return what a method gives each part.

        Raises: ValueError, for a method that there is not.
        """
        if method not in self.methods:
            raise ValueError(f"no method {method!r}; there are {', '.join(self.methods)}")
        return self.values[self.methods.index(method)]

    def table(self) -> pd.DataFrame:
        """Return a row per part, with what every method gives it."""
        rows = [
            {self.kind: nth, "text": text, **dict(zip(self.methods, self.values[:, nth].tolist(), strict=True))}
            for nth, text in enumerate(self.texts)
        ]
        subsets = next(name for name in self.methods if name.startswith("random subsets"))
        for row, one in zip(rows, self.intervals, strict=True):
            row |= {f"{subsets} low": one.low, f"{subsets} high": one.high}
        return pd.DataFrame(rows)


@dataclass(frozen=True)
class Highlight:
    """What an answer owes to its sources."""

    query: str
    prompt: str
    answer: str
    generated: bool
    """Whether the model said it; else it was given."""
    scoring: Scoring
    sources: Level
    sentences: Level | None
    """`None` where every source is one sentence, or none were asked for."""
    seed: int

    @property
    def probability(self) -> float:
        """Of the answer, with all sources."""
        return float(1 / (1 + np.exp(-self.sources.full)))

    def first(self, method: str | None = None) -> int:
        """Return the source with the largest score, by leaving one out unless told otherwise.

        Raises: ValueError, for a method that there is not.
        """
        return int(self.sources.scores(method or self.scoring.causal[0]).argmax())

    def warnings(self) -> tuple[str, ...]:
        """Return what a reader must know before believing a highlight, in plain words; see `warnings.warnings_of`."""
        level = self.sources
        rows = {name: level.scores(name) for name in level.methods}
        return warnings_of(Warned(rows, self.scoring, level.full, level.empty, level.missing))

    def summary(self) -> str:
        """Return the answer, the first source by each method, and the warnings, in a few lines."""
        level, causal = self.sources, self.scoring.causal[0]
        who = "the model's own" if self.generated else "given"
        lines = [
            f"answer {self.answer.strip()!r} ({who}): probability {self.probability:.3f}, {level.full:+.2f} {UNIT} "
            f"with all sources, {level.empty:+.2f} without any"
        ]
        for nth in np.argsort(-level.scores(causal), kind="stable"):
            interval = level.intervals[nth]
            lines.append(
                f"[{nth + 1}] {level.scores(causal)[nth]:+.2f} by {causal}, {interval.estimate:+.2f} "
                f"[{interval.low:+.2f}, {interval.high:+.2f}] by {self.scoring.causal[1]}, "
                f"{level.scores('attention')[nth]:.2f} of attention"
            )
        return "\n".join([*lines, *(f"warning: {one}" for one in self.warnings())])

    def to_html(self) -> str:
        """Return a page of its own, which asks nothing of any network."""
        from interp_lab.production.sources.page import page_of

        return page_of(self)

    def save(self, path: Path) -> None:
        """Write the page.

        Raises: ValueError, for a path that is a folder or does not end in `.html`.
        """
        require_page_path(path)
        write_atomic(path, self.to_html().encode("utf-8"))

    def _repr_html_(self) -> str:
        from interp_lab.production.sources.page import body_of

        return str(body_of(self))


def highlight(
    model: HookedModel,
    query: str,
    sources: Sequence[str],
    answer: str | None = None,
    *,
    prompt: str | None = None,
    template: str = TEMPLATE,
    separator: str = "\n",
    scoring: Scoring | None = None,
    sentences: bool = True,
    max_new_tokens: int = 24,
    level: float = 0.95,
    seed: int = 0,
) -> Highlight:
    """Say which sources, and which sentences of them, an answer comes from.

    Args:
        answer: what is asked about; `None` for what the model says (greedily).
        prompt: the whole prompt, in which the sources stand word for word; `None` puts it together.
        template: of a prompt that is put together, with `{sources}` and `{query}` in it.
        separator: between its sources.
        scoring: how; `None` is the defaults.
        sentences: score sentences, too, where a source has several.
        max_new_tokens: most tokens of the model's own answer.
        level: of intervals.
        seed: of the subsets that are drawn.

    Raises: ValueError, for no sources, one that is empty or not in the prompt, an empty answer, or a prompt that with
        its answer does not fit the context.
    """
    if answer is not None and not answer.strip():
        raise ValueError("the answer is empty, and nothing can be asked about it; leave it out, and the model answers")
    given = Scoring() if scoring is None else scoring
    if prompt is None:
        prompt, spans = put_together(query, sources, template=template, separator=separator)
    else:
        spans = found_in(prompt, sources)
    asked = answered(model, [SourcedText(prompt, spans, query, answer)], n_tokens=max_new_tokens)
    (whole,), (text,) = asked.prompts, asked.texts
    options = {"given": given, "level": level, "seed": seed}
    parts, of = sentence_spans(prompt, spans)
    return Highlight(
        query=query,
        prompt=prompt,
        answer=str(text.answer),
        generated=answer is None,
        scoring=given,
        sources=_level(model, "source", text, spans, tuple(range(len(spans))), whole.answer, **options),
        sentences=_level(model, "sentence", text, parts, of, whole.answer, **options)
        if sentences and len(parts) > len(spans)
        else None,
        seed=seed,
    )


def _level(
    model: HookedModel,
    kind: str,
    text: SourcedText,
    spans: tuple[Span, ...],
    of: tuple[int, ...],
    answer: tuple[int, ...],
    *,
    given: Scoring,
    level: float,
    seed: int,
) -> Level:
    (prompt,) = encoded(model, [(text.prompt, spans, answer)])
    ways = [
        Ablations(model, [prompt], way=way, batch_size=given.batch_size) for way in (given.way, other_way(given.way))
    ]
    found = score(model, [prompt], ways, given, seed=seed)
    return Level(
        kind=kind,
        texts=tuple(text.prompt[start:stop] for start, stop in spans),
        spans=spans,
        of=of,
        methods=given.methods,
        values=found.values[:, 0],
        by_layer=found.by_layer[0],
        intervals=_intervals(found, prompt, given, level=level, seed=seed),
        full=float(found.full[0]),
        empty=float(found.empty[0, 0]),
        foretold=found.foretold[:, 0],
        missing=float(found.missing[0]),
        n_tokens=sum(one.n_tokens for one in ways),
        n_whole=sum(one.n_whole for one in ways),
    )


def _intervals(
    found: Scores, prompt: SourcedPrompt, given: Scoring, *, level: float, seed: int
) -> tuple[Interval, ...]:
    kept, values = (np.array(part) for part in found.fitted[0])
    options = {"n_tokens": len(prompt.answer), "n_resamples": given.n_resamples, "seed": seed}
    return tuple(weight_intervals(kept, values, alpha=given.alpha, level=level, **options))
