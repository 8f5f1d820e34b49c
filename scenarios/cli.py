"""The commands of `dtms-lab`, but for those of `loadtests`.

Each command reads its words, calls what does the work, and tells it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import SystemRandom
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from scenarios.doctor import examine
from scenarios.output import ExitStatus
from scenarios.run import RunRequest, run_and_report
from scenarios.saved import check_files
from scenarios.suites import SCENARIOS, select
from scenarios.targets.spec import TargetRefused, client_target, server_target
from scenarios.targets.targets import Targets
from scenarios.trial import WORLDS, WorldName
from scenarios.worlds.sim.world import FIDELITIES, Fidelity

SEED_MAX = 2**31
REPEAT_MAX = 100_000
JOBS_MAX = 64

app = typer.Typer(
    help="Proves a trade-registration path, or breaks it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)


def main() -> None:
    """What `python -m scenarios` runs."""
    app()


@app.command()
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SUITE or SCENARIO]...", help="What to run; nothing means all."),
    ] = None,
    world: Annotated[
        str | None,
        typer.Option(
            help="sim (one process, virtual time) or local (real processes); nothing means both."
        ),
    ] = None,
    fidelity: Annotated[
        str | None,
        typer.Option(help="In sim: message, http or socket; nothing means each in turns."),
    ] = None,
    client: Annotated[
        str, typer.Option(help="reference, FILE.py:function, module:function or cmd:ARGV.")
    ] = "reference",
    server: Annotated[
        str,
        typer.Option(
            help="simulated, FILE.py:factory, cmd:ARGV with {port} and {data_dir}, http://..."
        ),
    ] = "simulated",
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=SEED_MAX, help="Of the first episode [default: drawn]."),
    ] = None,
    repeat: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=REPEAT_MAX,
            help="How often, each time with the next seed [default: 18 in sim, 1 in local].",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=JOBS_MAX, help="Episodes at a time.")] = 6,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results [default: runs/<id>].")
    ] = None,
    python: Annotated[
        Path | None, typer.Option(help="Interpreter for Python clients [default: this one].")
    ] = None,
) -> None:
    """Run scenarios and judge them from their histories."""
    try:
        request = RunRequest(
            scenarios=select(names or []),
            targets=Targets(client_target(client), server_target(server), interpreter(python)),
            worlds=worlds_named(world),
            fidelity=fidelity_named(fidelity),
            seed=SystemRandom().randrange(SEED_MAX) if seed is None else seed,
            repeat=1 if repeat is None and seed is not None else repeat,
            jobs=jobs,
            out=out,
        )
        status = run_and_report(request, Console(), Console(stderr=True))
    except (KeyError, TargetRefused, FileExistsError, OSError) as error:
        refuse(str(error.args[0]) if isinstance(error, KeyError) else str(error))
    raise typer.Exit(int(status))


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Saved histories.")],
) -> None:
    """Judge saved histories by the checkers their first line names: a line for each file."""
    raise typer.Exit(int(check_files(files, Console(soft_wrap=True), Console(stderr=True))))


@app.command("list")
def list_scenarios(
    names: Annotated[list[str] | None, typer.Argument(metavar="[SUITE or SCENARIO]...")] = None,
) -> None:
    """List the scenarios, by family, with what each proves."""
    try:
        chosen = select(names or [])
    except KeyError as error:
        refuse(str(error.args[0]))
    console = Console()
    if not console.is_terminal:
        for scenario in chosen:
            print(f"{scenario.family}\t{scenario.name}\t{scenario.proves}")  # noqa: T201
        return
    table = Table(title=f"{len(chosen)} of {len(SCENARIOS)} scenarios", title_justify="left")
    for column in ("family", "scenario", "proves"):
        table.add_column(column)
    for scenario in chosen:
        table.add_row(str(scenario.family), scenario.name, scenario.proves)
    console.print(table)


@app.command()
def doctor() -> None:
    """Tell what this machine can do, and how to get the rest."""
    console = Console()
    parts = examine()
    table = Table(title="What this machine offers", title_justify="left")
    for column in ("part", "found", "needed for", "how to get it"):
        table.add_column(column, overflow="fold")
    for part in parts:
        found = part.found or "[red]missing[/]" if part.required else part.found or "-"
        table.add_row(part.name, found, part.used_for, "" if part.found else part.remedy)
    console.print(table)
    missing = [part.name for part in parts if part.required and not part.found]
    if missing:
        Console(stderr=True).print(f"Missing: {', '.join(missing)}.")
        raise typer.Exit(int(ExitStatus.ENVIRONMENT_FAILED))


def worlds_named(name: str | None) -> tuple[WorldName, ...]:
    """The worlds to run in; ends the command for one that there is not."""
    if name is None:
        return WORLDS
    for world in WORLDS:
        if world == name:
            return (world,)
    refuse(f"there is no world {name!r}; there are: {', '.join(WORLDS)}")
    return None


def fidelity_named(name: str | None) -> Fidelity | None:
    """The fidelity; ends the command for one that there is not."""
    if name is None:
        return None
    for fidelity in FIDELITIES:
        if fidelity == name:
            return fidelity
    refuse(f"there is no fidelity {name!r}; there are: {', '.join(FIDELITIES)}")
    return None


def interpreter(python: Path | None) -> str:
    """The interpreter's path, kept as it was given, so that a virtual environment stays one."""
    if python is None:
        return sys.executable
    if not python.is_file():
        raise FileNotFoundError(f"--python {python}: there is no such program")
    return str(python.absolute())


def refuse(sentence: str) -> NoReturn:
    """Says why the words of the command cannot be used, and ends with the usage status."""
    Console(stderr=True, soft_wrap=True).print(f"dtms-lab: {sentence}", markup=False)
    raise typer.Exit(int(ExitStatus.USAGE))
