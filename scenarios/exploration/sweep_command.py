"""The command `sweep`: how many points there were, and what broke, as it breaks."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from scenarios.case import versions
from scenarios.explain import explain
from scenarios.exploration.interruption import interruptible
from scenarios.exploration.sweep import Swept, sweep
from scenarios.output import ExitStatus, replace_file
from scenarios.run import results_folder
from scenarios.worlds.sim.world import Fidelity

SCHEMA = 1
SHOWN_MAX = 3
"""How many broken episodes are explained; of the others only the case is kept."""


def sweep_and_report(
    fidelity: Fidelity, nested: bool, out: Path | None, console: Console
) -> ExitStatus:
    """Sweeps one registration, and leaves summary.json and cases/ in `results_folder(out)`. Ctrl-C
    ends it with what was found by then. Raises `OSError` where the folder cannot be made."""
    began_at, began = datetime.now(UTC), time.monotonic()
    # As a wish: raised inside an episode, an interrupt may strike in a finalizer, which drops it.
    # From before there is a folder: whoever finds one also finds results in it.
    with interruptible() as end_is_wished:
        folder = results_folder(out)
        folder.mkdir(parents=True, exist_ok=True)
        report = _Report(folder, console)
        for swept in sweep(nested=nested, fidelity=fidelity):
            report.add(swept)
            if end_is_wished():
                report.interrupted = True
                break
    duration_s = time.monotonic() - began
    report.write(fidelity, began_at, duration_s)
    report.tell_counts(duration_s)
    return report.exit_status


@dataclass
class _Report:
    """`points` counts the first deaths by scenario and actor, one for a kill and a loss of power
    at the same point."""

    out: Path
    console: Console
    points: dict[str, Counter[str]] = field(default_factory=dict)
    single: int = 0
    second: int = 0
    broken: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def exit_status(self) -> ExitStatus:
        if self.broken:
            return ExitStatus.VIOLATED
        return ExitStatus.INCONCLUSIVE if self.interrupted else ExitStatus.PASSED

    def add(self, swept: Swept) -> None:
        """Counts one episode; where it is broken its case is kept, and told."""
        points = self.points.setdefault(swept.scenario, Counter())
        if len(swept.deaths) == 1:
            self.single += 1
            points[swept.deaths[0].actor] += not swept.power
        else:
            self.second += 1
        if not swept.judged.broken:
            return
        path = self.out / "cases" / f"{swept.name}.json"
        path.parent.mkdir(exist_ok=True)
        replace_file(path, swept.judged.case().encode().encode())
        self.broken.append(str(path.relative_to(self.out)))
        if len(self.broken) <= SHOWN_MAX:
            name = swept.judged.broken[0]
            self._tell(explain(name, swept.judged.verdicts[name], swept.judged.played.history))
            self._tell(f"replay: dtms-lab replay {path}")

    def write(self, fidelity: Fidelity, began_at: datetime, duration_s: float) -> None:
        """summary.json, whole or not at all."""
        summary = {
            "schema": SCHEMA,
            "exit_status": int(self.exit_status),
            "started_at": began_at.isoformat(),
            "duration_s": round(duration_s, 3),
            "fidelity": fidelity,
            "interrupted": self.interrupted,
            "versions": versions(),
            "points": self.points,
            "single_crashes": self.single,
            "second_crashes": self.second,
            "cases": self.broken,
        }
        replace_file(self.out / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())

    def tell_counts(self, duration_s: float) -> None:
        for scenario, points in self.points.items():
            actors = ", ".join(f"{count} of {actor}" for actor, count in points.items())
            found = f"{points.total()} points ({actors})"
            self._tell(f"{scenario}: {found}, each as a kill and a loss of power")
        self._tell(
            f"{self.single} single crashes, {self.second} second crashes during recovery, "
            f"{len(self.broken)} broken, in {duration_s:.1f} s"
        )
        if self.interrupted:
            self._tell("interrupted; the rest was not swept")

    def _tell(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
