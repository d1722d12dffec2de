"""The fields of a config as tables: what each is called, may be, is if nothing is said, and means."""

import enum
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.pages.docstrings import table, told

_PLAIN = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path", type(None): "null"}
_BOUNDS = {"gt": "> {}", "ge": ">= {}", "lt": "< {}", "le": "<= {}", "min_length": "at least {} of them",
           "max_length": "at most {} of them", "multiple_of": "a multiple of {}"}  # fmt: skip
_MOST = 60
"""Characters of a default that are shown whole."""


def field_tables(config: type[BaseModel]) -> list[str]:
    """Return the table of a config's fields, and one for each config inside of it."""
    lines: list[str] = []
    for path, cls in _tables(config, "", set()):
        if path:
            lines += [f"**{path}**: {told(_about(cls))}", ""]
        defaults = _defaults(cls)
        rows = [
            (f"``{name}``", _type(field.annotation, field.metadata), defaults[name], told(meaning(name, field)))
            for name, field in sorted(cls.model_fields.items(), key=_is_shared)
        ]
        lines += table(("field", "may be", "default", "meaning"), rows, widths=(16, 22, 14, 48))
    return lines


def meaning(name: str, field: FieldInfo) -> str:
    """Return what a field means: what stands below it, or what the config inside of it says of itself."""
    if field.description or name == "seed":
        return field.description or "Of everything that is drawn at random: the same config, the same bits."
    return " ".join(map(_about, _configs(field.annotation)))


def _is_shared(field: tuple[str, FieldInfo]) -> bool:
    """Whether every experiment on a model has this field: its own come first."""
    from interp_lab.config import ModelConfig

    return field[0] in ModelConfig.model_fields


def _tables(config: type[BaseModel], path: str, seen: set[type]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, config
    seen.add(config)
    for name, field in config.model_fields.items():
        for inner in dict.fromkeys(_configs(field.annotation)):
            if inner not in seen and inner.model_fields:
                yield from _tables(inner, f"{path}.{name}".strip("."), seen)


def _configs(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - an annotation
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _configs(inner)


def _about(config: type[BaseModel]) -> str:
    return (config.__doc__ or "").strip().split("\n\n")[0]


def _defaults(config: type[BaseModel]) -> dict[str, str]:
    return {name: _default(field) for name, field in config.model_fields.items()}


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "**required**"
    if isinstance(value, BaseModel):
        return "as below"
    text = yaml.safe_dump(_data(value), default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
    text = text.strip().removesuffix("...").strip()
    return f"``{text}``" if len(text) <= _MOST else f"``{text[:_MOST].strip()}`` ..."


def _data(value: Any) -> Any:  # noqa: ANN401 - a default
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(_data(key)): _data(inner) for key, inner in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [_data(inner) for inner in value]
    return value if isinstance(value, int | float | bool | type(None)) else str(value)


def _type(annotation: Any, metadata: Sequence[Any] = ()) -> str:  # noqa: ANN401 - an annotation
    """Return in words what a field may be."""
    bounds = [text for one in metadata for text in _bounds(one)]
    return " ".join([_base(annotation), ", ".join(bounds)]).strip()


def _bounds(one: Any) -> Iterator[str]:  # noqa: ANN401 - from annotated_types or pydantic
    for inner in getattr(one, "metadata", ()):
        yield from _bounds(inner)
    for name, words in _BOUNDS.items():
        if getattr(one, name, None) is not None:
            yield words.format(getattr(one, name))


def _base(annotation: Any) -> str:  # noqa: ANN401 - an annotation, of many kinds
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0], inner[1:])
    if origin is Literal:
        return ", ".join(f"``{value}``" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_base, sorted(inner, key=lambda one: one is type(None)))))
    if origin is tuple and Ellipsis not in inner:
        return f"list of {len(inner)}: {', '.join(map(_base, inner))}"
    if origin in (tuple, list, set, frozenset) or (origin and issubclass(origin, Sequence)):
        return f"list of {_base(inner[0])}"
    if origin and issubclass(origin, Mapping):
        return f"mapping of {_base(inner[0])} to {_base(inner[1])}"
    return _name(annotation)


def _name(annotation: Any) -> str:  # noqa: ANN401 - an annotation
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ", ".join(f"``{one.value}``" for one in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"{annotation.__name__}, below"
    return "anything" if annotation is typing.Any else f"``{getattr(annotation, '__name__', annotation)}``"
