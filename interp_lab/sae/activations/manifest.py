"""What a folder of activations says of itself: what it was made from, and how each shard must look."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeInt, PositiveInt

from interp_lab.config import Config, ConfigError
from interp_lab.identity import ModelIdentity
from interp_lab.models import identity_of
from interp_lab.models.fingerprint import weights_fingerprint
from interp_lab.runs import write_atomic
from interp_lab.runs.files import Fingerprint
from interp_lab.sae.activations.config import ActivationsConfig
from interp_lab.sae.activations.documents import text_fingerprint
from interp_lab.sae.activations.reading import widths
from interp_lab.tasks import Document
from interp_lab.types import HookedModel

FORMAT = 1
"""Version of the layout; raised when an older interp_lab could not read a newer folder."""
MANIFEST = "store.json"


class StoreError(ValueError):
    """A folder of activations that cannot be used; the message names what is wrong and the way out."""


class Shard(Config):
    """One file of rows."""

    number: NonNegativeInt
    n_rows: PositiveInt
    file: Fingerprint


class Manifest(Config):
    """Content of `store.json`. It holds no time, so that equal stores are equal files."""

    format: PositiveInt = FORMAT
    status: Literal["writing", "complete"] = "writing"
    """`complete` is written last, when every shard is."""
    model: dict[str, Any]
    """As `ModelIdentity.as_dict`."""
    weights: str
    """Checksum of a sample of the weights: a model trained further keeps its name, and not this."""
    text: str
    """Checksum of the text; see `text_fingerprint`."""
    config: ActivationsConfig
    widths: dict[str, int]
    """Entries of an activation, by hook point."""
    shards: tuple[Shard, ...] = ()
    """Of a complete store, in order."""

    @property
    def identity(self) -> ModelIdentity:
        """What the activations were read from."""
        return ModelIdentity.from_dict(self.model)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row on disk: activations, token, document, place and position."""
        n_entries = sum(self.widths.values())
        return n_entries * (4 if self.config.dtype == "float32" else 2) + 4 * 4

    @property
    def rows_per_shard(self) -> int:
        """Rows of every shard but the last."""
        return max(1, self.config.shard_bytes // self.row_bytes)

    @property
    def name(self) -> str:
        """Name of a folder for this: that of the model, and a hash of what the activations depend on.

        How they are cut into passes and shards is left out.
        """
        asked = self.config.model_dump(mode="json", exclude={"windows_at_once", "shard_bytes"})
        known = {"model": self.model, "weights": self.weights, "text": self.text, "asked": asked}
        data = json.dumps(known, sort_keys=True).encode()
        slug = re.sub(r"[^\w.-]+", "-", Path(str(self.model["name"])).name)
        return f"{slug}-{hashlib.blake2b(data, digest_size=8).hexdigest()}"


def describe(model: HookedModel, config: ActivationsConfig, *, documents: Sequence[Document] | None = None) -> Manifest:
    """Return what a store of these activations would say of itself before it holds any.

    Raises: ValueError, for an unknown hook point, text that there is not, or a model without identity.
    """
    return Manifest(
        model=identity_of(model).as_dict(),
        widths=widths(model, config.hooks),
        weights=weights_fingerprint(model),
        text=text_fingerprint(config, documents),
        config=config,
    )


def read_manifest(folder: Path) -> Manifest:
    """Read `store.json`.

    Raises: StoreError, if there is none, it was made by a newer interp_lab, or it was changed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise StoreError(f"{folder} holds no activations (no {MANIFEST}); make them with write_store")
    try:
        data = json.loads(path.read_text("utf-8"))
        version = int(data["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} is no manifest of activations ({error}); restore it, or write the store again"
        ) from error
    if version > FORMAT:
        raise StoreError(f"{path} has format {version}, and this interp_lab reads up to {FORMAT}; use a newer one")
    try:
        return Manifest.from_mapping(data)
    except ConfigError as error:
        raise StoreError(f"{path} was changed: {error}; restore it, or write the store again") from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `store.json`."""
    write_atomic(folder / MANIFEST, (manifest.model_dump_json(indent=1) + "\n").encode("utf-8"))


def differences(stored: Manifest, wanted: Manifest) -> list[str]:
    """Return what two stores disagree on, `old -> new`; how many tokens are asked for is no matter."""
    old, new = (_flat(one) for one in (stored, wanted))
    return [f"{key}: {old.get(key)!r} -> {new.get(key)!r}" for key in {**old, **new} if old.get(key) != new.get(key)]


def _flat(manifest: Manifest) -> Mapping[str, Any]:
    kept = manifest.model_copy(update={"status": "writing", "shards": ()}).flat()
    return {key: value for key, value in kept.items() if key != "config.n_tokens"}
