"""`python -m loadtests.bench [core|server|checker ...] [--json]`: named figures with units.

Exit status 4 where a promised bound was missed.
"""

from __future__ import annotations

import argparse
import json
import sys

from loadtests.bench import checker, core, server
from loadtests.bench.figure import Figure
from scenarios.output import ExitStatus

PARTS = {"core": core.measure, "server": server.measure, "checker": checker.measure}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Benchmarks of the dtms-lab.")
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="all where none is named")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    flags = parser.parse_args()
    figures: list[Figure] = []
    for part in flags.part or PARTS:
        measured = PARTS[part]()
        figures += measured
        if not flags.json:
            for figure in measured:
                print(told(figure), flush=True)
    if flags.json:
        print(json.dumps({f.name: {"value": f.value, "unit": f.unit} for f in figures}))
    missed = [figure.name for figure in figures if not figure.kept]
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
    return int(ExitStatus.THRESHOLD_MISSED if missed else ExitStatus.PASSED)


def told(figure: Figure) -> str:
    """One line."""
    promise = f"  ({figure.sense} {figure.bound:g})" if figure.bound is not None else ""
    verdict = "" if figure.kept else "  MISSED"
    return f"{figure.name:<48} {figure.value:10.3f} {figure.unit}{promise}{verdict}"


if __name__ == "__main__":
    sys.exit(main())
