"""Rating sheets: features for people to judge, blinded, in another order for every rater."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import NonNegativeInt, model_validator

from interp_lab.config import Config
from interp_lab.runs import write_atomic
from interp_lab.sae.features import FeatureStore
from interp_lab.sae.naming.prompts import highlighted

KEY = "key.json"
"""Which item is which latent; raters must not see it."""
INSTRUCTIONS = "instructions.txt"
_FORMULA = re.compile(r"^[=+\-@\t\r]")
"""A cell that a spreadsheet would compute."""
_RATER = re.compile(r"[A-Za-z0-9][\w.-]*")


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
    latents: tuple[NonNegativeInt, ...]
    """The feature; several where the excerpts are of different features: a control that should be rated low."""

    @property
    def is_mixed(self) -> bool:
        """Whether it is such a control."""
        return len(self.latents) > 1


class SheetKey(Config):
    """What raters do not see."""

    sae: str
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
    feature, and only tokens are shown: no number, value or density.

    Args:
        labels: by latent, shown beside the excerpts where the question is about them; `None` shows none.
        n_mixed: controls, whose excerpts come from different features.

    Raises: ValueError, for no or equal raters, names that cannot be file names, latents that there are not or that were
        never active, or a folder that has sheets already.
    """
    _require_raters(raters)
    if (folder / KEY).exists():
        raise ValueError(f"{folder} has rating sheets already, perhaps filled in; name another folder")
    rng = np.random.default_rng(seed)
    examples = _excerpts(store, latents, n_excerpts, rng)
    mixed = [tuple(sorted(int(one) for one in rng.permutation(list(latents))[:n_excerpts])) for _ in range(n_mixed)]
    named = rng.permutation([f"item-{number:03d}" for number in range(1, len(latents) + n_mixed + 1)])
    items = [
        Item(name=str(name), latents=of) for name, of in zip(named, [*((one,) for one in latents), *mixed], strict=True)
    ]
    rows = {item.name: _row(item, examples, labels, rng) for item in items}
    key = SheetKey(
        sae=store.about.sae, hook=store.about.hook, scale=scale or Scale(), items=tuple(items), raters=tuple(raters),
        seed=seed,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for rater in raters:
        ordered = [rows[items[place].name] for place in rng.permutation(len(items))]
        text = _as_csv(ordered) if form == "csv" else _as_json(ordered, key.scale)
        write_atomic(folder / f"{rater}.{form}", text.encode("utf-8"))
    write_atomic(folder / INSTRUCTIONS, _instructions(key.scale).encode("utf-8"))
    write_atomic(folder / KEY, json.dumps(key.as_dict(), indent=1).encode("utf-8"))
    return key


def _require_raters(raters: Sequence[str]) -> None:
    wrong = [rater for rater in raters if not _RATER.fullmatch(rater) or f"{rater}.json" == KEY]
    if wrong or not raters or len(set(raters)) < len(raters):
        raise ValueError(
            f"raters {list(raters)} cannot name sheets; give each another, of letters, digits, '-' and '_'"
        )


def _excerpts(store: FeatureStore, latents: Sequence[int], n: int, rng: np.random.Generator) -> dict[int, list[str]]:
    """Return excerpts by latent, taken from its bins in turn and then shuffled."""
    if len(set(latents)) < len(latents) or not latents:
        raise ValueError("name each latent once, and at least one")
    frame = store.examples(latents).sort_values(["latent", "rank", "quantile"], kind="stable")
    found = {int(str(latent)): rows.head(n) for latent, rows in frame.groupby("latent")}
    silent = [latent for latent in latents if latent not in found]
    if silent:
        raise ValueError(f"latent {silent[0]} was never active, so there is nothing to rate; leave it out")
    return {latent: [_excerpt(row) for row in rows.iloc[rng.permutation(len(rows))].to_dict("records")]
            for latent, rows in found.items()}  # fmt: skip


def _excerpt(row: Mapping[object, object]) -> str:
    tokens, values = [str(token) for token in np.asarray(row["tokens"])], np.asarray(row["values"], dtype=np.float64)
    return highlighted(tokens, values >= 0.3 * values.max())


def _row(
    item: Item, examples: Mapping[int, list[str]], labels: Mapping[int, str] | None, rng: np.random.Generator
) -> dict[str, object]:
    n = max(map(len, examples.values()))
    texts = examples[item.latents[0]] if not item.is_mixed else [rng.choice(examples[one]) for one in item.latents]
    label = {} if labels is None else {"label": labels.get(item.latents[0], "")}
    excerpts = {f"excerpt_{nth + 1}": str(texts[nth]) if nth < len(texts) else "" for nth in range(n)}
    return {"item": item.name, **label, "rating": None, "comment": "", **excerpts}


def _as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows([{name: _cell(value) for name, value in row.items()} for row in rows])
    return text.getvalue()


def _cell(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value).replace("\n", "↵")
    return f"'{text}" if _FORMULA.match(text) else text


def _as_json(rows: Sequence[Mapping[str, object]], scale: Scale) -> str:
    return json.dumps({"scale": scale.as_dict(), "rows": list(rows)}, indent=1, ensure_ascii=False)


def _instructions(scale: Scale) -> str:
    return (
        f"{scale.question}\n\nWrite a whole number from {scale.low} to {scale.high} into the column rating, one per "
        "row; leave it empty where you cannot tell. Tokens that the feature reacts to stand between << and >>. "
        "Rate alone, in the order of the sheet, and do not look into key.json before all are done.\n"
    )


def rated_frame(path: Path) -> pd.DataFrame:
    """Read the items, ratings and comments of a sheet as text, from CSV or JSON.

    Raises: ValueError, naming the file, for one that cannot be read or lacks a column.
    """
    try:
        if path.suffix.lower() == ".json":
            frame = pd.DataFrame(json.loads(path.read_text("utf-8-sig"))["rows"])
        else:
            frame = pd.DataFrame(list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))))
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, csv.Error) as error:
        raise ValueError(f"{path} is no rating sheet ({error}); send the file that write_sheets made") from error
    missing = [name for name in ("item", "rating") if name not in frame]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; it needs item and rating, as write_sheets made them")
    return frame
