"""`interp-lab investigate`: what it takes, and what it says."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interp_lab.cli.folders import new_folder
from interp_lab.cli.stopping import stoppable

if TYPE_CHECKING:
    from interp_lab.investigation import Investigated, InvestigationConfig, Planned
    from interp_lab.investigation.expected import Expected

File = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file; see experiments/investigations.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[--KEY.PATH=VALUE]...", help="Values to override.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the investigation; a new one under out/ by default.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the one in --out; begin it if there is none.")]
Quick = Annotated[bool, typer.Option("--quick", help="With the steps' settings for a first look.")]
Thorough = Annotated[bool, typer.Option("--thorough", help="With the steps' settings for a last word.")]
Plan = Annotated[bool, typer.Option("--plan", help="Check everything, show the steps and their cost; run nothing.")]


def investigate(
    config: File,
    overrides: Overrides = None,
    out: Out = None,
    resume: Resume = False,
    quick: Quick = False,
    thorough: Thorough = False,
    plan: Plan = False,
) -> None:
    """Search, write down hypotheses, test them on what was held out, and write one page; step by step.

    `--a.b=value` sets a.b of CONFIG, `--steps.NAME.KEY=value` what one step is told. Stop it at any time; the same
    command with --out and --resume goes on.
    """
    from interp_lab.config import parse_overrides
    from interp_lab.investigation import plan as planned
    from interp_lab.investigation import read_investigation_config
    from interp_lab.investigation.costs import expected_in

    if quick and thorough:
        raise typer.BadParameter("--quick and --thorough exclude each other")
    if resume and out is None:
        raise typer.BadParameter("--resume goes on with the investigation in --out; say which folder that is")
    effort = "quick" if quick else "thorough" if thorough else None
    asked = read_investigation_config(config, parse_overrides(overrides or []), effort)
    folder = out or new_folder(config)
    steps = planned(asked, folder)
    expected = expected_in(folder, asked, steps)
    if plan:
        show_plan(asked, steps, expected)
        return
    command = ["interp-lab", "investigate", str(config), *(["--quick"] * quick), *(["--thorough"] * thorough)]
    _carried_out(asked, folder, expected, resume=resume, command=shlex.join([*command, *(overrides or [])]))


def _carried_out(
    config: "InvestigationConfig", folder: Path, expected: "Expected", *, resume: bool, command: str
) -> None:
    from interp_lab.cli.show import progress_bar
    from interp_lab.investigation import investigate as carry_out

    if resume and not (folder / "record.json").is_file():
        typer.echo(f"nothing to resume in {folder}: starting anew", err=True)
    typer.echo(_cost(expected), err=True)
    go_on = f"{command} --out {shlex.quote(str(folder))} --resume"
    with stoppable(go_on), progress_bar() as progress:
        found = carry_out(config, folder, resume=resume, expected=expected, progress=progress)
    show_outcome(found)
    from interp_lab.investigation.page import write_investigation  # after the run, which a page must never cost

    page = write_investigation(found, reproduce=f"{command} --out {shlex.quote(str(folder))}")
    typer.echo(f"its page: {page}")


def show_plan(config: "InvestigationConfig", planned: "tuple[Planned, ...]", expected: "Expected") -> None:
    """Print the steps as they would run, and what that would cost."""
    from rich.table import Table

    from interp_lab.cli.show import console

    by_name, cells = {one.name: one for one in planned}, ("step", "experiment", "sees", "uses", "examples", "about")
    table = Table(*cells, title=f"{config.investigation} ({config.effort}): {config.question}", title_justify="left")
    for step in config.steps:
        if isinstance(step, str):
            tests = [seconds for name, seconds in expected.seconds.items() if "/" in name]
            table.add_row(f"[bold]{step}[/]", *[""] * 4, _about(tests) if step == "confirm" else "", end_section=True)
            continue
        one = by_name[step.name]
        counts = ", ".join(f"{key}={value}" for key, value in one.counts.items())
        sees = "search" if one.phase == "search" else "held out"
        name, about = f"{one.name}{' (gate)' * step.gate}", _about([expected.seconds[one.name]])
        table.add_row(name, step.experiment, sees, ", ".join(one.consumes), counts, about)
    console.print(table)
    console.print(_cost(expected), highlight=False, markup=False, soft_wrap=True)


def _cost(expected: "Expected") -> str:
    from interp_lab.investigation.expected import duration

    return f"Expected to take about {duration(expected.total)} in all. {expected.how}"


def _about(seconds: "Sequence[float | None]") -> str:
    """Return how long some work takes; a question mark where that is not known of all of it."""
    from interp_lab.investigation.expected import duration

    known = [one for one in seconds if one is not None]
    return duration(sum(known)) if seconds and len(known) == len(seconds) else "?"


def show_outcome(found: "Investigated") -> None:
    """Print the answers in short, and what became of every hypothesis."""
    from interp_lab.cli.show import console
    from interp_lab.investigation.answers import headline
    from interp_lab.investigation.fixes import fixes, price

    def line(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    line(headline(found))
    if found.decided:
        console.print(_table(found))
        line("R: on held-out examples and templates; C: on held-out examples; p against the control, over all of these")
        for one in found.decided:
            if not one.holds:
                line(f"{one.hypothesis.id}: {one.why}")
        for answer in (fixes(found), price(found)):
            line(f"{answer.question} {' '.join(answer.sentences)}")
        line(f"written before anything held out was seen: sha256 {found.hypotheses_hash}")
    foretold = "" if found.expected is None else f", {found.expected.total:.0f} s expected"
    line(f"kept in {found.folder}; {sum(found.seconds.values()):.0f} s in all{foretold}")


def _table(found: "Investigated") -> Any:  # noqa: ANN401 - a rich table
    from rich import box
    from rich.table import Table

    from interp_lab.investigation.outcomes import outcome_of
    from interp_lab.reports.cells import p_text

    style: dict[str, Any] = {"box": box.SIMPLE_HEAD, "show_edge": False, "padding": (0, 1, 0, 0)}
    table = Table(title=found.config.question, title_justify="left", **style)
    beside = [] if found.config.beside is None else [found.config.beside]
    for column in ("", "step", "about", "effect", "p", "grade", *beside):
        table.add_column(column, no_wrap=column != "about")
    for one in found.decided:
        effect = None if one.claim is None else one.claim.effect
        told = ("", "") if effect is None else (_told(effect.effect), p_text(effect.p_adjusted))
        other = [_letter(None if one.beside is None else one.beside.grade)] if beside else []
        became = _letter(one.grade) if one.holds else str(outcome_of(one))
        about = one.hypothesis.component.replace(" + ", "+").removeprefix("attribute ")
        table.add_row(one.hypothesis.id, one.hypothesis.step, about, *told, became, *other)
    return table


def _letter(grade: Any) -> str:  # noqa: ANN401 - a Grade, if there is a claim
    """Return `R` or `C` for what holds; nothing for what does not."""
    return str(grade)[:1].upper() if grade else "-"


def _told(interval: Any) -> str:  # noqa: ANN401 - an Interval
    return f"{interval.estimate:.2f} ({interval.low:.2f} {interval.high:.2f})"
