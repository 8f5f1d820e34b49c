"""The command `dtms-lab`, whole: what `scenarios.cli` offers, and what stands above it.

Scenarios know nothing of load tests, so the command line is put together here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from scenarios.cli import app, refuse


def main(before: Sequence[str] = ()) -> None:
    """The console entry point. `before` are words that stand before those of the caller."""
    app(args=[*before, *sys.argv[1:]])


@app.command("bench")
def run_benchmarks(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PART]...",
            help="core, server, sim, checker, proxy, postgres; nothing means all.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object of named figures with units.")
    ] = False,
) -> None:
    """Measure what things cost; a promised bound that is missed ends with status 4."""
    from loadtests.bench.parts import PARTS, bench  # what it measures takes a second to import

    for name in names or ():
        if name not in PARTS:
            refuse(f"there is no benchmark {name!r}; there are: {', '.join(PARTS)}")
    raise typer.Exit(int(bench(names or (), as_json=as_json)))
