"""A start that cannot succeed, and a second instance: what they answer, touch, and end with."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Need, expect, require
from scenarios.contract.exchange import Exchange
from scenarios.contract.health import has_health_fields
from scenarios.contract.registrations import Payload, good, is_told, registered
from scenarios.contract.server import POLL_S, READY_S_MAX

ENDS_S_MAX = READY_S_MAX
DATABASES = {".db", ".sqlite", ".sqlite3"}


@dataclass(frozen=True, slots=True)
class Unopened:
    """What a server answered whose store cannot be opened, and its exit status; None where it ran
    on."""

    answers: tuple[Exchange, ...]
    exit_status: int | None


def unopened(bench: Bench) -> Unopened:
    answers: list[Exchange] = []
    with bench.own(start=False) as server:
        server.spoil_data_folder()
        server.start()
        deadline = time.monotonic() + ENDS_S_MAX
        while server.running and time.monotonic() < deadline:
            for path in ("/health", "/dtms/health"):
                told = server.get(path, noted=False)
                if told.status is not None:
                    answers.append(told)
            time.sleep(POLL_S)
        return Unopened(tuple(answers), server.exit_status)


def _unopened(bench: Bench) -> Unopened:
    return bench.seen("unopened", unopened)


def failed_start(bench: Bench) -> None:
    seen = _unopened(bench)
    last = seen.answers[-1] if seen.answers else None
    ended = seen.exit_status is not None
    require(ended, f"it runs on after {ENDS_S_MAX:g} s, and has no store", last)
    require(seen.exit_status != 0, "it ended with status 0, as if all was well")


def never_healthy(bench: Bench) -> None:
    for told in _unopened(bench).answers:
        require(told.status != 200, "it is well, and has no store", told)


def failed_fields(bench: Bench) -> None:
    for told in _unopened(bench).answers:
        body = expect(told, 503, 500)
        if told.path == "/health":
            status = body.get("status")
            require(status in ("unhealthy", "degraded"), f"status is {status!r}", told)
        else:
            has_health_fields(told)
            require("error" in body, "there is no error", told)


@dataclass(frozen=True, slots=True)
class Second:
    """Exit statuses of a second instance on the first one's store and of one on a copy of it, what
    became of the copy's files, and the first one's answers afterwards."""

    payload: Payload
    exit_status: int | None
    elsewhere: int | None
    touched: tuple[str, ...]
    kept: Exchange
    another: Exchange


def second(bench: Bench) -> Second:
    payload = good(bench.ticket())
    with bench.own() as server:
        registered(server, payload)
        copy = server.world.data_folder("dtms-copy")
        shutil.copytree(server.world.data_folder("dtms"), copy, dirs_exist_ok=True)
        before = _files(copy)
        status, elsewhere = server.second(copy)
        touched = _touched(before, _files(copy))
        another = server.enable(good(bench.ticket()))
        return Second(
            payload, status, elsewhere, touched, server.lookup(payload["ticket"]), another
        )


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.glob("**/*")
        if path.is_file()
    }


def _touched(before: dict[str, bytes], after: dict[str, bytes]) -> tuple[str, ...]:
    """Files that were changed or removed, and store files that were added. A log may be."""
    changed = [name for name, content in before.items() if after.get(name) != content]
    added = [
        name
        for name in after.keys() - before.keys()
        if Path(name).suffix in DATABASES or any(name.startswith(known) for known in before)
    ]
    return tuple(sorted([*changed, *added]))


def _second(bench: Bench) -> Second:
    return bench.seen("second", second)


def second_instance(bench: Bench) -> None:
    seen = _second(bench)
    require(seen.exit_status is not None, "the second had not ended after 10 s")
    require(seen.exit_status != 0, "the second ended with status 0, as if it had served")
    is_told(seen.kept, seen.payload)
    expect(seen.another, 200)


def touches_nothing(bench: Bench) -> None:
    seen = _second(bench)
    require(seen.elsewhere is not None, "the second had not ended after 10 s")
    require(not seen.touched, f"it touched {', '.join(seen.touched)}")


_TOPIC = "start-up"
_OWN: frozenset[Need] = frozenset({"own"})
CHECKS = (
    Check(
        "start-fails",
        "MUST",
        _TOPIC,
        "With a store that cannot be opened the process ends, and its status is not 0.",
        failed_start,
        _OWN,
    ),
    Check(
        "failed-start-never-healthy",
        "MUST",
        _TOPIC,
        "With a store that cannot be opened neither /health nor /dtms/health is ever 200.",
        never_healthy,
        _OWN,
    ),
    Check(
        "failed-start-fields",
        "SHOULD",
        _TOPIC,
        "With a store that cannot be opened both are 503 or 500, with their fields and error.",
        failed_fields,
        _OWN,
    ),
    Check(
        "second-instance",
        "SHOULD",
        _TOPIC,
        "A second instance on a busy port ends, and the first goes on.",
        second_instance,
        _OWN,
    ),
    Check(
        "second-instance-touches-nothing",
        "SHOULD",
        _TOPIC,
        "A second instance on a busy port ends before it touches the store.",
        touches_nothing,
        _OWN | {"port"},
    ),
)
