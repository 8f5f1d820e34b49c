"""What a run leaves in its folder: summary.json, junit.xml, history/, cases/."""

from __future__ import annotations

import json
import platform
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from scenarios.campaign import Campaign, EpisodeResult
from scenarios.scenario import Scenario
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, combine

SCHEMA = 1
LIBRARIES = ("dtms-lab", "httpx", "aiohttp", "starlette", "uvicorn", "msgspec")


class ExitStatus(IntEnum):
    """What the command's exit status says."""

    PASSED = 0
    VIOLATED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    THRESHOLD_MISSED = 4
    ENVIRONMENT_FAILED = 5


@dataclass
class RunReport:
    """Gathers results as they come; can be written at any moment, also after Ctrl-C."""

    campaign: Campaign
    started_at: datetime
    interrupted: bool = False
    results: dict[str, list[EpisodeResult]] = field(default_factory=lambda: defaultdict(list))

    def add(self, result: EpisodeResult) -> None:
        """Takes one episode's result; a failure's case file is written at once."""
        self.results[result.scenario.name].append(result)
        if isinstance(result.verdict, Invalid):
            self._write_case(result)

    def exit_status(self) -> ExitStatus:
        """A violation outweighs trouble with the environment, and both outweigh doubt."""
        results = [result for several in self.results.values() for result in several]
        if any(isinstance(result.verdict, Invalid) for result in results):
            return ExitStatus.VIOLATED
        if any(result.environment for result in results):
            return ExitStatus.ENVIRONMENT_FAILED
        if self.interrupted or not results:
            return ExitStatus.INCONCLUSIVE
        if any(isinstance(result.verdict, Unknown) for result in results):
            return ExitStatus.INCONCLUSIVE
        return ExitStatus.PASSED

    def verdict(self) -> str:
        """`valid`, `invalid` or `unknown`, for the whole run."""
        match self.exit_status():
            case ExitStatus.PASSED:
                return "valid"
            case ExitStatus.VIOLATED:
                return "invalid"
            case _:
                return "unknown"

    def scenario_verdict(self, scenario: Scenario) -> Verdict:
        """The worst of the scenario's episodes."""
        return combine(result.verdict for result in self.results.get(scenario.name, ()))

    def checker_verdicts(self, scenario: Scenario) -> dict[str, str]:
        """The worst verdict of each checker over the scenario's episodes."""
        names: dict[str, list[Verdict]] = defaultdict(list)
        for result in self.results.get(scenario.name, ()):
            for name, verdict in result.verdicts.items():
                names[name].append(verdict)
        return {name: word(combine(verdicts)) for name, verdicts in names.items()}

    def write(self, now: datetime) -> None:
        """Writes summary.json and junit.xml, whole or not at all."""
        folder = self.campaign.folder
        folder.mkdir(parents=True, exist_ok=True)
        summary = json.dumps(self._summary(now), indent=2) + "\n"
        _replace(folder / "summary.json", summary.encode())
        _replace(folder / "junit.xml", self._junit())

    def case_path(self, result: EpisodeResult) -> Path:
        """Where the failure's case file is."""
        name = f"{result.scenario.name}-{result.seed}.json"
        return self.campaign.folder / "cases" / name

    def _summary(self, now: datetime) -> dict[str, object]:
        skipped = {skip.scenario.name: skip.why for skip in self.campaign.skipped()}
        return {
            "schema": SCHEMA,
            "verdict": self.verdict(),
            "exit_status": int(self.exit_status()),
            "started_at": self.started_at.isoformat(),
            "duration_s": round((now - self.started_at).total_seconds(), 3),
            "seed": self.campaign.seed,
            "client": self.campaign.targets.client.name,
            "server": self.campaign.targets.server.name,
            "interrupted": self.interrupted,
            "versions": versions(),
            "scenarios": [
                self._scenario(scenario, skipped.get(scenario.name))
                for scenario in self.campaign.scenarios
            ],
        }

    def _scenario(self, scenario: Scenario, skipped: str | None) -> dict[str, object]:
        results = self.results.get(scenario.name, [])
        verdict = self.scenario_verdict(scenario)
        return {
            "name": scenario.name,
            "family": str(scenario.family),
            "world": "local",
            "fidelity": "socket",
            "episodes": len(results),
            "verdict": "skipped" if skipped else word(verdict),
            "why": "" if skipped or isinstance(verdict, Valid) else verdict.why,
            "skipped": skipped or "",
            "duration_s": round(sum(result.duration_s for result in results), 3),
            "checkers": self.checker_verdicts(scenario),
            "cases": [
                str(self.case_path(result).relative_to(self.campaign.folder))
                for result in results
                if isinstance(result.verdict, Invalid)
            ],
        }

    def _junit(self) -> bytes:
        suites = ElementTree.Element("testsuites", name="dtms-lab")
        skipped = {skip.scenario.name: skip.why for skip in self.campaign.skipped()}
        for family in dict.fromkeys(scenario.family for scenario in self.campaign.scenarios):
            members = [s for s in self.campaign.scenarios if s.family == family]
            suites.append(self._junit_suite(str(family), members, skipped))
        ElementTree.indent(suites)
        return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"

    def _junit_suite(
        self, family: str, members: Sequence[Scenario], skipped: dict[str, str]
    ) -> ElementTree.Element:
        suite = ElementTree.Element("testsuite", name=family)
        counts = {"tests": len(members), "failures": 0, "errors": 0, "skipped": 0}
        for scenario in members:
            seconds = sum(r.duration_s for r in self.results.get(scenario.name, ()))
            case = ElementTree.SubElement(
                suite, "testcase", classname=family, name=scenario.name, time=f"{seconds:.3f}"
            )
            verdict = self.scenario_verdict(scenario)
            if scenario.name in skipped:
                counts["skipped"] += 1
                ElementTree.SubElement(case, "skipped", message=skipped[scenario.name])
            elif isinstance(verdict, Invalid):
                counts["failures"] += 1
                ElementTree.SubElement(case, "failure", message=verdict.why)
            elif isinstance(verdict, Unknown):
                counts["errors"] += 1
                ElementTree.SubElement(case, "error", message=verdict.why)
        for name, count in counts.items():
            suite.set(name, str(count))
        return suite

    def _write_case(self, result: EpisodeResult) -> None:
        path = self.case_path(result)
        path.parent.mkdir(parents=True, exist_ok=True)
        case = {
            "schema": SCHEMA,
            "scenario": result.scenario.name,
            "world": "local",
            "fidelity": "socket",
            "client": self.campaign.targets.client.name,
            "server": self.campaign.targets.server.name,
            "seed": result.seed,
            "choices": {},
            "versions": versions(),
            "verdict": {name: word(verdict) for name, verdict in result.verdicts.items()},
            "why": result.verdict.why if isinstance(result.verdict, Invalid) else "",
            "history": str(Path("..", "history", result.history.name)),
        }
        _replace(path, (json.dumps(case, indent=2) + "\n").encode())


def word(verdict: Verdict) -> str:
    """`valid`, `invalid` or `unknown`."""
    return type(verdict).__name__.lower()


def versions() -> dict[str, str]:
    """What the result was got with."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def _replace(path: Path, content: bytes) -> None:
    """So that a reader, or a crash, never meets half a file."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
