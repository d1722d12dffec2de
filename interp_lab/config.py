"""Configuration: frozen, checked, YAML in and out, overlaid by sweeps.

A config is data. Unknown keys and wrong types are refused with the path of the key; nothing is
written to a config once it is built.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError

from interp_lab.folds import Fold
from interp_lab.identity import WeightProcessing
from interp_lab.types import nearest

ConfigT = TypeVar("ConfigT", bound="Config")


class ConfigError(ValueError):
    """A config that cannot be used: the message names the key path, the value and the rule."""


class Config(BaseModel):
    """Base of every config: frozen, unknown keys refused, attribute docstrings kept as descriptions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, coerce_numbers_to_str=True, validate_default=True
    )

    @classmethod
    def from_mapping(cls: type[ConfigT], data: Mapping[str, Any]) -> ConfigT:
        """Build from nested or dotted keys (`{"data.n": 3}` is `{"data": {"n": 3}}`).

        Raises: ConfigError, naming the key path of the first thing that is wrong.
        """
        try:
            return cls.model_validate(unflatten(data))
        except ValidationError as error:
            raise ConfigError(_explain(cls, error)) from error

    @classmethod
    def from_yaml(cls: type[ConfigT], path: str | Path, *, overlay: Mapping[str, Any] | None = None) -> ConfigT:
        """Read a YAML file, then lay `overlay` (nested or dotted keys) over it.

        Raises: ConfigError, if the file is not a YAML mapping or does not describe this config.
        """
        return cls.from_mapping(merge(read_yaml(path), unflatten(overlay or {})))

    def overlaid(self: ConfigT, values: Mapping[str, Any]) -> ConfigT:
        """Return a copy with `values` (nested or dotted keys) laid over it; this is how sweeps set values.

        Raises: ConfigError.
        """
        return self.from_mapping(merge(self.as_dict(), unflatten(values)))

    def as_dict(self) -> dict[str, Any]:
        """Return nested plain data, ready for YAML and JSON."""
        return self.model_dump(mode="json")

    def flat(self) -> dict[str, Any]:
        """Return dotted keys; W&B is given this form, because a sweep's dotted keys would stand beside nested ones."""
        return dict(_flatten(self.as_dict()))

    def to_yaml(self) -> str:
        """Return the YAML text that `from_yaml` reads back to an equal config."""
        return yaml.safe_dump(self.as_dict(), sort_keys=False)


class RunRef(Config):
    """Another run's artefact (its direction, SAE, probe, head table), named so that provenance can follow it."""

    run: Path
    """Folder of a complete run."""
    artefact: str
    """Name of a table, array or file in that run."""


def _read_processing(value: Any) -> Any:  # noqa: ANN401 - what a user wrote
    return WeightProcessing.named(value) if isinstance(value, str) else value


def _write_processing(value: WeightProcessing) -> Any:  # noqa: ANN401 - a name or a mapping
    name = str(value)
    return (
        name
        if name in ("folded", "raw")
        else {key: getattr(value, key) for key in WeightProcessing.__dataclass_fields__}
    )


Processing = Annotated[WeightProcessing, BeforeValidator(_read_processing), PlainSerializer(_write_processing)]
"""Weight processing in a config: `folded`, `raw`, or a mapping of steps."""


class ModelConfig(Config):
    """Which model an experiment is about, and how it is loaded; see `models.load_model`."""

    model: str = "organism"
    """A bundled or compiled model, a name known to TransformerLens, or a local Hugging Face directory."""
    processing: Processing = WeightProcessing()
    """Weight processing; see `WeightProcessing`."""
    backend: Literal["hooked", "bridge"] = "hooked"
    """`HookedTransformer` or `TransformerBridge`."""
    dtype: str = "float32"
    """Of the weights."""
    device: str | None = None
    """`None` takes a GPU if there is one."""
    fold: Fold = "all"
    """Which examples may be drawn: those to `search` on, the third that is `held_out`, or all. What a text says decides
    where it belongs, whatever seed, file or number draws it, so that nothing that is drawn in one fold is ever drawn in
    the other; see `interp_lab.folds`. Sweeps search in one and report in the other. In one fold, artefacts of other
    runs are used only if they were made in `search`."""


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises: ConfigError, if the file is missing, no YAML, or not a mapping.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"no config file at {path}; see experiments/configs/ for examples")
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds a {type(data).__name__}, a config must be a mapping of keys to values")
    return data


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on it, mapping by mapping; neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(merged.get(key), Mapping) and isinstance(value, Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def unflatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested mappings.

    Only the keys at the top are taken apart: those below may be names that have dots of their own.
    """
    nested: dict[str, Any] = {}
    for key, value in values.items():
        branch: Any = value
        for part in reversed(str(key).split(".")):
            branch = {part: branch}
        nested = merge(nested, branch)
    return nested


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse command-line overrides in every form that W&B's `${args}` can take.

    `--a.b=1`, `--a.b 1`, `--flag`, `--no-flag`, `--flag=True`, `--layers=[0, 1]`,
    `--optim={'lr': 0.1}`, `--seed=None`; dashes in a key are underscores.

    Raises: ConfigError, for an argument that is no option.
    """
    overrides: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("--") or argument == "--":
            raise ConfigError(f"expected an override such as --data.n=3, got {argument!r}")
        key, equals, text = argument[2:].partition("=")
        if not equals and rest and not rest[0].startswith("--"):
            text = rest.pop(0)
        elif not equals:
            key, text = (key.removeprefix("no-"), "False") if key.startswith("no-") else (key, "True")
        overrides = merge(overrides, unflatten({key.replace("-", "_"): parse_value(text)}))
    return overrides


def parse_value(text: str) -> Any:  # noqa: ANN401 - any plain value
    """Read a value as Python would (`None`, `1e-05`, `[0, 1]`), else brackets and booleans as YAML, else as text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return yaml.safe_load(text) if text[:1] in ("[", "{") or text in ("true", "false", "null") else text


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def field_paths(config: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted paths of every field, those of nested configs included."""
    paths: list[str] = []
    for name, field in config.model_fields.items():
        paths.append(prefix + name)
        for option in (field.annotation, *get_args(field.annotation)):
            if isinstance(option, type) and issubclass(option, BaseModel):
                paths.extend(field_paths(option, f"{prefix}{name}."))
    return paths


def _explain(config: type[BaseModel], error: ValidationError) -> str:
    lines: list[str] = []
    for problem in error.errors():
        path = ".".join(str(part) for part in problem["loc"]) or config.__name__
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            lines.append(f"{path}: no such field in {config.__name__}{nearest(path, field_paths(config))}")
        elif problem["type"] == "missing":
            lines.append(f"{path}: required, but not given")
        elif problem["type"] == "too_short" and any(line.startswith(f"{path}.") for line in lines):
            continue  # it is short because of the entries that were refused
        elif problem["type"] == "tuple_type":
            lines.append(f"{path}: give a list, [{problem['input']}], not {problem['input']!r}")
        elif problem["type"] == "literal_error":
            known = [str(one) for one in _members(problem["ctx"]["expected"])]
            lines.append(
                f"{path}: {problem['input']!r} is none of {', '.join(known)}{nearest(str(problem['input']), known)}"
            )
        elif problem["type"] == "value_error" and isinstance(problem["input"], Mapping | BaseModel):
            lines.append(f"{path}: {problem['msg']}")  # the rule names its values; the whole config would bury them
        else:
            lines.append(f"{path}: {problem['msg']}, got {problem['input']!r}")
    return "; ".join(lines)


def _members(expected: str) -> list[str]:
    """Return the values in pydantic's list of what a literal may be, such as `'a', <Kind.B: 'b'> or 3`."""
    return [one.strip("'") for one in re.findall(r"'[^']*'|(?<![\w.'])-?\d+", expected)]
