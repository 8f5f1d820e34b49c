"""What a run shows while it goes: a live matrix on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scenarios.campaign import Campaign, Skipped
from scenarios.output import RunReport, word
from scenarios.trial import Outcome, Trial
from scenarios.verdict import Valid

STYLES = {"valid": "green", "invalid": "bold red", "unknown": "yellow", "skipped": "dim"}
RUNNING_SHOWN_MAX = 8


class Progress(Protocol):
    """Told of every episode; prints the result at the end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def started(self, trial: Trial) -> None:
        """An episode begins."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """An episode has been judged."""
        ...

    def say(self, text: str) -> None:
        """Something the reader must not miss."""
        ...

    def print_matrix(self, report: RunReport) -> None:
        """The result of every scenario."""
        ...


def progress_for(console: Console, campaign: Campaign) -> Progress:
    """What suits where the output goes."""
    return LiveMatrix(console, campaign) if console.is_terminal else PlainLines(console, campaign)


class PlainLines:
    """A line for each episode, for logs and pipes."""

    def __init__(self, console: Console, campaign: Campaign) -> None:
        self._console = console
        self._campaign = campaign
        self._total = len(campaign.all_trials())
        self._ended = 0

    def __enter__(self) -> Self:
        self._print(f"{self._total} episodes, seed {self._campaign.seed}, {self._campaign.folder}")
        return self

    def __exit__(self, *_exc: object) -> None:
        """Lines need no ending."""

    def started(self, trial: Trial) -> None:
        """Beginnings are not told: lines of episodes that run beside each other would mix."""

    def ended(self, outcome: Outcome) -> None:
        self._ended += 1
        self._print(
            f"[{self._ended}/{self._total}] {word(outcome.verdict)} "
            f"{outcome.trial.told} ({outcome.duration_s:.1f} s)"
        )

    def say(self, text: str) -> None:
        self._print(text)

    def print_matrix(self, report: RunReport) -> None:
        for scenario in self._campaign.scenarios:
            told = " ".join(
                f"{world}:{word(report.verdict_of(scenario, world))}"
                for world in self._campaign.worlds
                if report.outcomes_of(scenario, world)
            )
            if told:
                self._print(f"{told} {scenario.family} {scenario.name}")
        for line in skipped_lines(report.campaign):
            self._print(line)
        self._print(closing_sentence(report))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveMatrix:
    """Rows of families that fill while episodes end, and a table of scenarios at the end."""

    def __init__(self, console: Console, campaign: Campaign) -> None:
        self._console = console
        self._campaign = campaign
        self._total = Counter(_row(trial) for trial in campaign.all_trials())
        self._counts: dict[str, Counter[str]] = {row: Counter() for row in self._total}
        self._running: dict[str, float] = {}
        self._began = time.monotonic()
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._render)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def started(self, trial: Trial) -> None:
        self._running[trial.told] = time.monotonic()

    def ended(self, outcome: Outcome) -> None:
        self._running.pop(outcome.trial.told, None)
        self._counts[_row(outcome.trial)][word(outcome.verdict)] += 1

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def print_matrix(self, report: RunReport) -> None:
        worlds = self._campaign.worlds
        table = Table(box=None, pad_edge=False)
        for column in ("family", "scenario", *worlds, "episodes", "s", "why"):
            table.add_column(column, justify="right" if column in {"episodes", "s"} else "left")
        skipped = {(skip.scenario.name, skip.world) for skip in self._campaign.skipped()}
        for scenario in self._campaign.scenarios:
            outcomes = [o for world in worlds for o in report.outcomes_of(scenario, world)]
            if all((scenario.name, world) in skipped for world in worlds):
                continue
            verdict = report.scenario_verdict(scenario)
            words = [
                "skipped" if (scenario.name, w) in skipped else word(report.verdict_of(scenario, w))
                for w in worlds
            ]
            why = "" if isinstance(verdict, Valid) or not outcomes else verdict.why
            table.add_row(
                str(scenario.family),
                scenario.name,
                *(Text(told, STYLES[told]) for told in words),
                str(len(outcomes)),
                f"{sum(outcome.duration_s for outcome in outcomes):.1f}",
                Text(why),
            )
        self._console.print(table)
        for line in (*skipped_lines(report.campaign), closing_sentence(report)):
            self._console.print(line, markup=False)

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for column in ("family", "done", "valid", "invalid", "unknown"):
            table.add_column(column, justify="left" if column == "family" else "right")
        for row, counts in self._counts.items():
            table.add_row(
                row,
                f"{counts.total()}/{self._total[row]}",
                *(Text(str(counts[w] or ""), STYLES[w]) for w in ("valid", "invalid", "unknown")),
            )
        return Group(table, Text(self._footer(), "dim"))

    def _footer(self) -> str:
        now = time.monotonic()
        done = sum(counts.total() for counts in self._counts.values())
        left = self._total.total() - done
        elapsed = now - self._began
        remaining = f", about {elapsed / done * left:.0f} s left" if done and left else ""
        shown = [f"{told} {now - since:.0f} s" for told, since in self._running.items()]
        return f"{elapsed:.0f} s{remaining}  {'  '.join(shown[:RUNNING_SHOWN_MAX])}"


def skipped_lines(campaign: Campaign) -> list[str]:
    """A line for each reason. Which scenarios those are stands in summary.json."""
    by_reason: dict[str, list[Skipped]] = {}
    for skip in campaign.skipped():
        by_reason.setdefault(skip.why, []).append(skip)
    lines = []
    for why, skips in by_reason.items():
        names = list(dict.fromkeys(skip.scenario.name for skip in skips))
        worlds = " and ".join(dict.fromkeys(skip.world for skip in skips))
        told = names[0] if len(names) == 1 else f"{len(names)} scenarios"
        lines.append(f"skipped {told} in {worlds}: {why}")
    return lines


def closing_sentence(report: RunReport) -> str:
    """The whole run in one line."""
    campaign = report.campaign
    judged = [
        s for s in campaign.scenarios if any(report.outcomes_of(s, w) for w in campaign.worlds)
    ]
    told = Counter(word(report.scenario_verdict(scenario)) for scenario in judged)
    counts = ", ".join(f"{told[name]} {name}" for name in ("valid", "invalid", "unknown"))
    skipped = len(campaign.skipped())
    more = f", {skipped} skipped" if skipped else ""
    episodes = sum(len(outcomes) for outcomes in report.outcomes.values())
    return f"{len(judged)} scenarios, {episodes} episodes: {counts}{more}. {campaign.folder}"


def _row(trial: Trial) -> str:
    """What a row of the live matrix counts."""
    return f"{trial.scenario.family} {trial.world}"
