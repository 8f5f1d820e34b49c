"""Trouble inside the server, and with the broker and the manager beside it."""

from __future__ import annotations

from chaos.capabilities import Broker, Managers, Server
from chaos.dice import Dice
from chaos.families.family import Cast, Family
from chaos.faults import BrokerFault, ManagerFault, ServerFault
from chaos.faults.manager_fault import MODES as MANAGER_MODES
from chaos.schedule import Scheduled

SLOW_S_MIN, SLOW_S_MAX = 0.05, 1.0
"""How slow a broker, a store or a start may be."""
COMMIT_MAX = 8
"""The last commit, counted from 1, that the server may die in."""

ABSENT = ("slow", "no_data", "down")
LYING = ("mismatch", "empty")
"""Modes in which a broker misleads whoever believes it, as the contract says one must."""


def _broker_absent(_nobody: str, dice: Dice) -> Scheduled:
    slow_s = dice.number("delay", SLOW_S_MIN, SLOW_S_MAX)
    return dice.window(BrokerFault(dice.one_of("mode", ABSENT), slow_s))


def _broker_lies(_nobody: str, dice: Dice) -> Scheduled:
    return dice.window(BrokerFault(dice.one_of("mode", LYING)))


def _manager(_nobody: str, dice: Dice) -> Scheduled:
    return dice.window(ManagerFault(dice.one_of("mode", MANAGER_MODES)))


def _store(server: str, dice: Dice) -> Scheduled:
    name = dice.one_of("name", ("store-slow", "store-fails"))
    script: dict[str, object] = {"fault": name}
    if name == "store-slow":
        script["delay_s"] = dice.number("delay", SLOW_S_MIN, SLOW_S_MAX)
    return dice.window(ServerFault(server, script))


def _slow_start(server: str, dice: Dice) -> Scheduled:
    delay_s = dice.number("delay", SLOW_S_MIN, SLOW_S_MAX)
    return dice.window(ServerFault(server, {"fault": "init-slow", "delay_s": delay_s}))


def _crash_commit(server: str, dice: Dice) -> Scheduled:
    point = dice.one_of("point", ("before-commit", "after-commit"))
    after = dice.whole("after", 1, COMMIT_MAX)
    return dice.since(ServerFault(server, {"fault": "crash", "point": point, "after": after}))


SERVER = frozenset({Server})
BROKER = frozenset({Broker})

OF_INSIDES = {
    "store": Family(SERVER, Cast.servers, _store),
    "slow-start": Family(SERVER, Cast.servers, _slow_start),
    "crash-commit": Family(SERVER, Cast.servers, _crash_commit),
    "broker-absent": Family(BROKER, Cast.no_actor, _broker_absent),
    "broker-lies": Family(BROKER, Cast.no_actor, _broker_lies),
    "manager": Family(frozenset({Managers}), Cast.no_actor, _manager),
}
