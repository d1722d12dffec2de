"""Artefacts of other runs, by the fold that they were made in: whoever uses one asks here whether it may (`folds`)."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from interp_lab import folds
from interp_lab.config import Config, RunRef
from interp_lab.folds import Fold, FoldError
from interp_lab.runs.folder import RECORD, read_run

BUNDLED = Path(__file__).parent.parent / "sae" / "bundled"
"""Autoencoders that ship with the package, a folder each."""
IN_RUN, OF_SAE = "saes", "interp_lab.json"
"""Where a training run keeps its autoencoders, and what the folder of one says of its training."""


@runtime_checkable
class NamesArtefact(Protocol):
    """A part of a config that names an artefact otherwise than by `RunRef` alone."""

    def artefact_meant(self) -> RunRef:
        """Return what is meant."""
        ...


def require_usable_in_fold(ref: RunRef, *, fold: Fold | None = None) -> None:
    """Refuse an artefact that `folds.require_made_in` refuses, and note one that says nothing of a fold.

    The config of the run that made it says in which fold that was (`all`, if it says nothing); where there is an
    autoencoder's folder alone, what its training wrote beside it.

    Args:
        fold: that is in force; `None` asks now.

    Raises: FoldError; RunError, for a run that is damaged.
    """
    if (folds.seen_now() if fold is None else fold) == "all":
        return
    if (ref.run / RECORD).is_file():
        run = read_run(ref.run, allow_incomplete=True)
        folds.require_made_in(_named(run.config), what=f"{_told(ref)} of the run in {ref.run}", fold=fold)
        return
    name = ref.artefact.partition("#")[0].removeprefix(f"{IN_RUN}/")
    places = (ref.run / IN_RUN / name, ref.run)
    own = next((place for place in places if (place / OF_SAE).is_file() and place.parent != BUNDLED), None)
    if own is not None:
        training = json.loads((own / OF_SAE).read_bytes())["training"]
        folds.require_made_in(_named(training), what=f"the autoencoder in {own}", fold=fold)
    elif (BUNDLED / ref.run.name).is_dir():
        folds.note_beyond(f"{ref.run.name}, which comes with the package")
    else:
        folds.note_beyond(f"{ref.run}, which no run of interp_lab made")


def leaks(config: Config) -> list[str]:
    """Return why artefacts that a config names, anywhere in it, may not be used in the fold that it names.

    This is what a run of it would find out when it comes to them, asked beforehand.

    Raises: RunError, for a run that is damaged.
    """
    found: dict[str, None] = {}
    for ref in artefacts_of(config):
        try:
            require_usable_in_fold(ref, fold=getattr(config, "fold", "all"))
        except FoldError as error:
            found[str(error)] = None
    return list(found)


def artefacts_of(config: Config) -> list[RunRef]:
    """Return the artefacts that a config names, in order, each once."""
    return list(dict.fromkeys(_found_in(config)))


def _found_in(value: Any) -> Iterator[RunRef]:  # noqa: ANN401 - whatever a config holds
    if isinstance(value, RunRef):
        yield value
    elif isinstance(value, NamesArtefact):
        yield value.artefact_meant()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _found_in(getattr(value, name))
    elif isinstance(value, Mapping):
        yield from _found_in(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _found_in(one)


def _named(config: Mapping[str, Any]) -> Fold:
    named = config.get("fold", "all")
    return named if named in ("search", "held_out") else "all"


def _told(ref: RunRef) -> str:
    return f"artefact {ref.artefact!r}" if ref.artefact else "what was made"
