"""The floors of the design, read from the imports: a file imports from lower floors, or earlier on its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import interp_lab

PACKAGE = Path(__file__).parent.parent / "interp_lab"

FLOORS = [
    ["types", "edges", "identity", "seals", "folds", "config", "claims", "hypotheses", "bibliography", "experiment"],
    ["metrics", "plots", "stats", "linear", "runs", "jobs"],
    ["hooks", "organisms", "models", "tasks"],
    ["interventions", "gradients", "attention_rollout", "engine", "directions", "decoding", "effects"],
    ["attention", "patching", "circuits", "lenses", "probes", "input_attribution", "sae", "steering", "production",
     "similarity", "audit", "behaviour"],
    ["registry", "sharding", "verify", "reports", "wandb_bridge", "sweeps", "investigation", "training", "apps", "cli"],
]  # fmt: skip
EXPERIMENTS = 4
PLACES = {name: (floor, nth) for floor, names in enumerate(FLOORS) for nth, name in enumerate(names)}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(source: str) -> Iterator[str]:
    """Parts of interp_lab that a source file imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            name = f"{interp_lab._PUBLIC.get(name.removeprefix('interp_lab.'), name)}"
            first, _, rest = name.partition(".")
            if first == "interp_lab" and rest and rest.split(".")[0] in PLACES:
                yield rest.split(".")[0]


def may_import(importer: str, imported: str) -> bool:
    if importer == imported:
        return True
    (floor, place), (other_floor, other_place) = PLACES[importer], PLACES[imported]
    return other_floor < floor or (other_floor == floor and floor != EXPERIMENTS and other_place < place)


SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.name != "__init__.py"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_downwards(path):
    assert part_of(path) in PLACES, f"{path.name} is on no floor: add it to FLOORS and to the README's picture"
    upward = {part for part in imported_parts(path.read_text()) if not may_import(part_of(path), part)}
    assert not upward, f"{path.name} imports from {upward}, which is above it or beside it"


@pytest.mark.parametrize(
    ("importer", "source", "allowed"),
    [
        ("stats", "from interp_lab.types import Site", True),
        ("stats", "from interp_lab.metrics import Metric", True),
        ("metrics", "from interp_lab.stats import Intervals", False),
        ("hooks", "import interp_lab.effects", False),
        ("attention", "from interp_lab.patching.sweep import run", False),
        ("attention", "def f():\n    from interp_lab.reports import write_page", False),
        ("cli", "from interp_lab import attention", True),
        ("metrics", "from interp_lab import load_model", False),
    ],
)
def test_the_rule_itself(importer, source, allowed):
    assert all(may_import(importer, part) for part in imported_parts(source)) is allowed


@pytest.mark.parametrize(
    ("module", "home"),
    [("wandb", "wandb_bridge"), ("transformer_lens", "models"), ("ray", "jobs")],
    ids=["wandb", "model construction", "ray"],
)
def test_what_has_one_home_is_imported_nowhere_else(module, home):
    strangers = [
        str(path.relative_to(PACKAGE))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == module for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == module)
        if part_of(path) != home
    ]
    assert not strangers


def test_imports_are_spelled_out():
    """Relative imports and imports by string would slip past the floors; two files need the latter.

    The registry knows experiments by name, and the nursery imports what its caller names, before it forks.
    """
    for path in SOURCES:
        tree = ast.walk(ast.parse(path.read_text()))
        assert not any(isinstance(node, ast.ImportFrom) and node.level for node in tree), path
        assert "import_module" not in path.read_text() or path.name in ("registry.py", "nursery.py"), path


def test_hooks_are_registered_in_one_place():
    calls = ("hooks", "run_with_hooks", "add_hook", "add_perma_hook", "register_forward_hook", "run_with_cache")
    strangers = {
        str(path.relative_to(PACKAGE))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in calls
        if part_of(path) != "hooks"
    }
    # A bridge is tried out when it is loaded, and started in the middle, before there is anything to hook up.
    assert strangers == {"models/forward.py", "models/read_only.py"}
