"""One test's server, proxy and history, as the lab process keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from dtms_lab.lab_process import ANSWER_S_MAX, LabFailed, LabProcess

__tracebackhide__ = True

JUDGE_S_MAX = 600.0
_numbers = count(1)


@dataclass(frozen=True)
class Judgement:
    """What each checker says, and why the test fails; empty where it passes."""

    verdicts: Mapping[str, Mapping[str, Any]]
    failure: str


class Stand:
    """Open from its making until `close`. `keep` is where its history goes if it is not valid."""

    def __init__(self, lab: LabProcess, name: str, server: str, keep: Path) -> None:
        self._lab = lab
        self._number = next(_numbers)
        self._keep = keep.with_name(f"{keep.name}-{self._number}.jsonl")
        self.is_told = False
        """Whether the test tells a history, and so is to be judged."""
        self.is_judged = False
        told: dict[str, str] = lab.ask("open", stand=self._number, name=name, server=server)
        self.url, self.direct_url = told["url"], told["direct_url"]

    def ask(self, do: str, timeout_s: float = ANSWER_S_MAX, **values: object) -> Any:
        """See `LabProcess.ask`."""
        return self._lab.ask(do, timeout_s, stand=self._number, **values)

    def judge(self, checkers: tuple[str, ...], settle_s: float) -> Judgement:
        """See `History.judge`."""
        told = self.ask(
            "judge",
            timeout_s=JUDGE_S_MAX,
            checkers=list(checkers),
            settle_s=settle_s,
            keep=str(self._keep),
        )
        self.is_judged = True
        return Judgement(told["verdicts"], told["failure"])

    def told(self) -> str:
        """What happened so far, a line for each operation; empty where the lab has ended."""
        try:
            told: str = self.ask("tell")
        except LabFailed:
            return ""
        return told

    def close(self) -> None:
        """Ends the server. With a lab that has ended it has ended too."""
        if not self._lab.ended:
            self.ask("close")
