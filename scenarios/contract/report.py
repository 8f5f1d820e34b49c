"""What a run of the contract tells: to a person, as JSON, and as JUnit XML."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scenarios.contract.exchange import Exchange
from scenarios.contract.run import Result, status_of
from scenarios.output import ExitStatus, replace_file

SCHEMA = 1
COLOURS = {"passed": "green", "failed": "red", "undecided": "yellow", "skipped": "dim"}


@dataclass(frozen=True, slots=True)
class Report:
    """Of one run. `trouble` is why there was no server to judge, or why the run ended early."""

    server: str
    profile: str
    seed: int
    strict: bool
    results: Sequence[Result]
    trouble: str = ""
    ended: ExitStatus | None = None

    @property
    def status(self) -> ExitStatus:
        """The command's exit status."""
        return self.ended or status_of(self.results, strict=self.strict)

    def repeat(self, result: Result) -> str:
        """The command that makes this check alone."""
        words = ["dtms-lab", "contract", "--server", self.server, "--only", result.check.name]
        return shlex.join([*words, "--profile", self.profile, "--seed", str(self.seed)])

    def told(self) -> dict[str, object]:
        """One JSON object."""
        return {
            "schema": SCHEMA,
            "server": self.server,
            "profile": self.profile,
            "seed": self.seed,
            "strict": self.strict,
            "exit_status": int(self.status),
            "trouble": self.trouble,
            "counts": self.counts(),
            "checks": [self._told(result) for result in self.results],
        }

    def counts(self) -> dict[str, dict[str, int]]:
        """By level, how many came to each verdict."""
        return {
            level: dict(Counter(r.verdict for r in self.results if r.check.level == level))
            for level in ("MUST", "SHOULD")
        }

    def print(self, console: Console) -> None:
        """The table, what failed, and what that comes to."""
        table = Table(title=f"The contract, by {escape(self.server)}", title_justify="left")
        for column in ("level", "check", "verdict"):
            table.add_column(column)
        table.add_column("what must hold, or why not", overflow="fold")
        for result in self.results:
            told = result.why if result.verdict in ("skipped", "undecided") else ""
            table.add_row(
                result.check.level,
                result.check.name,
                f"[{COLOURS[result.verdict]}]{_word(result)}[/]",
                escape(told or result.check.statement),
            )
        if self.results:
            console.print(table)
        for result in self.results:
            if result.verdict == "failed":
                self._print_failure(console, result)
        for level, counts in self.counts().items():
            words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
            console.print(f"{level}: {words or 'none'}", markup=False)
        if self.trouble:
            console.print(self.trouble, markup=False)

    def write(self, folder: Path) -> None:
        """contract.json and junit.xml. Raises `OSError`."""
        folder.mkdir(parents=True, exist_ok=True)
        told = json.dumps(self.told(), indent=2, ensure_ascii=True).encode()
        replace_file(folder / "contract.json", told + b"\n")
        replace_file(folder / "junit.xml", self._junit())

    def _print_failure(self, console: Console, result: Result) -> None:
        check = result.check
        lines = [f"{check.level} {check.name}: {check.statement}", f"  but {result.why}"]
        if result.exchange is not None:
            lines.append(f"  request: {result.exchange.request_told}")
            lines.append(f"  answer:  {result.exchange.answer_told}")
        lines.append(f"  repeat:  {self.repeat(result)}")
        console.print("\n".join(lines) + "\n", markup=False, soft_wrap=True)

    def _told(self, result: Result) -> dict[str, object]:
        return {
            "name": result.check.name,
            "level": result.check.level,
            "topic": result.check.topic,
            "statement": result.check.statement,
            "verdict": result.verdict,
            "why": result.why,
            "shown_by": _exchange_told(result.exchange),
            "repeat": self.repeat(result),
            "duration_s": round(result.duration_s, 3),
        }

    def _junit(self) -> bytes:
        suites = ElementTree.Element("testsuites", name="dtms-lab contract")
        for level in ("MUST", "SHOULD"):
            members = [result for result in self.results if result.check.level == level]
            suite = ElementTree.SubElement(suites, "testsuite", name=level)
            weighs = level == "MUST" or self.strict
            counts = {"tests": len(members), "failures": 0, "errors": 0, "skipped": 0}
            for result in members:
                case = ElementTree.SubElement(
                    suite,
                    "testcase",
                    classname=f"contract.{result.check.topic}",
                    name=result.check.name,
                    time=f"{result.duration_s:.3f}",
                )
                kind, counter = _junit_kind(result, weighs)
                if kind:
                    counts[counter] += 1
                    ElementTree.SubElement(case, kind, message=_printable(result.why))
            for name, count in counts.items():
                suite.set(name, str(count))
        ElementTree.indent(suites)
        return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _junit_kind(result: Result, weighs: bool) -> tuple[str, str]:
    """A SHOULD that failed is no failure of the run, and JUnit knows no warnings."""
    if result.verdict == "passed":
        return "", ""
    if result.verdict == "skipped" or not weighs:
        return "skipped", "skipped"
    return ("failure", "failures") if result.verdict == "failed" else ("error", "errors")


def _word(result: Result) -> str:
    is_warning = result.verdict == "failed" and result.check.level == "SHOULD"
    return "failed (warning)" if is_warning else result.verdict


def _printable(text: str) -> str:
    """XML has no place for control characters."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def _exchange_told(exchange: Exchange | None) -> dict[str, object] | None:
    if exchange is None:
        return None
    return {
        "request": exchange.request_told,
        "status": exchange.status,
        "answer": exchange.answer_told,
        "headers": dict(exchange.headers),
    }
