"""What a run leaves in its folder: summary.json, junit.xml, history/, cases/."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from xml.etree import ElementTree

from scenarios.campaign import Campaign
from scenarios.case import SCHEMA as CASE_SCHEMA
from scenarios.case import versions
from scenarios.exploration.batch import Small
from scenarios.scenario import Scenario
from scenarios.trial import Outcome, Trial, WorldName
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, combine

SCHEMA = 2


class ExitStatus(IntEnum):
    """What the command's exit status says."""

    PASSED = 0
    VIOLATED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    THRESHOLD_MISSED = 4
    ENVIRONMENT_FAILED = 5


def gravest(one: ExitStatus, other: ExitStatus) -> ExitStatus:
    """Of two files that a command was given, the status that outweighs the other's."""
    return max(one, other, key=_GRAVITY.index)


_GRAVITY = (
    ExitStatus.PASSED,
    ExitStatus.INCONCLUSIVE,
    ExitStatus.USAGE,
    ExitStatus.THRESHOLD_MISSED,
    ExitStatus.ENVIRONMENT_FAILED,
    ExitStatus.VIOLATED,
)


Key = tuple[str, WorldName, str]
"""Scenario, world and fidelity: what one line of the summary is about."""


@dataclass
class RunReport:
    """Gathers outcomes as they come; can be written at any moment, also after Ctrl-C."""

    campaign: Campaign
    started_at: datetime
    interrupted: bool = False
    lost: str = ""
    """Why the workers are gone, where they are."""
    refused: str = ""
    """Why nothing was played, where a target cannot be one; then that is the status."""
    refused_as: ExitStatus = ExitStatus.USAGE
    outcomes: dict[Key, list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    cases: dict[Key, list[Path]] = field(default_factory=lambda: defaultdict(list))

    def add(self, outcome: Outcome) -> None:
        """Takes one outcome; of real processes a failure's case file is written at once."""
        trial = outcome.trial
        self.outcomes[_key(trial)].append(outcome)
        if isinstance(outcome.verdict, Invalid) and trial.world != "sim":
            self._keep_case(trial, json.dumps(self._real_case(outcome), indent=2) + "\n")

    def add_small(self, trial: Trial, small: Small) -> Path:
        """Takes a failure that was made small, and writes its case file; where that is."""
        return self._keep_case(trial, small.case)

    def exit_status(self) -> ExitStatus:
        """A violation outweighs trouble with the environment, and both outweigh doubt."""
        if self.refused:
            return self.refused_as
        outcomes = [outcome for several in self.outcomes.values() for outcome in several]
        if any(isinstance(outcome.verdict, Invalid) for outcome in outcomes):
            return ExitStatus.VIOLATED
        if self.lost or any(outcome.environment for outcome in outcomes):
            return ExitStatus.ENVIRONMENT_FAILED
        if self.interrupted or not outcomes:
            return ExitStatus.INCONCLUSIVE
        worlds = (self.verdict_of(s, w) for s in self.campaign.scenarios for w in self._judged(s))
        if any(isinstance(verdict, Unknown) for verdict in worlds):
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

    def outcomes_of(self, scenario: Scenario, world: WorldName) -> list[Outcome]:
        """What came of the scenario in that world so far."""
        return [
            outcome
            for (name, where, _fidelity), outcomes in self.outcomes.items()
            if name == scenario.name and where == world
            for outcome in outcomes
        ]

    def verdict_of(self, scenario: Scenario, world: WorldName) -> Verdict:
        """The worst of the scenario's episodes in that world. Of many episodes a few may have had
        nothing to check; that most had is enough."""
        return _overall(self.outcomes_of(scenario, world))

    def scenario_verdict(self, scenario: Scenario) -> Verdict:
        """The worst over all worlds."""
        return combine(self.verdict_of(scenario, world) for world in self._judged(scenario))

    def write(self, now: datetime) -> None:
        """Writes summary.json and junit.xml, whole or not at all."""
        folder = self.campaign.folder
        folder.mkdir(parents=True, exist_ok=True)
        summary = json.dumps(self._summary(now), indent=2) + "\n"
        replace_file(folder / "summary.json", summary.encode())
        replace_file(folder / "junit.xml", self._junit())

    def case_path(self, trial: Trial) -> Path:
        """Where the failure's case file is."""
        return self.campaign.folder / "cases" / f"{trial.name}.json"

    def _judged(self, scenario: Scenario) -> tuple[WorldName, ...]:
        return tuple(w for w in self.campaign.worlds if self.outcomes_of(scenario, w))

    def _keep_case(self, trial: Trial, text: str) -> Path:
        path = self.case_path(trial)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
        self.cases[_key(trial)].append(path)
        return path

    def _summary(self, now: datetime) -> dict[str, object]:
        campaign = self.campaign
        return {
            "schema": SCHEMA,
            "verdict": self.verdict(),
            "exit_status": int(self.exit_status()),
            "started_at": self.started_at.isoformat(),
            "duration_s": round((now - self.started_at).total_seconds(), 3),
            "seed": campaign.seed,
            "client": campaign.targets.client.name,
            "server": campaign.targets.server.name,
            "interrupted": self.interrupted,
            "refused": self.refused,
            "versions": versions(),
            "scenarios": [
                *(self._told(s, key) for s in campaign.scenarios for key in self._keys(s)),
                *(
                    _told_skipped(skip.scenario, skip.world, skip.why)
                    for skip in campaign.skipped()
                ),
            ],
        }

    def _keys(self, scenario: Scenario) -> list[Key]:
        return [key for key in self.outcomes if key[0] == scenario.name]

    def _told(self, scenario: Scenario, key: Key) -> dict[str, object]:
        outcomes = self.outcomes[key]
        verdict = _overall(outcomes)
        return {
            "name": scenario.name,
            "family": str(scenario.family),
            "world": key[1],
            "fidelity": key[2],
            "episodes": len(outcomes),
            "verdict": word(verdict),
            "why": "" if isinstance(verdict, Valid) else verdict.why,
            "skipped": "",
            "duration_s": round(sum(outcome.duration_s for outcome in outcomes), 3),
            "checkers": _by_checker(outcomes),
            "cases": [str(path.relative_to(self.campaign.folder)) for path in self.cases[key]],
        }

    def _junit(self) -> bytes:
        suites = ElementTree.Element("testsuites", name="dtms-lab")
        for family in dict.fromkeys(scenario.family for scenario in self.campaign.scenarios):
            members = [s for s in self.campaign.scenarios if s.family == family]
            suites.append(self._junit_suite(str(family), members))
        ElementTree.indent(suites)
        return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"

    def _junit_suite(self, family: str, members: Sequence[Scenario]) -> ElementTree.Element:
        suite = ElementTree.Element("testsuite", name=family)
        counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        skipped = {(skip.scenario.name, skip.world): skip.why for skip in self.campaign.skipped()}
        several = len(self.campaign.worlds) > 1
        for scenario in members:
            for world in self.campaign.worlds:
                outcomes = self.outcomes_of(scenario, world)
                seconds = sum(outcome.duration_s for outcome in outcomes)
                case = ElementTree.SubElement(
                    suite,
                    "testcase",
                    classname=f"{family}.{world}" if several else family,
                    name=scenario.name,
                    time=f"{seconds:.3f}",
                )
                counts["tests"] += 1
                verdict = _overall(outcomes)
                if why := skipped.get((scenario.name, world)):
                    counts["skipped"] += 1
                    ElementTree.SubElement(case, "skipped", message=why)
                elif isinstance(verdict, Invalid):
                    counts["failures"] += 1
                    ElementTree.SubElement(case, "failure", message=verdict.why)
                elif isinstance(verdict, Unknown):
                    counts["errors"] += 1
                    ElementTree.SubElement(case, "error", message=verdict.why)
        for name, count in counts.items():
            suite.set(name, str(count))
        return suite

    def _real_case(self, outcome: Outcome) -> dict[str, object]:
        trial, targets = outcome.trial, self.campaign.targets
        assert outcome.history is not None
        return {
            "schema": CASE_SCHEMA,
            "scenario": trial.scenario.name,
            "world": trial.world,
            "fidelity": "socket",
            "client": targets.client.name,
            "server": targets.server.name,
            "seed": trial.seed,
            "choices": {},
            "versions": versions(),
            "verdict": {name: word(verdict) for name, verdict in outcome.verdicts.items()},
            "why": outcome.verdict.why,
            "history": str(Path("..", "history", outcome.history.name)),
        }


def word(verdict: Verdict) -> str:
    """`valid`, `invalid` or `unknown`."""
    return type(verdict).__name__.lower()


def _key(trial: Trial) -> Key:
    return trial.scenario.name, trial.world, trial.fidelity


def _overall(outcomes: Sequence[Outcome]) -> Verdict:
    """The gravest; but where some episodes were valid, doubt about others is no verdict."""
    worst = combine(outcome.verdict for outcome in outcomes)
    trouble = any(outcome.environment for outcome in outcomes)
    if isinstance(worst, Unknown) and not trouble:
        return next((o.verdict for o in outcomes if isinstance(o.verdict, Valid)), worst)
    return worst


def _by_checker(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The worst verdict of each checker."""
    names: dict[str, list[Verdict]] = defaultdict(list)
    for outcome in outcomes:
        for name, verdict in outcome.verdicts.items():
            names[name].append(verdict)
    return {name: word(combine(verdicts)) for name, verdicts in names.items()}


def _told_skipped(scenario: Scenario, world: WorldName, why: str) -> dict[str, object]:
    return {
        "name": scenario.name,
        "family": str(scenario.family),
        "world": world,
        "fidelity": "",
        "episodes": 0,
        "verdict": "skipped",
        "why": "",
        "skipped": why,
        "duration_s": 0.0,
        "checkers": {},
        "cases": [],
    }


def replace_file(path: Path, content: bytes) -> None:
    """So that a reader, or a crash, never meets half a file."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
