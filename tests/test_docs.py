"""What the texts say is there: links, paths, imports, commands, and how docstrings become pages."""

import ast
import importlib
import re
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from docs.pages.docstrings import as_fields, marked
from docs.pages.fields import field_tables, meaning
from docs.pages.references import exists
from interp_lab.config import Config
from interp_lab.registry import EXPERIMENTS, resolve

ROOT = Path(__file__).parent.parent
WRITTEN = ("docs/reference", "docs/course")
"""Made from the code by `make docs`, which checks the links to them."""
TEXTS = [
    ROOT / "README.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if not str(path.relative_to(ROOT)).startswith(WRITTEN)),
]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def named(path):
    return str(path.relative_to(ROOT))


def blocks(path, language):
    return [code for kind, code in BLOCK.findall(path.read_text()) if kind == language]


def links(path):
    """Targets of relative links and images, as paths from the root."""
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", BLOCK.sub("", path.read_text())):
        if not re.match(r"\w+:", target):
            yield (path.parent / target).resolve().relative_to(ROOT)


def imported(code):
    """Modules and names that Python code takes from the package."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "interp_lab":
            yield from ((node.module, alias.name) for alias in node.names)


def parsed(code):
    """The lines of an illustration that are imports, where it leaves out too much to be Python."""
    try:
        ast.parse(code)
    except SyntaxError:
        return "\n".join(line for line in code.splitlines() if line.startswith("from interp_lab"))
    return code


@pytest.mark.parametrize("path", TEXTS, ids=named)
class TestATextOf:
    def test_links_to_what_is_there(self, path):
        gone = [str(link) for link in links(path) if not (ROOT / link).exists() and not str(link).startswith(WRITTEN)]
        assert not gone

    def test_names_files_that_are_there(self, path):
        paths = re.findall(
            r"(?<![\w/.])(?:experiments|notebooks|docs|tests)/[\w/]+\.(?:yaml|py|md)\b", path.read_text()
        )
        assert not [name for name in paths if not (ROOT / name).is_file()]

    def test_imports_what_is_there(self, path):
        found = {pair for code in blocks(path, "python") for pair in imported(parsed(code))}
        assert not [pair for pair in found if not hasattr(importlib.import_module(pair[0]), pair[1])]

    def test_uses_commands_that_are_there(self, path):
        import typer.main

        from interp_lab.cli.main import app

        commands = set(typer.main.get_command(app).commands)
        used = re.findall(r"^\$ interp-lab ([\w-]+)", "\n".join(blocks(path, "console")), re.MULTILINE)
        assert set(used) <= commands


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
class TestANotebook:
    def test_says_what_it_does_not_show(self, path):
        text = re.sub(r"\n# ", " ", path.read_text()).lower()
        assert re.search(r"what (it|this) does not show", text)

    def test_is_numbered_as_its_heading(self, path):
        number = int(path.name[:2])
        assert re.search(rf"^# # {number}\. ", path.read_text(), re.MULTILINE)


class TestHowDocstringsAreRead:
    def read(self, text, *, what="function"):
        lines = text.split("\n")
        as_fields(None, what, "", None, None, lines)
        return [line for line in lines if line]

    def test_arguments_become_parameters(self):
        text = "Do it.\n\nArgs:\n    seed: of the draw,\n        whichever.\n    n: how many.\n\nAfterwards."
        assert self.read(text) == [
            "Do it.",
            ":param seed: of the draw, whichever.",
            ":param n: how many.",
            "Afterwards.",
        ]

    def test_a_line_and_a_block_of_errors(self):
        assert self.read("Raises: ValueError, if\n    it is.") == ["**Raises:** ValueError, if it is."]
        block = "Raises:\n    ValueError, if\n        it is.\n    OSError, else."
        assert self.read(block) == ["**Raises:**", "- ValueError, if it is.", "- OSError, else."]

    def test_what_stands_before_a_colon_is_no_type(self):
        assert self.read("In one fold: what was used.", what="attribute") == ["In one fold: what was used."]

    @pytest.mark.parametrize(
        ("text", "made"),
        [
            ("all `heads`, two", "all ``heads``, two"),
            ("some `Site`s", r"some ``Site``\ s"),
            ("|a| of `|b|`", r"\|a\| of ``|b|``"),
        ],
        ids=["code", "touched by letters", "bars outside of code only"],
    )
    def test_code(self, text, made):
        assert marked(text) == made


class TestTheTableOfFields:
    @pytest.mark.parametrize("name", EXPERIMENTS)
    def test_has_no_field_without_a_meaning(self, name):
        fields = resolve(EXPERIMENTS[name].config).model_fields
        assert not [field for field, what in fields.items() if not meaning(field, what)]

    class Inner(Config):
        """What is inside."""

        share: float = Field(0.5, gt=0, le=1)
        """Of all."""

    class Outer(Config):
        inner: "TestTheTableOfFields.Inner" = Field(default_factory=lambda: TestTheTableOfFields.Inner())
        """The other."""
        kinds: tuple[Literal["a", "b"], ...] | None = None
        """Which."""
        name: str
        """Its `name`."""

    def rows(self, config):
        text = "\n".join(field_tables(config))
        return [re.split(r"\n +- ", row) for row in text.split("   * - ")[1:]]

    def test_says_what_may_be_what_is_and_what_it_means(self):
        self.Outer.model_rebuild()
        rows = [[cell.split("\n")[0].strip() for cell in row] for row in self.rows(self.Outer)]
        assert ["``kinds``", "list of ``a``, ``b`` or null", "``null``", "Which."] in rows
        assert ["``name``", "text", "**required**", "Its ``name``."] in rows
        assert ["``share``", "number > 0, <= 1", "``0.5``", "Of all."] in rows


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("interp_lab.stats.bootstrap_interval", True),
        ("interp_lab.patching.agreement.Agreement", True),
        ("dict", True),
        ("interp_lab.stats.bootstrap_intervall", False),
        ("for no prompts", False),
    ],
    ids=["a function", "in a module that a function hides", "a builtin", "misspelt", "prose"],
)
def test_a_reference_is_plain_only_if_it_exists(name, there):
    assert exists(name) is there
