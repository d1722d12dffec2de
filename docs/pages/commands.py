"""The command line as one page, from the commands themselves."""

from typing import Any

from docs.pages.docstrings import heading, marked, table, told


def command_pages() -> dict[str, str]:
    """Return the text of the page of commands, by path."""
    import typer.main

    from interp_lab.cli.main import app

    group: Any = typer.main.get_command(app)
    lines = [*heading("Command line"), "``interp-lab COMMAND --help`` says the same.", ""]
    for name, command in sorted(group.commands.items()):
        if not command.hidden:
            lines += _command(name, command)
    return {"reference/command_line.rst": "\n".join(lines)}


def _command(name: str, command: Any) -> list[str]:  # noqa: ANN401 - a command of Click
    rows = [
        (_named(parameter), told(getattr(parameter, "help", "") or ""), _default(parameter))
        for parameter in command.params
        if parameter.name != "help" and not getattr(parameter, "hidden", False)
    ]
    shown = [*heading(f"interp-lab {name}", "-"), marked(" ".join((command.help or "").split("\f")[0].split())), ""]
    return shown + (table(("argument", "meaning", "default"), rows, widths=(28, 52, 20)) if rows else [])


def _named(parameter: Any) -> str:  # noqa: ANN401 - a parameter of Click
    if parameter.param_type_name == "argument":
        return f"``{parameter.metavar or parameter.name.upper()}``"
    return ", ".join(f"``{name}``" for name in (*parameter.opts, *parameter.secondary_opts))


def _default(parameter: Any) -> str:  # noqa: ANN401 - as above
    if parameter.required:
        return "**required**"
    value = parameter.default
    return "" if value in (None, False, (), [], "") or callable(value) else f"``{value}``"
