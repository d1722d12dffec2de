"""The command line of a trial: what W&B's agent would run, by W&B's rules for macros."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interp_lab.config import Config, ConfigError, merge, parse_overrides, read_yaml, unflatten
from interp_lab.registry import entry, resolve
from interp_lab.sweeps.space import Parameter, SweepError
from interp_lab.types import nearest

DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
"""W&B's command where a sweep has none."""
RUN = ("interp-lab", "run")
_ENV = "/usr/bin/env"
_ARGS = ("${args}", "${args_no_equals}", "${args_no_boolean_flags}")
"""Macros for values in a form that `interp-lab run` reads."""
_MACROS = ("${env}", "${interpreter}", "${program}", *_ARGS)
_FOREIGN = tuple(f"${{args_{form}}}" for form in ("no_hyphens", "json", "json_file", "append_hydra", "override_hydra"))
_VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")
_TAKEN = ("--out", "--resume")
"""Options of `interp-lab run` that are each trial's own."""


@dataclass(frozen=True)
class Base:
    """What a sweep varies: an experiment, its config file, and what the command itself sets."""

    experiment: str
    config_path: Path
    """As the command names it: from the folder where the sweep is started."""
    overrides: dict[str, Any]
    """Nested; of the options behind the config, such as `--fold=search`."""

    def config(self, values: Mapping[str, Any] | None = None) -> Config:
        """Return the config that a trial with these values (dotted or nested) has.

        Raises: ConfigError, if the experiment refuses it.
        """
        whole = merge(merge(read_yaml(self.config_path), self.overrides), unflatten(values or {}))
        whole.pop("experiment", None)
        return resolve(entry(self.experiment).config).from_mapping(whole)


def arguments(values: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return values as W&B's agent is given them: by the key at the top, a nested block as one mapping.

    Raises: SweepError, for a value of no parameter.
    """
    unknown = [name for name in values if name not in parameters]
    if unknown:
        raise SweepError(
            f"{unknown[0]}: no parameter of this sweep{nearest(unknown[0], parameters)}; it has {', '.join(parameters)}"
        )
    found: dict[str, Any] = {}
    for name in sorted(values, key=lambda name: parameters[name].path):
        branch: Any = values[name]
        for key in reversed(parameters[name].path[1:]):
            branch = {key: branch}
        found = merge(found, {parameters[name].path[0]: branch})
    return found


def expanded(command: Sequence[str], *, program: str | None, args: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the command with its macros filled in, as W&B's agent does on anything but Windows."""
    forms = {
        "${env}": [_ENV],
        "${interpreter}": ["python"],
        "${program}": [program or ""],
        "${args}": [f"--{key}={value}" for key, value in args.items()],
        "${args_no_equals}": [part for key, value in args.items() for part in (f"--{key}", str(value))],
        "${args_no_boolean_flags}": [
            f"--{key}" if value is True else f"--{key}={value}" for key, value in args.items() if value is not False
        ],
    }
    filled = [_VARIABLE.sub(lambda name: os.environ.get(name[1], name[1]), part) for part in command]
    return tuple(word for part in filled for word in forms.get(part, [part]))


def trial_argv(command: Sequence[str], *, program: str | None, args: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the expanded command from `interp-lab` on: a leading `${env}` alone changes nothing.

    Raises: SweepError, if it is not `interp-lab run CONFIG ...`.
    """
    argv = expanded(command, program=program, args=args)
    argv = argv[1:] if argv[:1] == (_ENV,) else argv
    if argv[:2] != RUN or len(argv) < 3 or argv[2].startswith("--"):
        raise SweepError(
            f"command: {' '.join(command)} runs {' '.join(argv[:3])!r}; a trial is "
            "[interp-lab, run, CONFIG.yaml, --fold=search, ${args}], the config right behind run"
        )
    return argv


def base_of(command: Sequence[str], *, program: str | None) -> Base:
    """Return what a command runs without any values.

    Raises: SweepError, if it is not `interp-lab run CONFIG ...`, or the config cannot be read.
    """
    _, _, config, *options = trial_argv(command, program=program, args={})
    try:
        overrides = overrides_in(options)
        values = read_yaml(config)
        if "experiment" not in values:
            raise ConfigError(f"{config} has no key experiment; name a config of experiments/configs/")
        experiment = str(values["experiment"])
        entry(experiment)
    except ConfigError as error:
        raise SweepError(f"command: {error} (a path counts from the folder where the sweep is started)") from error
    except ValueError as error:
        raise SweepError(f"command: {config}: {error}") from error
    return Base(experiment, Path(config), overrides)


def overrides_in(options: Sequence[str]) -> dict[str, Any]:
    """Return what options of `interp-lab run` set in the config; those of the command itself are left out.

    Raises: ConfigError, for what is no option.
    """
    rest = [option for option in options if option not in ("--resume", "--traceback")]
    for own in ("--wandb", "--out"):
        while own in rest:
            at = rest.index(own)
            del rest[at : at + 2]
        rest = [option for option in rest if not option.startswith(f"{own}=")]
    return parse_overrides(rest)


def problems_of_command(command: Sequence[str], *, program: str | None) -> Iterator[str]:
    """Yield what keeps a command from being run, by W&B or by us."""
    n_args = sum(part in _ARGS for part in command)
    foreign = [part for part in command if part in _FOREIGN]
    if n_args != 1 or foreign:
        said = f"has {', '.join(foreign)}" if foreign else f"has {n_args} of {', '.join(_ARGS)}"
        yield f"command: {said}; put ${{args}} in once, or no value reaches the run as it should"
    for part in command:
        if "${" in _VARIABLE.sub("", part) and part not in (*_MACROS, *_FOREIGN):
            yield f"command: {part!r} is no macro of W&B's{nearest(part, _MACROS)}; it has {', '.join(_MACROS)}"
        for name in _VARIABLE.findall(part):
            if name not in os.environ:
                yield f"command: {part!r}: {name} is not set; W&B would write {name!r} itself there. Export it"
        if part.partition("=")[0] in _TAKEN:
            yield f"command: {part!r} would be the same for every trial, which gets its own; leave it out"
    if "${program}" in command and not program:
        yield "program: required by ${program} in the command, but not given"
    try:
        trial_argv(command, program=program, args={})
    except SweepError as error:
        yield str(error)
