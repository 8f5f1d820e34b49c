"""`@pytest.mark.scenario(...)`: the lab's own scenarios, for a client or server of the project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from dtms_lab.lab_process import LabProcess, LabRefused

__tracebackhide__ = True

EPISODES_S_MAX = 7_200.0
WORDS = ("seeds", "world", "client", "server")
USE = (
    '@pytest.mark.scenario("answer-lost-once", client="my_client.py:register_trade", seeds=6, '
    'world="sim" or "local")'
)


class ScenarioVerdict:
    """What came of the scenarios over all seeds; a test that never asks it is judged by it.

    `told` explains each failure and ends with the command that plays it again, `cases` are its case
    files, `skipped` says what could not be done, `world` is where they were played, `episodes` how
    many."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.is_judged = False
        self.world: str = told["world"]
        self.episodes: int = told["episodes"]
        self.told: tuple[str, ...] = tuple(told["told"])
        self.cases = tuple(map(Path, told["cases"]))
        self.skipped: tuple[str, ...] = tuple(told["skipped"])
        self._verdict: Literal["valid", "invalid", "unknown"] = told["verdict"]
        self._why: str = told["why"]

    def __repr__(self) -> str:
        return f"<dtms_verdict {self._verdict} {self._why}".rstrip() + ">"

    @property
    def verdict(self) -> Literal["valid", "invalid", "unknown"]:
        """The gravest of all."""
        self.is_judged = True
        return self._verdict

    @property
    def valid(self) -> bool:
        """Every checker had something to check, and found nothing."""
        return self.verdict == "valid"

    @property
    def why(self) -> str:
        """The gravest finding in a sentence; empty where there is none."""
        self.is_judged = True
        return self._why

    @property
    def summary(self) -> str:
        """What was played, and what was not, in a line."""
        played = f"{self._verdict}: {self.episodes} episodes in {self.world}"
        return "; ".join((played, *self.skipped))

    def failure(self) -> str:
        """Why the test fails, in words; empty where it passes."""
        if self.valid:
            return ""
        return "\n".join((f"{self.verdict.upper()}: {self._why}", *self.told, *self.skipped))


def put_through(
    lab: LabProcess, mark: pytest.Mark, item: pytest.Item, folder: Path
) -> ScenarioVerdict:
    """Plays what the marker names. Raises `LabRefused` for what makes no sense."""
    unknown = [word for word in mark.kwargs if word not in WORDS]
    names = mark.args
    if unknown or not names or not all(isinstance(name, str) for name in names):
        what = f"it has no {unknown[0]!r}" if unknown else "it names a scenario or a suite"
        raise LabRefused(f"@pytest.mark.scenario: {what}, as in {USE}")
    config = item.config
    client = mark.kwargs.get("client") or config.getini("dtms_client")
    if not client:
        raise LabRefused(f"@pytest.mark.scenario: say whose client, as in {USE}")
    told: dict[str, Any] = lab.ask(
        "put_through",
        folder=str(folder),
        names=list(names),
        client=target_of(str(client), item),
        server=target_of(str(mark.kwargs.get("server") or server_of(config)), item),
        seeds=_seeds(mark.kwargs.get("seeds")),
        world=mark.kwargs.get("world"),
        workers=1 if hasattr(config, "workerinput") else 0,
        timeout_s=EPISODES_S_MAX,
    )
    return ScenarioVerdict(told)


def server_of(config: pytest.Config) -> str:
    """What `--dtms-server` says, else the ini file."""
    return str(config.getoption("dtms_server") or config.getini("dtms_server"))


def target_of(name: str, item: pytest.Item) -> str:
    """`FILE.py:function` as seen from the test's folder, else from the current one or the root."""
    place, _, function = name.rpartition(":")
    if not place.endswith(".py") or name.startswith("cmd:") or Path(place).is_absolute():
        return name
    folders = (item.path.parent, item.config.invocation_params.dir, item.config.rootpath)
    tried = [folder / place for folder in dict.fromkeys(folders)]
    for path in tried:
        if path.is_file():
            return f"{path.resolve()}:{function}"
    raise LabRefused(f"{name}: there is no {' and no '.join(map(str, tried))}")


def _seeds(seeds: object) -> list[int] | None:
    """A number of seeds, counted from 0, or the seeds themselves."""
    if seeds is None:
        return None
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds > 0:
        return list(range(seeds))
    if isinstance(seeds, Iterable) and not isinstance(seeds, str):
        listed = list(seeds)
        if listed and all(type(seed) is int and seed >= 0 for seed in listed):
            return listed
    raise LabRefused(
        f"@pytest.mark.scenario: seeds are a number from 1 on, or a list of seeds, not {seeds!r}"
    )
