"""Labels from a file, checked row by row."""

import csv
import io
from pathlib import Path


def read_labels(path: Path, *, n_latents: int) -> dict[int, str]:
    """Read a CSV file with the columns `latent` and `label`; rows without a label are passed over.

    Raises: ValueError, naming file and row (the first below the heading is 1), for a latent that there is not or that
        comes twice, or a missing column.
    """
    reader = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
    missing = [name for name in ("latent", "label") if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; it needs latent and label")
    labels: dict[int, str] = {}
    for row, record in enumerate(reader, 1):
        number, label = (record["latent"] or "").strip(), (record["label"] or "").strip()
        if not (number.isascii() and number.isdigit()) or int(number) >= n_latents:
            raise ValueError(f"{path}, row {row}: there is no latent {number!r}; they go from 0 to {n_latents - 1}")
        if int(number) in labels:
            raise ValueError(f"{path}, row {row}: latent {number} has a label already; keep one")
        if label:
            labels[int(number)] = label
    return labels
