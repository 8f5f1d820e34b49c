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

from scenarios.campaign import Campaign, EpisodeResult
from scenarios.output import RunReport, word
from scenarios.scenario import Scenario
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

    def started(self, scenario: Scenario, seed: int) -> None:
        """An episode begins."""
        ...

    def ended(self, result: EpisodeResult) -> None:
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
        self._total = len(campaign.episodes())
        self._ended = 0

    def __enter__(self) -> Self:
        self._print(f"{self._total} episodes, seed {self._campaign.seed}, {self._campaign.folder}")
        return self

    def __exit__(self, *_exc: object) -> None:
        """Lines need no ending."""

    def started(self, scenario: Scenario, seed: int) -> None:
        """Beginnings are not told: lines of episodes that run beside each other would mix."""

    def ended(self, result: EpisodeResult) -> None:
        self._ended += 1
        self._print(
            f"[{self._ended}/{self._total}] {word(result.verdict)} "
            f"{result.scenario.name} seed {result.seed} ({result.duration_s:.1f} s)"
        )

    def say(self, text: str) -> None:
        self._print(text)

    def print_matrix(self, report: RunReport) -> None:
        skipped = {skip.scenario.name: skip.why for skip in self._campaign.skipped()}
        for scenario in self._campaign.scenarios:
            if scenario.name in skipped:
                self._print(f"skipped {scenario.family} {scenario.name}: {skipped[scenario.name]}")
            else:
                told = word(report.scenario_verdict(scenario))
                self._print(f"{told} {scenario.family} {scenario.name}")
        self._print(closing_sentence(report))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveMatrix:
    """Rows of families that fill while episodes end, and a table of scenarios at the end."""

    def __init__(self, console: Console, campaign: Campaign) -> None:
        self._console = console
        self._campaign = campaign
        episodes = campaign.episodes()
        self._total = Counter(str(scenario.family) for scenario, _seed in episodes)
        self._counts: dict[str, Counter[str]] = {family: Counter() for family in self._total}
        self._running: dict[tuple[str, int], float] = {}
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

    def started(self, scenario: Scenario, seed: int) -> None:
        self._running[scenario.name, seed] = time.monotonic()

    def ended(self, result: EpisodeResult) -> None:
        self._running.pop((result.scenario.name, result.seed), None)
        self._counts[str(result.scenario.family)][word(result.verdict)] += 1

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def print_matrix(self, report: RunReport) -> None:
        table = Table(box=None, pad_edge=False)
        for column in ("family", "scenario", "local", "episodes", "s", "why"):
            table.add_column(column, justify="right" if column in {"episodes", "s"} else "left")
        skipped = {skip.scenario.name: skip.why for skip in self._campaign.skipped()}
        for scenario in self._campaign.scenarios:
            results = report.results.get(scenario.name, [])
            verdict = report.scenario_verdict(scenario)
            told = "skipped" if scenario.name in skipped else word(verdict)
            why = "" if isinstance(verdict, Valid) else verdict.why
            table.add_row(
                str(scenario.family),
                scenario.name,
                Text(told, STYLES[told]),
                str(len(results)),
                f"{sum(result.duration_s for result in results):.1f}",
                Text(skipped.get(scenario.name, why)),
            )
        self._console.print(table)
        self._console.print(closing_sentence(report), markup=False)

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for column in ("family", "done", "valid", "invalid", "unknown"):
            table.add_column(column, justify="left" if column == "family" else "right")
        for family, counts in self._counts.items():
            table.add_row(
                family,
                f"{counts.total()}/{self._total[family]}",
                *(Text(str(counts[w] or ""), STYLES[w]) for w in ("valid", "invalid", "unknown")),
            )
        return Group(table, Text(self._footer(), "dim"))

    def _footer(self) -> str:
        now = time.monotonic()
        done = sum(counts.total() for counts in self._counts.values())
        left = self._total.total() - done
        elapsed = now - self._began
        remaining = f", about {elapsed / done * left:.0f} s left" if done and left else ""
        shown = [f"{name} {now - since:.0f} s" for (name, _), since in self._running.items()]
        return f"{elapsed:.0f} s{remaining}  {'  '.join(shown[:RUNNING_SHOWN_MAX])}"


def closing_sentence(report: RunReport) -> str:
    """The whole run in one line."""
    campaign = report.campaign
    judged = [s for s in campaign.scenarios if report.results.get(s.name)]
    told = Counter(word(report.scenario_verdict(scenario)) for scenario in judged)
    counts = ", ".join(f"{told[name]} {name}" for name in ("valid", "invalid", "unknown"))
    skipped = len(campaign.skipped())
    more = f", {skipped} skipped" if skipped else ""
    episodes = sum(len(results) for results in report.results.values())
    return f"{len(judged)} scenarios, {episodes} episodes: {counts}{more}. {campaign.folder}"
