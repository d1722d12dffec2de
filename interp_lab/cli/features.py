"""What `interp-lab features` and `interp-lab ratings` do."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interp_lab.runs import write_atomic
from interp_lab.sae.dashboard import export_neuronpedia, read_labels, write_dashboard
from interp_lab.sae.features import FeatureStore
from interp_lab.sae.naming import ABOUT_LABELS, Scale, agreement, read_ratings, write_sheets
from interp_lab.sae.naming.sheets import KEY
from interp_lab.sae.naming.spreadsheets import as_csv

N_RATED = 30
"""Features on a sheet where none are named."""
TABLE = "ratings-table.csv"


@dataclass(frozen=True)
class Wanted:
    """What is to be made of a folder of features."""

    page: Path | None
    """`None` is `features.html` where nothing else is wanted."""
    title: str
    labels: Path | None
    latents: str | None
    neuronpedia: Path | None
    sheets: Path | None
    raters: tuple[str, ...]
    n_mixed: int


def write_features(folder: Path, wanted: Wanted) -> list[str]:
    """Write what is wanted, and return a line about each.

    Raises: ValueError, RunError, as the functions that write it.
    """
    inside = folder / "features"
    store = FeatureStore.open(inside if inside.is_dir() else folder)
    labels = read_labels(wanted.labels, n_latents=store.n_latents) if wanted.labels else None
    latents = chosen(wanted.latents) if wanted.latents else None
    done = []
    if wanted.page or not (wanted.neuronpedia or wanted.sheets):
        page = wanted.page or Path("features.html")
        done.append(f"wrote {write_dashboard(store, page, latents=latents, labels=labels, title=wanted.title)}")
    if wanted.neuronpedia:
        hook, name = store.about.hook, Path(store.about.sae).name
        paths = export_neuronpedia(
            store, wanted.neuronpedia, model_id=Path(str(store.about.model.get("name", "model"))).name,
            layer=layer_of(hook), sae_set=name, latents=latents,
        )  # fmt: skip
        done.append(f"wrote {len(paths)} batches into {wanted.neuronpedia}")
    if wanted.sheets:
        rated = latents if latents is not None else drawn(store)
        scale = Scale() if labels is None else Scale(question=ABOUT_LABELS)
        write_sheets(
            store,
            wanted.sheets,
            raters=wanted.raters,
            latents=rated,
            labels=labels,
            n_mixed=wanted.n_mixed,
            scale=scale,
        )
        sheets = f"{len(wanted.raters)} sheets of {len(rated)} features and {wanted.n_mixed} controls"
        done.append(f"wrote {sheets} into {wanted.sheets}; keep {KEY} from the raters")
    return done


def read_sheets(folder: Path) -> list[str]:
    """Read the sheets in a folder, write a table beside them, and return what they say.

    Raises: ValueError, as `read_ratings` and `agreement`.
    """
    sheets = sorted(
        path for path in folder.glob("*") if path.suffix in {".csv", ".json"} and path.name not in {KEY, TABLE}
    )
    found = read_ratings(sheets, key=folder / KEY)
    table = folder / TABLE
    write_atomic(table, as_csv(found.table().astype(object).to_dict("records")).encode("utf-8"))
    told = agreement(found).summary() if len(sheets) > 1 else f"one rater, {sheets[0].stem}: no agreement to measure"
    return [told, f"wrote {table}"]


def chosen(text: str) -> list[int]:
    """Return the numbers of `3,17,40-49`.

    Raises: ValueError, for anything else.
    """
    found: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (1, 0)
        if last < first:
            raise ValueError(f"{part!r} of --latents {text!r} is no number and no rising range; write 3,17,40-49")
        found += range(first, last + 1)
    return found


def drawn(store: FeatureStore) -> list[int]:
    """Return some features that were active, at random but always the same."""
    frame = store.features()
    active = frame["latent"][frame["n_active"] > 0].to_numpy()
    return sorted(int(one) for one in np.random.default_rng(0).permutation(active)[:N_RATED])


def layer_of(hook: str) -> int:
    """Return the layer of a hook point.

    Raises: ValueError, for one that is in no layer.
    """
    found = re.match(r"blocks\.(\d+)\.", hook)
    if found is None:
        raise ValueError(f"{hook} is in no layer, and Neuronpedia files features by layer; use export_neuronpedia")
    return int(found[1])
