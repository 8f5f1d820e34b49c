"""The broker and the trade registry that the lab plays, as checks set them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from scenarios.contract.check import Undecided
from scenarios.worlds.control_planes import BrokerControl, insist
from scenarios.worlds.local import LocalWorld

Runs = Callable[[Coroutine[Any, Any, Any]], Any]

POLL_S = 0.02


class PlayedBroker:
    """The simulated broker, where the server is started with one; see simulator.broker."""

    def __init__(self, world: LocalWorld, run: Runs) -> None:
        self._world = world
        self._run = run
        self._control = BrokerControl(world)

    def behaves(self, mode: str, delay_s: float = 0.0) -> None:
        """From now on it answers so."""
        self._run(self._control.behave(mode, delay_s))

    def opens(self, payload: Mapping[str, object]) -> None:
        """Opens the position that is registered with `payload`, or changes it."""
        position = {name: value for name, value in payload.items() if name != "ticket"}
        position["entry_price"] = position.pop("entry")
        self._run(self._control.open_position(int(str(payload["ticket"])), position))

    def closes(self, payload: Mapping[str, object]) -> None:
        """Closes the position that was registered with `payload`."""
        self._run(self._control.close_position(int(str(payload["ticket"]))))

    def counts(self) -> tuple[int, int]:
        """How often it was asked for positions, and how often it has answered. Raises `Undecided`
        where it does not say."""
        told = self._run(self._world.http("broker", "GET", "/_lab/asked"))
        body = told[1] if told is not None else None
        if not isinstance(body, dict):
            raise Undecided("the lab's own broker does not answer")
        return int(body["asked"]), int(body["answered"])

    def answers(self, times: int, within_s: float) -> bool:
        """Waits until it was asked, and has answered, so often from now on; whether it was."""
        asked, answered = self.counts()
        return self._comes(lambda a, b: a >= asked + times and b >= answered + times, within_s)

    def is_asked(self, since: int, within_s: float) -> bool:
        """Waits until it was asked more than `since` times; whether it was."""
        return self._comes(lambda asked, _answered: asked > since, within_s)

    def _comes(self, holds: Callable[[int, int], bool], within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while not holds(*self.counts()):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


class PlayedRegistry:
    """The simulated main API, where the server is started with one; see simulator.main_api."""

    def __init__(self, world: LocalWorld, run: Runs) -> None:
        self._world = world
        self._run = run

    def knows_only(self, *payloads: Mapping[str, object]) -> None:
        """From now on the Universal Manager manages these, and no other ticket is anybody's."""
        self._run(insist(self._world, "main-api", "/_lab/behaviour", {"registry": "without_dtms"}))
        for payload in payloads:
            body = {"ticket": payload["ticket"], "strategy_type": "breakout"}
            sent = json.dumps(body).encode()
            told = self._run(self._world.http("main-api", "POST", "/universal/trades", sent))
            if told is None or told[0] != 200:
                raise Undecided("the lab's own trade registry does not take a trade")
