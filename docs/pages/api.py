"""The reference: a page for every package with an `__all__` and every module at the top, from their docstrings."""

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel
from sphinx.pycode import ModuleAnalyzer

from docs.pages.docstrings import first_sentence, heading, marked, table
from docs.pages.fields import field_tables

_FOLDER = "reference/api"
_NOT_OFFERED = ("cli", "apps")
"""Parts that are used from the command line."""


@dataclass(frozen=True)
class Public:
    """A module and the names that it offers."""

    name: str
    names: tuple[str, ...]
    sources: Mapping[str, str]
    """By name, the module that it is defined in."""

    @cached_property
    def module(self) -> ModuleType:
        """The module itself."""
        return importlib.import_module(self.name)

    @property
    def document(self) -> str:
        """The name of its page's file."""
        return self.name.removeprefix("interp_lab.")


def api_pages() -> dict[str, str]:
    """Return the text of a page for each public module, and of their table, by path."""
    modules = list(_public_modules())
    homes = _homes(modules)
    pages = {f"{_FOLDER}/{module.document}.rst": _page(module, homes) for module in modules}
    return {f"{_FOLDER}/index.rst": _index(modules), "reference/index.rst": _contents(), **pages}


def _contents() -> str:
    return "\n".join(
        [
            *heading("Reference"),
            "Made from the code: from the registry of experiments, the docstrings of configs, classes and functions,",
            "and the commands.",
            "",
            ".. toctree::",
            "   :maxdepth: 1",
            "",
            "   experiments/index",
            "   command_line",
            "   api/index",
            "",
        ]
    )


def _index(modules: list[Public]) -> str:
    rows = [(f":doc:`{one.name} <{one.document}>`", first_sentence(one.module.__doc__)) for one in modules]
    return "\n".join(
        [
            *heading("Packages and modules"),
            "What a package offers is what its ``__all__`` names.",
            "",
            *table(("module", "what it is for"), rows, widths=(30, 70)),
            ".. toctree::",
            "   :hidden:",
            "",
            *[f"   {one.document}" for one in modules],
            "",
        ]
    )


def _page(module: Public, homes: Mapping[int, str]) -> str:
    here = [name for name in module.names if _home(module, name, homes) == module.name]
    elsewhere = [name for name in module.names if name not in here]
    listed = [(f":py:obj:`{name} <{module.name}.{name}>`", _about(module, name)) for name in here]
    lines = [
        *heading(module.name),
        f".. py:module:: {module.name}",
        "",
        marked(inspect.cleandoc(module.module.__doc__ or "")),
        "",
        *(table(("name", "what it is"), listed, widths=(30, 70)) if listed else []),
    ]
    for name in here:
        lines += _entry(module, name)
    if elsewhere:
        links = [f":py:obj:`{name} <{_home(module, name, homes)}.{name}>`" for name in elsewhere]
        lines += [f"Offered here as well: {', '.join(links)}.", ""]
    return "\n".join(lines)


def _about(module: Public, name: str) -> str:
    value = getattr(module.module, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        return first_sentence(inspect.getdoc(value))
    return first_sentence(_comment(module, name))


def _entry(module: Public, name: str) -> list[str]:
    value, path = getattr(module.module, name), f"{module.name}.{name}"
    if inspect.isclass(value) and issubclass(value, BaseModel):
        return [f".. autoclass:: {path}", "", *[f"   {line}".rstrip() for line in field_tables(value)], ""]
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
        return [f".. auto{kind}:: {path}", "   :members:", "   :show-inheritance:", ""]
    if inspect.isroutine(value):
        return [f".. autofunction:: {path}", ""]
    return [f".. py:data:: {path}", "", *[f"   {line}".rstrip() for line in _comment(module, name).split("\n")], ""]


def _comment(module: Public, name: str) -> str:
    """Return the string that stands below a constant, as `marked`."""
    found = ModuleAnalyzer.for_module(module.sources.get(name, module.name)).find_attr_docs()
    return marked("\n".join(found.get(("", name), ())).strip())


def _homes(modules: list[Public]) -> dict[int, str]:
    """Return, by identity of a class or function, the public module nearest to where it is defined."""
    homes: dict[int, str] = {}
    for module in modules:
        for name in module.names:
            value = getattr(module.module, name)
            if inspect.isclass(value) or inspect.isroutine(value):
                own = f"{value.__module__}."
                nearer = own.startswith(f"{module.name}.") and len(module.name) > len(homes.get(id(value), ""))
                if nearer or id(value) not in homes:
                    homes[id(value)] = module.name
    return homes


def _home(module: Public, name: str, homes: Mapping[int, str]) -> str:
    return homes.get(id(getattr(module.module, name)), module.name)


def _public_modules() -> Iterator[Public]:
    root = Path(str(importlib.import_module("interp_lab").__file__)).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        package = parts[-1] == "__init__"
        if parts[1] in _NOT_OFFERED or not (package or len(parts) == 2) or (len(parts) == 2 and package):
            continue
        tree = ast.parse(path.read_text())
        names = _named(tree) if package or _offers(tree) else _defined(tree)
        if names:
            yield Public(".".join(parts[:-1] if package else parts), names, _sources(tree))


def _offers(tree: ast.Module) -> bool:
    return bool(_named(tree))


def _named(tree: ast.Module) -> tuple[str, ...]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return tuple(ast.literal_eval(node.value))
    return ()


def _defined(tree: ast.Module) -> tuple[str, ...]:
    """Return the public names that a module defines and says something about."""
    made: list[str] = []
    for node, behind in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            made.append(node.name)
        documented = isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant)
        if documented and isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            made += [target.id for target in targets if isinstance(target, ast.Name)]
    return tuple(name for name in made if not name.startswith("_"))


def _sources(tree: ast.Module) -> dict[str, str]:
    return {
        alias.asname or alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    }
