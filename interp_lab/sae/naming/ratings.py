"""Filled rating sheets, checked row by row, and joined with the key."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from interp_lab.sae.naming.sheets import Item, Scale, SheetKey
from interp_lab.sae.naming.spreadsheets import rated_frame

_MOST_TOLD = 10
"""Complaints in one message."""


@dataclass(frozen=True)
class Ratings:
    """What several raters said of the same items."""

    raters: tuple[str, ...]
    items: tuple[Item, ...]
    values: Float[np.ndarray, "rater item"]
    """NaN where a rater left one out."""
    scale: Scale
    comments: tuple[Mapping[str, str], ...] = ()
    """Of each rater, by item; items without a comment are left out."""

    def table(self) -> pd.DataFrame:
        """Return a row per item: its latent (missing for a mixed control), ratings by rater, their mean, comments."""
        mean = pd.DataFrame(self.values).mean(axis=0).to_numpy()
        return pd.DataFrame(
            {
                "item": [item.name for item in self.items],
                "latent": pd.array([None if item.is_mixed else item.latents[0] for item in self.items], dtype="Int64"),
                "is_mixed": [item.is_mixed for item in self.items],
                **{rater: self.values[nth] for nth, rater in enumerate(self.raters)},
                "mean": mean,
                "comments": ["; ".join(self._comments(item.name)) for item in self.items],
            }
        )

    def _comments(self, item: str) -> list[str]:
        return [
            f"{rater}: {said[item]}"
            for rater, said in zip(self.raters[: len(self.comments)], self.comments, strict=True)
            if item in said
        ]


def read_ratings(sheets: Sequence[Path], *, key: Path) -> Ratings:
    """Read the sheets of several raters, each named by its file.

    Empty ratings are missing ones. Everything wrong in any sheet is told at once, up to ten complaints, each with file,
    row (the first below the heading is 1) and rule; nothing is corrected or left out.

    Raises: ValueError, for an unknown or repeated item, a rating that is no whole number of the scale, an item that a
        sheet lacks, two sheets of one rater, no sheets, or a file that is no sheet.
    """
    known = SheetKey.from_mapping(_mapping(key))
    if not sheets:
        raise ValueError("no sheets to read; name those that came back from the raters")
    names = [sheet.stem for sheet in sheets]
    wrong = [f"{sheet}: another sheet is of rater {sheet.stem!r} too; keep one" for nth, sheet in enumerate(sheets)
             if sheet.stem in names[:nth]]  # fmt: skip
    places = {item.name: place for place, item in enumerate(known.items)}
    values = np.full((len(sheets), len(known.items)), np.nan)
    frames = [rated_frame(sheet) for sheet in sheets]
    for nth, (sheet, frame) in enumerate(zip(sheets, frames, strict=True)):
        wrong += _fill(values[nth], sheet, frame, places, known.scale)
    if wrong:
        more = f"; and {len(wrong) - _MOST_TOLD} more" if len(wrong) > _MOST_TOLD else ""
        raise ValueError("; ".join(wrong[:_MOST_TOLD]) + more)
    return Ratings(tuple(names), known.items, values, known.scale, tuple(_commented(frame) for frame in frames))


def _commented(frame: pd.DataFrame) -> dict[str, str]:
    if "comment" not in frame:
        return {}
    said = zip(frame["item"], frame["comment"].fillna(""), strict=True)
    return {str(item).strip(): str(comment).strip() for item, comment in said if str(comment).strip()}


def _fill(
    values: Float[np.ndarray, " item"], sheet: Path, frame: pd.DataFrame, places: dict[str, int], scale: Scale
) -> list[str]:
    """Put one rater's numbers into their places; returns complaints."""
    wrong, seen = [], {}
    for row, record in enumerate(frame.to_dict("records"), 1):
        item, at = str(record["item"]).strip(), f"{sheet}, row {row}"
        if item not in places:
            wrong.append(f"{at}: item {item!r} is not in the key; use the sheet as it was written")
        elif item in seen:
            wrong.append(f"{at}: item {item!r} stands in row {seen[item]} already; rate each once")
        else:
            seen[item] = row
            number, complaint = _number(record["rating"], scale)
            values[places[item]] = number
            wrong += [f"{at}: {complaint}"] if complaint else []
    lacking = [item for item in places if item not in seen]
    if lacking:
        wrong.append(f"{sheet}: {len(lacking)} items are missing, such as {lacking[0]!r}; leave ratings empty, not out")
    return wrong


def _number(value: object, scale: Scale) -> tuple[float, str]:
    """Return a rating (NaN for none) and what is wrong with it."""
    text = "" if value is None or (isinstance(value, float) and np.isnan(value)) else str(value).strip()
    if not text:
        return np.nan, ""
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        return np.nan, f"rating {text!r} is no number; write a whole one from {scale.low} to {scale.high}"
    if number != round(number) or not scale.low <= number <= scale.high:
        return np.nan, f"rating {text!r} is outside the scale; write a whole number from {scale.low} to {scale.high}"
    return number, ""


def _mapping(key: Path) -> dict[str, object]:
    try:
        return json.loads(key.read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{key} is no key of rating sheets ({error}); name the key.json that write_sheets made"
        ) from error
