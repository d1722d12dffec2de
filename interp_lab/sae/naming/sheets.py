"""Rating sheets: features for people to judge, blinded, in another order for every rater."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, NonNegativeInt, model_validator

from interp_lab.config import Config
from interp_lab.runs import write_atomic
from interp_lab.sae.features import FeatureStore
from interp_lab.sae.naming.prompts import ACTIVE_SHARE, highlighted
from interp_lab.sae.naming.spreadsheets import as_csv

KEY = "key.json"
"""Which item is which latent; raters must not see it."""
INSTRUCTIONS = "instructions.txt"
ABOUT_LABELS = (
    "Does the label say what the highlighted tokens of these excerpts have in common? 1: not at all; 5: exactly, "
    "without exception."
)
"""A question to ask where labels are shown."""
_RATER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
_RESERVED = re.compile(r"(?:key|instructions|con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Names of our own files, and of devices that some systems take for files."""


class Scale(Config):
    """What raters are asked, and the whole numbers they may answer with."""

    question: str = (
        "Do the highlighted tokens of these excerpts have one thing in common that you could explain to somebody? "
        "1: nothing at all; 5: one clear thing, without exception."
    )
    low: int = 1
    high: int = 5

    @model_validator(mode="after")
    def _rises(self) -> "Scale":
        if not self.low < self.high:
            raise ValueError(
                f"a scale from {self.low} to {self.high} has nothing to choose from; let low be below high"
            )
        return self


class Item(Config):
    """One row of every sheet."""

    name: str
    """What raters see of it."""
    latents: tuple[NonNegativeInt, ...] = Field(min_length=1)
    """The feature; of a control, those that its excerpts are of."""
    is_mixed: bool
    """Whether it is a control, whose excerpts are of different features, and which should be rated low."""


class SheetKey(Config):
    """What raters do not see."""

    sae: str
    """Name of the dictionary."""
    hook: str
    scale: Scale
    items: tuple[Item, ...]
    raters: tuple[str, ...]
    seed: NonNegativeInt


def write_sheets(
    store: FeatureStore,
    folder: Path,
    *,
    raters: Sequence[str],
    latents: Sequence[int],
    labels: Mapping[int, str] | None = None,
    n_excerpts: int = 6,
    n_mixed: int = 0,
    scale: Scale | None = None,
    form: Literal["csv", "json"] = "csv",
    seed: int = 0,
) -> SheetKey:
    """Write one sheet per rater, instructions, and the key, into a folder.

    Items are named and ordered at random; each rater gets another order. Excerpts are drawn from all bins of a
    feature, and only tokens are shown: no number, value or density. Controls look alike: they have as many excerpts,
    from the same bins, and none that a feature's own item shows if there are others.

    Args:
        labels: by latent, shown beside the excerpts where the question is about them; `None` shows none.
        n_mixed: controls, whose excerpts come from different features.

    Raises: ValueError, for no or equal raters, names that cannot be file names, latents that there are not or that were
        never active, controls of fewer than two features or excerpts, or a folder that has sheets already.
    """
    _require_raters(raters)
    if (folder / KEY).exists():
        raise ValueError(f"{folder} has rating sheets already, perhaps filled in; name another folder")
    if n_mixed and (len(latents) < 2 or n_excerpts < 2):
        raise ValueError(
            f"{len(latents)} features with {n_excerpts} excerpts cannot be mixed; give two of each at least, "
            "or n_mixed=0"
        )
    rng = np.random.default_rng(seed)
    examples = _excerpts(store, latents)
    shown = [_own(latent, examples[latent][:n_excerpts], rng) for latent in latents]
    lengths = [len(one.excerpts) for one in shown]
    shown += [_mixed(examples, max(2, int(rng.choice(lengths))), n_excerpts, rng) for _ in range(n_mixed)]
    names = [f"item-{number:03d}" for number in rng.permutation(np.arange(1, len(shown) + 1))]
    rows = [
        _row(name, one, labels, n=max(len(one.excerpts) for one in shown))
        for name, one in zip(names, shown, strict=True)
    ]
    key = SheetKey(
        sae=Path(store.about.sae).name,
        hook=store.about.hook,
        scale=scale or Scale(),
        items=tuple(
            Item(name=name, latents=one.latents, is_mixed=one.is_mixed) for name, one in zip(names, shown, strict=True)
        ),
        raters=tuple(raters),
        seed=seed,
    )
    folder.mkdir(parents=True, exist_ok=True)
    for rater in raters:
        ordered = [rows[place] for place in rng.permutation(len(rows))]
        text = as_csv(ordered) if form == "csv" else _as_json(ordered, key.scale)
        write_atomic(folder / f"{rater}.{form}", text.encode("utf-8"))
    write_atomic(folder / INSTRUCTIONS, _instructions(key.scale).encode("utf-8"))
    write_atomic(folder / KEY, json.dumps(key.as_dict(), indent=1).encode("utf-8"))
    return key


def _require_raters(raters: Sequence[str]) -> None:
    wrong = [rater for rater in raters if not _RATER.fullmatch(rater) or _RESERVED.fullmatch(rater)]
    if wrong or not raters or len({rater.lower() for rater in raters}) < len(raters):
        raise ValueError(
            f"raters {list(raters)} cannot name sheets; give one or more, each another (case aside), of letters, "
            "digits, '-', '_' and '.', a letter or digit first and no '.' last; not key, instructions, con, prn, aux, "
            "nul, com1 or lpt1 and the like"
        )


def _excerpts(store: FeatureStore, latents: Sequence[int]) -> dict[int, list[str]]:
    """Return excerpts by latent, taken from its bins in turn."""
    if len(set(latents)) < len(latents) or not latents:
        raise ValueError("name each latent once, and at least one")
    frame = store.examples(latents).sort_values(["latent", "rank", "quantile"], kind="stable")
    found = {int(str(latent)): rows for latent, rows in frame.groupby("latent")}
    silent = [latent for latent in latents if latent not in found]
    if silent:
        raise ValueError(f"latent {silent[0]} was never active, so there is nothing to rate; leave it out")
    return {latent: [excerpt(row) for row in rows.to_dict("records")] for latent, rows in found.items()}


def excerpt(row: Mapping[object, object]) -> str:
    """Return an example with its token highlighted, and those where the feature is about as active or more so."""
    tokens, values = [str(token) for token in np.asarray(row["tokens"])], np.asarray(row["values"], dtype=np.float64)
    begin = int(str(row["begin"]))
    mark = values >= ACTIVE_SHARE * max(float(values[begin]), np.finfo(np.float32).tiny)
    mark[begin] = True
    return highlighted(tokens, mark)


@dataclass(frozen=True)
class _Shown:
    latents: tuple[int, ...]
    is_mixed: bool
    excerpts: tuple[str, ...]


def _own(latent: int, excerpts: Sequence[str], rng: np.random.Generator) -> _Shown:
    return _Shown((latent,), False, _shuffled(excerpts, rng))


def _mixed(examples: Mapping[int, list[str]], n: int, n_own: int, rng: np.random.Generator) -> _Shown:
    """Return excerpts of as many features as there can be, each from the bin that a feature's own item has there."""
    order = [int(latent) for latent in rng.permutation(list(examples))]
    excerpts = []
    for nth in range(n):
        held = examples[order[nth % len(order)]]
        own = held[:n_own]
        there = [*(text for text in _turned(held[n_own:], nth) if text not in own), *_turned(own, nth)]
        excerpts.append(next((text for text in there if text not in excerpts), there[0]))
    return _Shown(tuple(sorted(order[:n])), True, _shuffled(excerpts, rng))


def _turned(excerpts: Sequence[str], n: int) -> list[str]:
    """Return excerpts from another one on, so that their bins come in turn."""
    start = n % max(len(excerpts), 1)
    return [*excerpts[start:], *excerpts[:start]]


def _shuffled(excerpts: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(excerpts[place] for place in rng.permutation(len(excerpts)))


def _row(name: str, shown: _Shown, labels: Mapping[int, str] | None, *, n: int) -> dict[str, object]:
    label = {} if labels is None else {"label": labels.get(shown.latents[0], "")}
    excerpts = {f"excerpt_{nth + 1}": "".join(shown.excerpts[nth : nth + 1]) for nth in range(n)}
    return {"item": name, **label, "rating": None, "comment": "", **excerpts}


def _as_json(rows: Sequence[Mapping[str, object]], scale: Scale) -> str:
    return json.dumps({"scale": scale.as_dict(), "rows": list(rows)}, indent=1, ensure_ascii=False)


def _instructions(scale: Scale) -> str:
    return (
        f"{scale.question}\n\nWrite a whole number from {scale.low} to {scale.high} into the column rating, one per "
        "row; leave it empty where you cannot tell. The column comment is yours. Tokens that the feature reacts to "
        "stand between << and >>. Rate alone, in the order of the sheet, and do not look into key.json before all are "
        "done.\n"
    )
