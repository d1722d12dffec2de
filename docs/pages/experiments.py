"""Pages of experiments: the question, every field of the config, and the configs that ship."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from docs.pages.docstrings import heading, marked, table, told
from docs.pages.fields import field_tables

if TYPE_CHECKING:
    from interp_lab.registry import Entry

_FOLDER = "reference/experiments"


def experiment_pages(repository: Path) -> dict[str, str]:
    """Return the text of a page for each experiment of the registry, and of their table, by path."""
    from interp_lab.registry import EXPERIMENTS

    shipped = _shipped(repository)
    pages = {f"{_FOLDER}/{name}.rst": _page(name, shipped.get(name, [])) for name in EXPERIMENTS}
    return {f"{_FOLDER}/index.rst": _index(shipped), **pages}


def _index(shipped: Mapping[str, list[Path]]) -> str:
    from interp_lab.registry import EXPERIMENTS

    rows = [
        (
            f":doc:`{name} <{name}>`",
            told(entry.question),
            ", ".join(f"``{path.stem}``" for path in shipped.get(name, [])),
        )
        for name, entry in EXPERIMENTS.items()
    ]
    return "\n".join(
        [
            *heading("Experiments"),
            "Each answers one question, from one config: ``interp-lab run CONFIG``. Any field can be set on the",
            "command line by its name, inner ones by their path: ``--n_pairs=128``, ``--budget.kl=0.05``.",
            "",
            *table(("experiment", "question", "configs in experiments/configs"), rows, widths=(18, 47, 35)),
            ".. toctree::",
            "   :hidden:",
            "",
            *[f"   {name}" for name in EXPERIMENTS],
            "",
        ]
    )


def _page(name: str, shipped: list[Path]) -> str:
    from interp_lab.registry import EXPERIMENTS, resolve

    entry = EXPERIMENTS[name]
    config = resolve(entry.config)
    about = marked((config.__doc__ or "").strip()).split("\n\n")[1:]
    lines = [
        *heading(name),
        f"**{told(entry.question)}**",
        "",
        *[line for paragraph in about for line in (" ".join(paragraph.split()), "")],
        ".. code-block:: python",
        "",
        *[f"   {line}".rstrip() for line in _in_python(entry)],
        "",
        f"Returns a {_linked(entry.result)}. See also {_linked(entry.experiment)}.",
        "",
        *heading("Fields of its config", "-"),
        *field_tables(config),
    ]
    if shipped:
        lines += [*heading("Configs that ship", "-")]
    for path in shipped:
        lines += [f"``experiments/configs/{path.name}``", "", ".. code-block:: yaml", ""]
        lines += [f"   {line}".rstrip() for line in path.read_text().splitlines()] + [""]
    return "\n".join(lines)


def _in_python(entry: "Entry") -> list[str]:
    (made_in, experiment), (from_, config) = (_importable(dotted) for dotted in (entry.experiment, entry.config))
    lines = [f"from {made_in} import {experiment}", f"from {from_} import {config}"]
    if made_in == from_:
        lines = [f"from {made_in} import {experiment}, {config}"]
    return [*lines, "", f"result = {experiment}({config}()).run()  # fields of the config as keywords"]


def _importable(dotted: str) -> tuple[str, str]:
    """Return the module to import a class from, its package if that offers it, and its name."""
    module, _, name = dotted.partition(":")
    package = module.rpartition(".")[0]
    return package if hasattr(import_module(package), name) else module, name


def _linked(dotted: str) -> str:
    return f":py:class:`{dotted.partition(':')[2]} <{dotted.replace(':', '.')}>`"


def _shipped(repository: Path) -> dict[str, list[Path]]:
    from interp_lab.registry import CONFIGS

    found: dict[str, list[Path]] = {}
    for path in sorted((repository / CONFIGS).glob("*.yaml")):
        found.setdefault(yaml.safe_load(path.read_text()).get("experiment", ""), []).append(path)
    return found
