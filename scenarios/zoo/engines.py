"""Bugs planted into the simulated API, beside those of `planted`: one part exchanged for each."""

from __future__ import annotations

from typing import Any

from scenarios.worlds.sim.parts import Parts
from simulator.engine import Enabled, Engine
from simulator.ledger import registration_of
from simulator.request import EnableRequest, Problem


class SwallowsStoreFailures(Engine):
    """Registers in memory what could not be stored, and says that all is well."""

    async def enable(self, request: EnableRequest) -> Enabled | Problem:
        answer = await super().enable(request)
        if isinstance(answer, Problem) and answer.code == "not_persisted":
            registration = registration_of(request, self.now())
            self.ledger.put(registration)
            return Enabled(registration, already=False)
        return answer


class ActiveThoughNotStored(Engine):
    """Says that it could not store a trade, and keeps it in memory all the same."""

    async def enable(self, request: EnableRequest) -> Enabled | Problem:
        answer = await super().enable(request)
        if isinstance(answer, Problem) and answer.code == "not_persisted":
            self.ledger.put(registration_of(request, self.now()))
        return answer


class OwnersForgotten(Engine):
    """Adopts what it finds at the broker, and asks nobody whose it is."""

    async def owners(self, tickets: Any) -> dict[int, bool | None]:
        return dict.fromkeys(tickets, False)


HERE = "scenarios.zoo.engines"
SWALLOWS_STORE_FAILURES = Parts(f"{HERE}:SWALLOWS_STORE_FAILURES", engine=SwallowsStoreFailures)
ACTIVE_THOUGH_NOT_STORED = Parts(f"{HERE}:ACTIVE_THOUGH_NOT_STORED", engine=ActiveThoughNotStored)
OWNERS_FORGOTTEN = Parts(f"{HERE}:OWNERS_FORGOTTEN", engine=OwnersForgotten)
