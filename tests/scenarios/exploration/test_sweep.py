"""One registration is interrupted at every boundary there is, and again in its recovery."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pytest

from scenarios.exploration.sweep import sweep
from scenarios.suites.one_registration import ONE_PROMISE
from scenarios.worlds.sim.points import Reached
from scenarios.zoo.planted import (
    ACK_BEFORE_SYNC,
    NEW_AGAIN,
    SEND_THEN_WRITE,
)

BOT = ("write", "written", "sync", "synced", "send", "sent", "received",
       "send", "sent", "received", "send", "sent", "received")  # fmt: skip
"""The intent is stored; then health, the registration and the look-up are sent and answered."""
SERVER = ("receive", "answer", "answered",
          "receive", "write", "written", "sync", "synced", "answer", "answered",
          "receive", "answer", "answered")  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What is kept of one episode; its history would fill the memory."""

    scenario: str
    name: str
    power: bool
    deaths: tuple[Reached, ...]
    ended: tuple[object, ...]
    broken: tuple[str, ...]


@cache
def reference() -> tuple[Seen, ...]:
    """The whole sweep of the reference."""
    return tuple(
        Seen(
            swept.scenario,
            swept.name,
            swept.power,
            swept.deaths,
            tuple(o.get("actor") for o in swept.judged.played.history.ops if o.f == "exited"),
            swept.judged.broken,
        )
        for swept in sweep()
    )


def first_deaths(actor: str, *, power: bool) -> tuple[str, ...]:
    return tuple(
        seen.deaths[0].point
        for seen in reference()
        if (seen.scenario, len(seen.deaths), seen.power) == ("one-registration", 1, power)
        and seen.deaths[0].actor == actor
    )


@pytest.mark.parametrize("power", [False, True])
def test_the_client_dies_at_each_of_its_points_in_order(power) -> None:
    assert first_deaths("bot", power=power)[: len(BOT)] == BOT


@pytest.mark.parametrize("power", [False, True])
def test_the_server_dies_at_each_of_its_points_in_order(power) -> None:
    assert first_deaths("dtms", power=power)[: len(SERVER)] == SERVER


def test_nobody_else_dies() -> None:
    assert {death.actor for seen in reference() for death in seen.deaths} == {"bot", "dtms"}


def test_whoever_is_to_die_dies_as_often_and_in_that_order() -> None:
    for seen in reference():
        assert seen.ended == tuple(death.actor for death in seen.deaths)


def test_second_deaths_come_after_the_first() -> None:
    nested = [seen.deaths for seen in reference() if len(seen.deaths) == 2]
    assert len(nested) > 1_000
    assert all(second.time_us >= first.time_us for first, second in nested)


def test_a_loss_of_power_takes_all_that_was_not_synced() -> None:
    """The server has written the row and not synced it; after that it does not know the trade."""
    (swept,) = (
        swept
        for swept in sweep(nested=False, powers=(True,), scenarios=(ONE_PROMISE,))
        if (swept.deaths[0].actor, swept.deaths[0].point) == ("dtms", "sync")
    )
    answers = [op for op in swept.judged.played.history.ops if op.f == "enable"]
    (new,) = (op for op in answers if op.get("server_status") == 200)
    assert new.get("server_body")["already_registered"] is False


def test_no_two_episodes_have_the_same_name() -> None:
    names = [seen.name for seen in reference()]
    assert len(names) == len(set(names))


def test_without_nesting_each_point_is_died_at_once() -> None:
    assert {len(swept.deaths) for swept in sweep(nested=False)} == {1}


def test_the_reference_survives_all_of_it() -> None:
    assert [seen.deaths for seen in reference() if seen.broken] == []


@pytest.mark.parametrize(
    ("parts", "checker"),
    [
        (ACK_BEFORE_SYNC, "one_new_answer_per_ticket"),
        (SEND_THEN_WRITE, "acknowledged_is_kept"),
    ],
)
def test_a_planted_bug_is_found_by_single_deaths(parts, checker) -> None:
    broken = {name for swept in sweep(nested=False, parts=parts) for name in swept.judged.broken}
    assert checker in broken


def test_a_planted_bug_of_the_recovery_is_found_by_second_deaths() -> None:
    found = next(swept for swept in sweep(parts=NEW_AGAIN) if swept.judged.broken)
    assert len(found.deaths) == 2
    assert "one_new_answer_per_ticket" in found.judged.broken


def test_over_http_there_are_the_same_points() -> None:
    def points(fidelity: str) -> set[tuple[str, str]]:
        return {
            (swept.deaths[0].actor, swept.deaths[0].point)
            for swept in sweep(nested=False, powers=(False,), fidelity=fidelity)  # type: ignore[arg-type]
        }

    assert points("http") == points("message")
