"""The commands of `dtms-lab`, but for those of `loadtests`.

Each command reads its words, calls what does the work, and tells it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import Annotated, NoReturn, cast

import typer
from rich.console import Console
from rich.table import Table

from chaos.toxiproxy.errors import ServerMissing
from scenarios.doctor import examine, install
from scenarios.exploration.explore_command import ExploreRequest, explore_and_report
from scenarios.exploration.replay_command import replay_and_report
from scenarios.exploration.search import Limits
from scenarios.exploration.sweep_command import sweep_and_report
from scenarios.exploration.workers import cores
from scenarios.linearizability.models import MODELS
from scenarios.output import ExitStatus
from scenarios.run import RunRequest, results_folder, run_and_report
from scenarios.saved import FORMATS, Format, check_files
from scenarios.suites import SCENARIOS, select
from scenarios.targets.spec import TargetRefused, client_target, server_target
from scenarios.targets.targets import Targets
from scenarios.terminal import Terminal
from scenarios.trial import DEFAULT_WORLDS, WORLDS, WorldName
from scenarios.worlds.sim.world import FIDELITIES, Fidelity

SEED_MAX = 2**31
REPEAT_MAX = 100_000
JOBS_MAX = 64
EXPLORE_S = 60.0
EXPLORE_S_MAX = 7 * 86_400.0
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3_600.0}

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
            help="sim (one process, virtual time), local (real processes) or docker (the servers "
            "in containers); nothing means sim and local."
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
            help="How often, each time with the next seed [default: 18 in sim, 1 elsewhere].",
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
    if world in {"local", "docker"} and fidelity is not None:
        refuse(f"--fidelity is for the world sim; in {world} all is real")
    if world == "docker" and server != "simulated":
        refuse("--world docker has the simulated server in its image and no other; try local")
    with ending_in_words():
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
        status = run_and_report(request, Terminal(working=True), errors_console())
    raise typer.Exit(int(status))


@app.command()
def explore(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="What to explore; nothing means all."),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(min=1, help="Episodes to play [default: for 60 s].")
    ] = None,
    for_s: Annotated[
        str | None, typer.Option("--for", help="How long, as in 90s, 10m or 2h.")
    ] = None,
    fidelity: Annotated[
        str | None, typer.Option(help="message, http or socket; nothing means each in turns.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=JOBS_MAX, help="Processes [default: a core each].")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDR", help="A Dask scheduler, as tcp://HOST:PORT.")
    ] = None,
    client: Annotated[str, typer.Option(help="As for run.")] = "reference",
    server: Annotated[str, typer.Option(help="As for run.")] = "simulated",
    seed: Annotated[
        int | None, typer.Option(min=0, max=SEED_MAX, help="Of the first episode.")
    ] = None,
    swarm: Annotated[
        bool, typer.Option(help="Random faults besides those of the scenario.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results [default: runs/<id>].")
    ] = None,
) -> None:
    """Search the simulation for failures, and make small what fails."""
    with ending_in_words():
        request = ExploreRequest(
            scenarios=select(names or []),
            targets=Targets(client_target(client), server_target(server)),
            fidelity=fidelity_named(fidelity),
            seed=SystemRandom().randrange(SEED_MAX) if seed is None else seed,
            limits=Limits(runs, seconds_of(for_s) if for_s or not runs else None),
            workers=workers or cores(),
            cluster=cluster,
            out=results_folder(out),
            swarm=swarm,
        )
        status = explore_and_report(request, Terminal(working=True), errors_console())
    raise typer.Exit(int(status))


@app.command()
def sweep(
    fidelity: Annotated[str, typer.Option(help="message, http or socket.")] = "message",
    nested: Annotated[
        bool, typer.Option(help="Also die again at every point of the recovery.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the cases [default: runs/<id>].")
    ] = None,
) -> None:
    """Die at every boundary of one registration, on client and server, and recover."""
    chosen = fidelity_named(fidelity)
    assert chosen is not None
    with ending_in_words():
        status = sweep_and_report(chosen, nested, out, Terminal())
    raise typer.Exit(int(status))


@app.command()
def replay(
    cases: Annotated[list[Path], typer.Argument(metavar="CASE...", help="Case files.")],
) -> None:
    """Play a failure again: the same digest, or the first operation that differs."""
    with ending_in_words():
        status = replay_and_report(cases, Terminal(soft_wrap=True), errors_console())
    raise typer.Exit(int(status))


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Saved histories.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Is there an order by it? registration, register, cas-register or set; "
            "nothing means the checkers that the first line names."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="lab or jepsen.")] = "lab",
) -> None:
    """Judge saved histories: a line for each file."""
    if model is not None and model not in MODELS:
        refuse(f"there is no model {model!r}; there are: {', '.join(MODELS)}")
    if form not in FORMATS:
        refuse(f"there is no format {form!r}; there are: {', '.join(FORMATS)}")
    if form == "jepsen" and model is None:
        refuse(f"--format jepsen needs a --model to judge by: {', '.join(MODELS)}")
    console, errors = Terminal(soft_wrap=True), errors_console()
    with ending_in_words():
        status = check_files(files, console, errors, model=model, form=cast(Format, form))
    raise typer.Exit(int(status))


@app.command()
def zoo(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Those with this in their name.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of the search.")] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, max=JOBS_MAX, help="Processes [default: a core each].")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results [default: runs/<id>].")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="Only tell what is in it.")] = False,
) -> None:
    """Plant each bug there is, and tell which checker finds it how soon."""
    from scenarios.zoo.command import ZooRequest, tell_all, zoo_and_report

    if list_them:
        tell_all(Terminal(soft_wrap=True))
        return
    with ending_in_words():
        request = ZooRequest(only or (), seed, workers or cores(), results_folder(out))
        status = zoo_and_report(request, Terminal(working=True))
    raise typer.Exit(int(status))


@app.command()
def contract(
    server: Annotated[str, typer.Option(help="As for run.")] = "simulated",
    profile: Annotated[
        str, typer.Option(help="full, or core: enable, look-up and health only.")
    ] = "full",
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="This check alone; may be repeated.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A SHOULD counts as a MUST.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    list_checks: Annotated[
        bool, typer.Option("--list", help="Name the checks, and what each states.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, max=SEED_MAX, help="Of what is drawn [default: drawn].")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for contract.json and junit.xml.")
    ] = None,
) -> None:
    """Check a server against every statement of the API's contract.

    Exit status: 0 every MUST passed, 1 one failed (with --strict, a SHOULD too),
    2 usage, 3 a MUST was not decided, 5 the server never came up.
    """
    from scenarios.contract.catalogue import CHECKS
    from scenarios.contract.command import ContractRequest, contract_and_report

    if list_checks:
        for check in CHECKS:
            print(f"{check.level}\t{check.name}\t{check.statement}")  # noqa: T201
        return
    with ending_in_words():
        request = ContractRequest(
            server=server_target(server),
            profile=profile,
            only=only or [],
            seed=SystemRandom().randrange(SEED_MAX) if seed is None else seed,
            strict=strict,
            as_json=as_json,
            out=None if out is None else results_folder(out),
        )
        status = contract_and_report(request, Terminal(working=True), Console(stderr=True))
    raise typer.Exit(int(status))


@app.command("list")
def list_scenarios(
    names: Annotated[list[str] | None, typer.Argument(metavar="[SUITE or SCENARIO]...")] = None,
) -> None:
    """List the scenarios, by family, with what each proves."""
    with ending_in_words():
        chosen = select(names or [])
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
def doctor(
    get: Annotated[
        str | None, typer.Option("--install", metavar="PART", help="Get a part: toxiproxy.")
    ] = None,
) -> None:
    """Tell what this machine can do, and how to get the rest."""
    console = Console()
    if get is not None:
        with ending_in_words():
            try:
                console.print(install(get), markup=False, soft_wrap=True)
            except ServerMissing as none:
                errors_console().print(str(none), markup=False)
                raise typer.Exit(int(ExitStatus.ENVIRONMENT_FAILED)) from None
        return
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
        errors_console().print(f"Missing: {', '.join(missing)}.")
        raise typer.Exit(int(ExitStatus.ENVIRONMENT_FAILED))


@contextmanager
def ending_in_words() -> Iterator[None]:
    """What the words cannot mean here ends the command with a sentence, Ctrl-C inconclusively: also
    where it met the workers' parent while that was starting, of which the pipe to it tells."""
    try:
        yield
    except KeyError as error:
        refuse(str(error.args[0]))
    except (TargetRefused, OSError) as error:
        refuse(str(error))
    except (KeyboardInterrupt, EOFError):
        raise typer.Exit(int(ExitStatus.INCONCLUSIVE)) from None


def seconds_of(text: str | None) -> float:
    """Seconds of `90s`, `10m`, `2h` or `90`; of nothing, EXPLORE_S. Ends the command for others."""
    if text is None:
        return EXPLORE_S
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS_S else (text, "s")
    try:
        seconds = float(number) * UNITS_S[unit]
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= EXPLORE_S_MAX:
        refuse(f"--for {text}: must be a time such as 90s, 10m or 2h, at most a week")
    return seconds


def worlds_named(name: str | None) -> tuple[WorldName, ...]:
    """The worlds to run in; ends the command for one that there is not."""
    if name is None:
        return DEFAULT_WORLDS
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


def errors_console() -> Console:
    """For standard error; `f.py:one:` is no picture."""
    return Console(stderr=True, soft_wrap=True, emoji=False)


def refuse(sentence: str) -> NoReturn:
    """Says why the words of the command cannot be used, and ends with the usage status."""
    errors_console().print(f"dtms-lab: {sentence}", markup=False)
    raise typer.Exit(int(ExitStatus.USAGE))
