"""What an investigation will cost, from what others have cost: seconds of the most similar step, scaled by examples."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from statistics import quantiles
from typing import Any, Literal

from interp_lab.hypotheses import Confirmable
from interp_lab.investigation.config import InvestigationConfig
from interp_lab.investigation.deciding import BESIDE, CONFIRM
from interp_lab.investigation.expected import Expected
from interp_lab.investigation.plan import COUNT, Planned
from interp_lab.investigation.record import RECORD, read_record
from interp_lab.investigation.references import step_folder
from interp_lab.investigation.yardstick import yardstick
from interp_lab.models import shape_named
from interp_lab.models.settings import device_named
from interp_lab.registry import entry, resolve
from interp_lab.runs import read_run

BUNDLED = "spent.json"
"""What the shipped investigations cost where they were recorded (`experiments/record_costs.py`)."""
FEWEST_CHECKED = 8
"""Steps whose cost others must have foretold before it is said how well that goes."""
_COVERED = 0.8


@dataclass(frozen=True)
class Work:
    """A step, or the test of what it leaves, as far as its cost depends on it."""

    experiment: str
    part: Literal["step", "test"]
    model: str
    """By its shape: an untrained organism is an `organism`."""
    device: str
    amounts: Mapping[str, int]
    """Whole numbers of the config, and how long its lists are."""

    @property
    def n_examples(self) -> int:
        """How many are asked for, of all kinds together."""
        return sum(n for key, n in self.amounts.items() if COUNT.fullmatch(key.rpartition(".")[2]))


@dataclass(frozen=True)
class Spent:
    """What a piece of work cost."""

    work: Work
    seconds: float


def expected_in(folder: Path, config: InvestigationConfig, planned: Sequence[Planned]) -> Expected:
    """Return what an investigation in a folder will cost, by those beside it and by those of the package."""
    beside, unread = spent_beside(folder)
    known = [*beside, *bundled_spent(yardstick=yardstick())]
    return expected(config, planned, known).model_copy(update={"unread": tuple(unread)})


def expected(config: InvestigationConfig, planned: Sequence[Planned], known: Sequence[Spent]) -> Expected:
    """Return what every step and test is expected to cost, by what is known of others."""
    work = dict(_work_of(config, planned))
    nearest = {name: _nearest(one, known) for name, one in work.items()}
    return Expected(
        seconds={name: None if near is None else _scaled(work[name], near) for name, near in nearest.items()},
        factor=factor_of(known),
        elsewhere=tuple(name for name, near in nearest.items() if near and near.work.model != work[name].model),
    )


def _work_of(config: InvestigationConfig, planned: Sequence[Planned]) -> Iterator[tuple[str, Work]]:
    device = device_named(config.device)
    for one in planned:
        yield one.name, work_of(one.step.experiment, "step", one.config.flat(), device)
    for folder, model in ((CONFIRM, None), (BESIDE, config.beside)):
        for one in planned if config.tests and (folder == CONFIRM or model) else ():
            says = issubclass(resolve(entry(one.step.experiment).result), Confirmable)
            if one.phase == "search" and one.step.tested and says:
                values = {**one.for_test.flat(), **({} if model is None else {"model": model})}
                yield f"{folder}/{one.name}", work_of(one.step.experiment, "test", values, device)


def work_of(experiment: str, part: Literal["step", "test"], flat: Mapping[str, Any], device: str) -> Work:
    """Return the work that a flat config asks for."""
    sizes = ((key, len(value) if isinstance(value, list | tuple) else value) for key, value in flat.items())
    amounts = {key: value for key, value in sizes if type(value) is int and key.rpartition(".")[2] != "seed"}
    return Work(experiment, part, shape_named(str(flat.get("model", ""))), device, amounts)


def _nearest(wanted: Work, known: Sequence[Spent]) -> Spent | None:
    """Return the most similar work: of the same experiment on the same device; then the same model, part, amounts."""
    alike = [one for one in known if (one.work.experiment, one.work.device) == (wanted.experiment, wanted.device)]
    return min(alike, key=lambda one: _distance(wanted, one.work), default=None)


def _distance(one: Work, other: Work) -> tuple[bool, bool, float]:
    keys = {*one.amounts, *other.amounts}
    far = sum(abs(math.log((1 + one.amounts.get(key, 0)) / (1 + other.amounts.get(key, 0)))) for key in keys)
    return (one.model != other.model, one.part != other.part, far)


def _scaled(wanted: Work, near: Spent) -> float:
    """Return the seconds of similar work for another number of examples; where either has none, as they are."""
    before, now = near.work.n_examples, wanted.n_examples
    return near.seconds * (now / before if before and now else 1.0)


def factor_of(known: Sequence[Spent]) -> float | None:
    """Return the factor within which four in five costs lie of what the others foretell."""
    errors = []
    for nth, one in enumerate(known):
        near = _nearest(one.work, [*known[:nth], *known[nth + 1 :]])
        if near is not None and near.work.model == one.work.model:
            errors.append(abs(math.log(_scaled(one.work, near) / one.seconds)))
    if len(errors) < FEWEST_CHECKED:
        return None
    return math.exp(quantiles(errors, n=100, method="inclusive")[round(100 * _COVERED) - 1])


def spent_beside(folder: Path) -> tuple[list[Spent], list[str]]:
    """Return what other investigations in the same parent folder cost, and the names of those that cannot be read."""
    found: list[Spent] = []
    unread = []
    for record in sorted(folder.parent.glob(f"*/{RECORD}")):
        if record.parent != folder:
            try:
                found += spent_in(record.parent)
            except (ValueError, OSError):
                unread.append(record.parent.name)
    return found, unread


def spent_in(folder: Path) -> list[Spent]:
    """Return what every complete step and test of an investigation cost.

    Raises: InvestigationError, ConfigError or RunError, for a folder that cannot be read.
    """
    found = []
    for name, one in read_record(folder).steps.items():
        if one.status == "complete" and one.seconds > 0:
            run = read_run(folder / name if "/" in name else step_folder(folder, name))
            flat = resolve(entry(one.experiment).config).from_mapping(run.config).flat()
            part: Literal["step", "test"] = "test" if "/" in name else "step"
            found.append(Spent(work_of(one.experiment, part, flat, run.provenance["device"]), one.seconds))
    return found


def bundled_spent(*, yardstick: float) -> list[Spent]:
    """Return what comes with the package, in seconds of this machine.

    Args:
        yardstick: what it takes here, in seconds.
    """
    data = json.loads(files("interp_lab.investigation").joinpath(BUNDLED).read_text("utf-8"))
    rows = [Spent(Work(**row["work"]), row["seconds"]) for row in data["rows"]]
    return [replace(one, seconds=one.seconds * yardstick / data["yardstick"]) for one in rows]


def as_bundled(rows: Iterable[Spent], *, yardstick: float) -> str:
    """Return the text of the bundled file."""
    made = [json.dumps({"seconds": round(one.seconds, 1), "work": asdict(one.work)}, sort_keys=True) for one in rows]
    return f'{{"yardstick": {yardstick:.6f}, "rows": [\n' + ",\n".join(made) + "\n]}\n"
