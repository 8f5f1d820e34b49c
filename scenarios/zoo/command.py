"""The command `zoo`: plants each bug, tells who found it, and exits 1 where one escaped."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from scenarios.case import versions
from scenarios.contract.command import require_extra
from scenarios.exploration.workers import processes
from scenarios.output import ExitStatus, replace_file
from scenarios.zoo.catalogue import CLIENTS, CORRECT, SERVERS
from scenarios.zoo.detection import Detection, detect
from scenarios.zoo.matrix import matrix
from scenarios.zoo.specimen import Specimen

SCHEMA = 1
EPISODES_MAX, CPU_S_MAX = 6_000, 30.0
"""How long a bug is looked for."""
CORRECT_CPU_S = 10.0
"""How long the lab may try to blame a correct one."""
WAITING = 2
"""How many specimens on real processes are looked at beside the simulated ones."""


@dataclass(frozen=True, slots=True)
class ZooRequest:
    """`only` are parts of names; empty means all."""

    only: Sequence[str]
    seed: int
    workers: int
    out: Path


def chosen(only: Sequence[str]) -> tuple[Specimen, ...]:
    """Raises `KeyError` with a sentence where a word is in no name."""
    everyone = (*CORRECT, *CLIENTS, *SERVERS)
    for word in only:
        if not any(word in specimen.name for specimen in everyone):
            raise KeyError(f"nothing in the zoo is called {word!r}; dtms-lab zoo --list tells all")
    return tuple(s for s in everyone if not only or any(word in s.name for word in only))


def tell_all(console: Console) -> None:
    """A line for each specimen: who, which bug, and who may claim it."""
    for specimen in chosen(()):
        claims = ", ".join(sorted(specimen.claims)) or "nobody"
        told = (
            f"{specimen.side} {specimen.name}: {specimen.bug or 'correct'}; {claims} may claim it"
        )
        console.print(told, markup=False, highlight=False, soft_wrap=True)


def zoo_and_report(request: ZooRequest, console: Console) -> ExitStatus:
    """Looks for every bug, and leaves zoo.json and cases/. Ctrl-C ends it with what is known.
    Raises `KeyError` for a name that there is not, `OSError` where the folder cannot be made or
    packages are missing that the contract needs."""
    specimens = chosen(request.only)
    if any(specimen.world == "contract" for specimen in specimens):
        require_extra()
    request.out.mkdir(parents=True, exist_ok=True)
    report = _Report(request, console)
    try:
        with processes(request.workers) as pool, processes(WAITING) as beside:
            jobs = _begun(pool, beside, specimens, request.seed)
            for job in as_completed(jobs):
                report.add(_detection(job, jobs[job]))
    except KeyboardInterrupt:
        report.interrupted = True
    report.finish(len(specimens))
    return report.exit_status


def _begun(
    pool: Executor, beside: Executor, specimens: Sequence[Specimen], seed: int
) -> dict[Future[Detection], Specimen]:
    """Those on real processes beside the others: they mostly wait."""
    jobs = {}
    for specimen in specimens:
        cpu_s = CPU_S_MAX if specimen.bug else CORRECT_CPU_S
        where = pool if specimen.world == "sim" else beside
        jobs[where.submit(detect, specimen, seed, EPISODES_MAX, cpu_s)] = specimen
    return jobs


def _detection(job: Future[Detection], specimen: Specimen) -> Detection:
    try:
        return job.result()
    except Exception as error:  # noqa: BLE001 - what breaks about one is told of it, and fails
        why = f"{type(error).__name__}: {error}"
        return Detection(specimen, "", "", 0, 0.0, {}, trouble=(why,))


@dataclass
class _Report:
    request: ZooRequest
    console: Console
    began: float = field(default_factory=time.monotonic)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    found: list[Detection] = field(default_factory=list)
    interrupted: bool = False

    @property
    def failed(self) -> list[Detection]:
        return [one for one in self.found if not one.passed]

    @property
    def exit_status(self) -> ExitStatus:
        if self.failed:
            return ExitStatus.VIOLATED
        return ExitStatus.INCONCLUSIVE if self.interrupted else ExitStatus.PASSED

    def add(self, one: Detection) -> None:
        self.found.append(one)
        if one.case:
            path = self.request.out / "cases" / f"{one.specimen.name}.json"
            path.parent.mkdir(exist_ok=True)
            replace_file(path, one.case.encode())
        self._tell(f"[{len(self.found)}] {row(one)}")
        if not one.passed:
            for sentence in one.trouble:
                self._tell(f"    {sentence}")

    def finish(self, asked: int) -> None:
        duration_s = time.monotonic() - self.began
        self.found.sort(key=lambda one: (one.specimen.side, one.specimen.name))
        told = matrix(self.found)
        self._tell(told)
        bugs = [one for one in self.found if one.specimen.bug]
        correct = [one for one in self.found if not one.specimen.bug]
        self._tell(
            f"{sum(one.passed for one in bugs)} of {len(bugs)} bugs found by a checker that may "
            f"claim them, {sum(one.passed for one in correct)} of {len(correct)} correct ones "
            f"blamed by nobody, {sum(one.episodes for one in self.found)} episodes "
            f"in {duration_s:.0f} s. {self.request.out}"
        )
        if self.interrupted:
            self._tell(f"interrupted; {asked - len(self.found)} of {asked} were not looked at")
        summary = {
            "schema": SCHEMA,
            "exit_status": int(self.exit_status),
            "started_at": self.began_at.isoformat(),
            "duration_s": round(duration_s, 3),
            "seed": self.request.seed,
            "interrupted": self.interrupted,
            "versions": versions(),
            "specimens": [as_data(one) for one in self.found],
        }
        replace_file(self.request.out / "zoo.json", (json.dumps(summary, indent=2) + "\n").encode())
        replace_file(self.request.out / "matrix.txt", f"{told}\n".encode())

    def _tell(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def row(one: Detection) -> str:
    """One line about one specimen."""
    specimen = one.specimen
    where = f"{specimen.side} {specimen.name} ({specimen.world})"
    what = "checks" if specimen.world == "contract" else "episodes"
    effort = f"{one.episodes} {what}, {one.cpu_s:.1f} s"
    if not specimen.bug:
        return f"{where}: correct, {_blame(one)}: {effort}"
    if not one.checker:
        others = f"claimed only by {', '.join(one.claimed)}" if one.claimed else "claimed by nobody"
        return f"{where}: {specimen.bug}: ESCAPED, {others}: {effort}"
    size = ", ".join(f"{one.size[what]} {what}" for what in ("trades", "faults") if one.size)
    small = f", {size} left" if size else ""
    return f"{where}: {specimen.bug}: {one.checker} in {one.scenario}: {effort}{small}"


def _blame(one: Detection) -> str:
    if one.claimed:
        return f"BLAMED by {', '.join(one.claimed)}"
    if not one.episodes:
        return "NOT PLAYED"
    return "blamed by nobody" if one.passed else "NOT DECIDED"


def as_data(one: Detection) -> dict[str, object]:
    """For zoo.json."""
    specimen = one.specimen
    return {
        "name": specimen.name,
        "side": specimen.side,
        "bug": specimen.bug,
        "world": specimen.world,
        "may_claim": sorted(specimen.claims),
        "passed": one.passed,
        "checker": one.checker,
        "claimed": dict(one.claimed),
        "scenario": one.scenario,
        "episodes": one.episodes,
        "cpu_s": round(one.cpu_s, 3),
        "size": dict(one.size),
        "case": f"cases/{specimen.name}.json" if one.case else "",
        "trouble": list(one.trouble),
    }
