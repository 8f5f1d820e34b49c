"""Trouble with processes, their machines and their disks."""

from __future__ import annotations

from chaos.capabilities import Points, Power, Processes, Requests, Storage
from chaos.dice import Dice
from chaos.families.family import Cast, Family
from chaos.faults import CrashAt, DiskTrouble, Kill, Pause, PowerLoss, Restart
from chaos.faults.crash_at import POINTS
from chaos.faults.disk_trouble import TROUBLES
from chaos.request import Op
from chaos.schedule import Scheduled, after_request

GONE_S_MIN, GONE_S_MAX = 0.05, 0.5
"""How long an actor is gone that died at a moment of its own."""
REQUEST_MAX = 8
"""The last request, counted from 1, after which somebody may die."""
TIME_MAX = 15
"""The last time, counted from 0, at which an actor may die at a point."""
SLOW_S_MAX = 0.3
"""How much longer an operation may take on a slow disk."""
COUNTED: tuple[Op, ...] = ("enable", "any", "lookup")


def _kill_after_request(actor: str, dice: Dice) -> Scheduled:
    return after_request(
        dice.whole("request", 1, REQUEST_MAX),
        Kill(actor),
        op=dice.one_of("op", COUNTED),
        for_s=dice.number("length", GONE_S_MIN, GONE_S_MAX),
    )


def _disk_trouble(actor: str, dice: Dice) -> Scheduled:
    how = dice.one_of("how", TROUBLES)
    return dice.window(DiskTrouble(actor, how, dice.number("delay", 0.01, SLOW_S_MAX)))


def _crash_at(actor: str, dice: Dice) -> Scheduled:
    return dice.since(
        CrashAt(
            actor,
            dice.one_of("point", POINTS),
            nth=dice.whole("nth", 0, TIME_MAX),
            power=dice.chance("power", 0.5),
            restart_after_s=dice.number("length", GONE_S_MIN, GONE_S_MAX),
        )
    )


PROCESSES = frozenset({Processes})

OF_ACTORS = {
    "kill-server": Family(PROCESSES, Cast.servers, lambda who, dice: dice.window(Kill(who))),
    "kill-client": Family(PROCESSES, Cast.clients, lambda who, dice: dice.window(Kill(who))),
    "kill-after-request": Family(PROCESSES | {Requests}, Cast.principals, _kill_after_request),
    "restart": Family(PROCESSES, Cast.principals, lambda who, dice: dice.window(Restart(who))),
    "pause": Family(PROCESSES, Cast.principals, lambda who, dice: dice.window(Pause(who))),
    "power-loss": Family(
        frozenset({Power}), Cast.principals, lambda who, dice: dice.window(PowerLoss(who))
    ),
    "disk-trouble": Family(frozenset({Storage}), Cast.principals, _disk_trouble),
    "crash-at": Family(frozenset({Points}), Cast.principals, _crash_at),
}
