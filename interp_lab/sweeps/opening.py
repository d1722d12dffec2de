"""The folder of a sweep: begun or gone on with, held by one driver at a time."""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interp_lab.config import read_yaml
from interp_lab.jobs import n_cores
from interp_lab.runs.files import PARTIAL, write_atomic
from interp_lab.runs.lock import LOCK, held
from interp_lab.sweeps.definition import Definition, SweepError
from interp_lab.sweeps.settings import SweepSettings
from interp_lab.sweeps.trial import LEDGER, TRIALS, trial_folder

DEFINITION, BASE, SETTINGS, JOURNAL, RESULT = "sweep.yaml", "base.yaml", "settings.json", "search.journal", "result"
FORMAT = 1
_WANDB_MODES = {"off": "disabled", "offline": "offline", "online": "online"}
_MAY_CHANGE = ("backend", "workers", "address", "wandb")
"""Settings that say by whom the work is done, not what work: they are not kept."""


@dataclass(frozen=True)
class SweepFolder:
    """A folder that this driver holds."""

    path: Path
    definition: Definition
    settings: SweepSettings

    @property
    def ledger(self) -> Path:
        """Of every proposal, attempt and end."""
        return self.path / LEDGER

    @property
    def journal(self) -> Path:
        """Of the search, as Optuna keeps it."""
        return self.path / JOURNAL

    @property
    def base(self) -> Path:
        """The config that trials overlay: a copy, so that editing the original changes no trial of this sweep."""
        return self.path / BASE

    @property
    def result(self) -> Path:
        """Run folder of the sweep as a whole."""
        return self.path / RESULT

    def trial(self, number: int) -> Path:
        """Return the run folder of a trial."""
        return trial_folder(self.path, number)

    @property
    def env(self) -> dict[str, str]:
        """What runs find in their environment: their group at W&B, and how open they may be there."""
        mode = _WANDB_MODES.get(self.settings.wandb)
        group = {"WANDB_RUN_GROUP": self.definition.name}
        return group if mode is None else {**group, "WANDB_MODE": mode}

    def argv(self, values: Mapping[str, Any], *, out: Path, extra: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the command line of a run: that of W&B's agent, on the copy of the config, with its folder."""
        given = self.definition.argv(values, out=out, extra=(*extra, "--wandb", self.settings.wandb))
        return (*given[:2], str(self.base), *given[3:])


@contextmanager
def opened(
    folder: Path, definition: Definition, settings: SweepSettings, *, resume: bool = False
) -> Generator[SweepFolder]:
    """Begin a sweep in a new or empty folder, or go on with the one in it, and hold it for the length of the block.

    What is not given stays as it was at the last start: the number of trials, what they are weighed by, and the threads
    of each, for the last bits of a sum depend on them.

    Raises: SweepError, if another driver holds the folder, or it holds a sweep and `resume` is not set, a sweep with
        another definition, config or seed (each difference is named), or something else.
    """
    with held(folder, error=SweepError):
        if (folder / SETTINGS).is_file():
            if not resume:
                raise SweepError(f"{folder} already holds a sweep; go on with it by --resume, or take another folder")
            settings = with_stored(settings, _require_same(folder, definition, settings))
        else:
            _begin(folder, definition)
        settings = settings.model_copy(update={"threads": threads_of(settings)})
        _remove_leftovers(folder)
        _write_settings(folder, settings)
        yield SweepFolder(folder.absolute(), definition, settings)


def with_stored(settings: SweepSettings, stored: Mapping[str, Any]) -> SweepSettings:
    """Return settings with what was not given taken from an earlier start."""
    kept = {name: stored[name] for name in ("n_trials", "threads", "pareto") if not getattr(settings, name)}
    return settings.overlaid(kept)


def threads_of(settings: SweepSettings) -> int:
    """Return the threads of a trial: the cores of this machine, shared out; one on a cluster that is there already."""
    return settings.threads or (1 if settings.address else max(1, n_cores() // settings.workers))


def _begin(folder: Path, definition: Definition) -> None:
    """Copy what the sweep is made from; the settings, written last, make it one."""
    mine = {LOCK, DEFINITION, BASE}
    held = sorted(path.name for path in folder.iterdir() if path.name not in mine and not path.match(PARTIAL))
    if held:
        raise SweepError(f"{folder} is not empty and holds no sweep (it has {held[0]}); take a new or empty folder")
    write_atomic(folder / DEFINITION, definition.path.read_bytes())
    write_atomic(folder / BASE, definition.base.config_path.read_bytes())
    (folder / TRIALS).mkdir(exist_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed driver left half-written at the top; trials look after their own folders."""
    for leftover in folder.glob(PARTIAL):
        leftover.unlink()


def _write_settings(folder: Path, settings: SweepSettings) -> None:
    kept = {name: value for name, value in settings.as_dict().items() if name not in _MAY_CHANGE}
    write_atomic(folder / SETTINGS, json.dumps({"format": FORMAT, **kept}, indent=1).encode("utf-8"))


def read_settings(folder: Path) -> dict[str, Any]:
    """Return what was asked of the sweep in a folder.

    Raises: SweepError, if there is none, or it was written by a newer version.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise SweepError(f"{folder} holds no sweep: it has no {SETTINGS}; name the folder given to --out")
    stored = json.loads(path.read_bytes())
    if stored.pop("format") > FORMAT:
        raise SweepError(f"{folder} was written by a newer interp_lab; upgrade: pip install --upgrade interp_lab")
    return stored


def _require_same(folder: Path, definition: Definition, settings: SweepSettings) -> dict[str, Any]:
    stored = read_settings(folder)
    differing = [
        *differences(read_yaml(folder / DEFINITION), definition.raw),
        *differences(read_yaml(folder / BASE), read_yaml(definition.base.config_path)),
        *differences({"seed": stored["seed"]}, {"seed": settings.seed}),
    ]
    if differing:
        raise SweepError(
            f"{folder} holds another sweep ({'; '.join(differing)}); go on with the old values, or take another folder "
            "(more trials are asked for by --trials)"
        )
    return stored


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return `key: old -> new` for whatever differs, two levels deep."""
    before, after = _two_levels(old), _two_levels(new)
    keys = dict.fromkeys((*before, *after))
    return [f"{key}: {before.get(key)!r} -> {after.get(key)!r}" for key in keys if before.get(key) != after.get(key)]


def _two_levels(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = value if isinstance(value, Mapping) and value else None
        flat.update({key: value} if inner is None else {f"{key}.{name}": one for name, one in inner.items()})
    return flat
