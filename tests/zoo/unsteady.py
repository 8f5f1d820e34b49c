"""Servers whose histories depend on the process they are played in: what digests must catch.

Each waits before a registration for a time that no plan decides.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from typing import Any

from scenarios.worlds.sim.parts import Parts
from simulator.engine import Enabled, Engine
from simulator.request import EnableRequest, Problem

MS = 0.001
SYMBOLS = ("XAUUSD", "EURUSD", "GBPUSD", "USDJPY", "USDCHF", "AUDUSD", "NZDUSD", "USDCAD")
REAL_CLOCKS = (time.time_ns,)
"""Taken before any run, and where nobody who stands in for the machine looks for it."""


class Unsteady(Engine, ABC):
    """Waits, then registers."""

    @abstractmethod
    def wait_s(self) -> float:
        """How long, in seconds."""

    async def enable(self, request: EnableRequest) -> Enabled | Problem:
        await asyncio.sleep(self.wait_s())
        return await super().enable(request)


class WalksStrings(Unsteady):
    """Walks through a set of strings, which PYTHONHASHSEED puts in order."""

    def wait_s(self) -> float:
        return MS * list(set(SYMBOLS)).index("XAUUSD")


class WalksAddresses(Unsteady):
    """Walks through a set of objects that are hashed by where they lie."""

    def wait_s(self) -> float:
        made: list[Any] = [object() for _ in SYMBOLS]
        return MS * list(set(made)).index(made[0])


class ReadsTheClock(Unsteady):
    """Looks at this machine's clock."""

    def wait_s(self) -> float:
        return MS * (REAL_CLOCKS[0]() // 1_000 % 8)


class DrawsAnId(Unsteady):
    """Draws an identity from the operating system."""

    def wait_s(self) -> float:
        return MS * (uuid.uuid4().int % 8)


HERE = "tests.zoo.unsteady"
STRINGS = Parts(f"{HERE}:STRINGS", engine=WalksStrings)
ADDRESSES = Parts(f"{HERE}:ADDRESSES", engine=WalksAddresses)
CLOCK = Parts(f"{HERE}:CLOCK", engine=ReadsTheClock)
ID = Parts(f"{HERE}:ID", engine=DrawsAnId)
UNSTEADY = (STRINGS, ADDRESSES, CLOCK, ID)
