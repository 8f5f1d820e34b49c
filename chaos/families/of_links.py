"""Trouble with the bytes between actors, whatever they say."""

from __future__ import annotations

from collections.abc import Callable

from chaos.capabilities import Links
from chaos.conditions import Direction
from chaos.dice import Dice
from chaos.families.family import Cast, Family
from chaos.fault import Fault
from chaos.faults import Bandwidth, HalfOpen, Latency, Limit, Refuse, Reset, Slice, Stall

LATENCY_MS_MAX = 1000.0
JITTER_MS_MAX = 300.0
RESET_MS_MAX = 300.0

DIRECTIONS: tuple[Direction, ...] = ("down", "up", "both")
SPEEDS_BYTES_PER_S = (20_000.0, 5_000.0, 1_000.0, 200.0)
SLICES_BYTES = (512, 64, 8, 1)
GAPS_MS = (0.0, 1.0, 5.0, 20.0)
LIMITS_BYTES = (2000, 500, 100, 20, 0)


def _family(fault: Callable[[str, Dice], Fault]) -> Family:
    """One link, or all that lead to the server, suffer this for some while."""
    return Family(
        frozenset({Links}), Cast.any_links, lambda link, dice: dice.window(fault(link, dice))
    )


def _latency(link: str, dice: Dice) -> Latency:
    return Latency(
        link,
        latency_ms=dice.number("latency", 0.0, LATENCY_MS_MAX),
        jitter_ms=dice.number("jitter", 0.0, JITTER_MS_MAX),
        direction=dice.one_of("direction", DIRECTIONS),
    )


def _bandwidth(link: str, dice: Dice) -> Bandwidth:
    speed = dice.one_of("speed", SPEEDS_BYTES_PER_S)
    return Bandwidth(link, speed, dice.one_of("direction", DIRECTIONS))


def _slice(link: str, dice: Dice) -> Slice:
    return Slice(
        link,
        size_bytes=dice.one_of("size", SLICES_BYTES),
        gap_ms=dice.one_of("gap", GAPS_MS),
        direction=dice.one_of("direction", DIRECTIONS),
    )


def _limit(link: str, dice: Dice) -> Limit:
    size = dice.one_of("size", LIMITS_BYTES)
    return Limit(link, size, dice.one_of("direction", DIRECTIONS))


OF_LINKS = {
    "latency": _family(_latency),
    "bandwidth": _family(_bandwidth),
    "slice": _family(_slice),
    "limit": _family(_limit),
    "stall": _family(lambda link, dice: Stall(link, dice.one_of("direction", DIRECTIONS))),
    "refuse": _family(lambda link, dice: Refuse(link, cut=dice.chance("cut", 0.5))),
    "reset": _family(lambda link, dice: Reset(link, dice.number("after", 0.0, RESET_MS_MAX))),
    "half-open": _family(lambda link, _dice: HalfOpen(link)),
}
