"""The parts that are measured, by name, and how their figures are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from loadtests.bench import checker, core, postgres, proxy, server, sim
from loadtests.bench.figure import Figure
from scenarios.output import ExitStatus

PARTS: Mapping[str, Callable[[], tuple[Figure, ...]]] = MappingProxyType(
    {
        "core": core.measure,
        "server": server.measure,
        "sim": sim.measure,
        "checker": checker.measure,
        "proxy": proxy.measure,
        "postgres": postgres.measure,
    }
)


def bench(names: Sequence[str], *, as_json: bool) -> ExitStatus:
    """Measures the parts of these names, all for none, and tells every figure on standard output:
    one JSON object, or a line as soon as it is known. Raises `KeyError` for a name that is none.
    """
    parts = {name: PARTS[name] for name in names or PARTS}
    figures: list[Figure] = []
    for measure in parts.values():
        measured = measure()
        figures += measured
        if not as_json:
            for figure in measured:
                print(told(figure), flush=True)
    if as_json:
        print(json.dumps({f.name: {"value": f.value, "unit": f.unit} for f in figures}))
    missed = [figure for figure in figures if not figure.kept]
    for figure in missed:
        print(f"missed: {told(figure)}", file=sys.stderr)
    return ExitStatus.THRESHOLD_MISSED if missed else ExitStatus.PASSED


def told(figure: Figure) -> str:
    """One line."""
    promise = f"  ({figure.sense} {figure.bound:g})" if figure.bound is not None else ""
    verdict = "" if figure.kept else "  MISSED"
    return f"{figure.name:<48} {figure.value:10.3f} {figure.unit}{promise}{verdict}"
