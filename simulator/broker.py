"""The simulated broker: the truth about open positions, which it does not always tell.

`python -m simulator.broker --port P` serves `GET /positions`, and, with a token in --lab-token or
DTMS_LAB_TOKEN, a control plane under /_lab that opens and closes positions and sets a behaviour:

    ok        every open position
    slow      the same, `delay_s` later
    down      status 503
    raises    status 500
    rubbish   status 200, and no JSON
    no_data   {"positions": null}
    empty     {"positions": []}, which is a lie
    mismatch  every position, with half its volume

`GET /_lab/asked` tells how often positions were asked for, and how often that was answered.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from simulator.side_app import Answered, make_app, read, read_ticket, refused, unknown
from simulator.side_process import run

Mode = Literal["ok", "slow", "down", "raises", "rubbish", "no_data", "empty", "mismatch"]
DELAY_S_MAX = 60.0
RUBBISH = msgspec.Raw(b"<html>Bad Gateway</html>")


class Position(msgspec.Struct, frozen=True):
    """As the broker holds it."""

    symbol: str
    direction: str
    entry_price: float
    volume: float
    stop_loss: float | None = None
    take_profit: float | None = None


class Behaviour(msgspec.Struct, frozen=True):
    """How the broker answers. `delay_s` counts where it is slow."""

    mode: Mode = "ok"
    delay_s: float = 0.5


class Broker:
    """Positions by ticket, and how they are told.

    `request` answers every message, with no HTTP in between; `body` is JSON or an object.
    """

    def __init__(self) -> None:
        self.positions: dict[int, Position] = {}
        self.behaviour = Behaviour()
        self.asked = 0
        self.answered = 0

    async def request(
        self,
        method: str,
        path: str,
        _query: Mapping[str, str] = MappingProxyType({}),
        body: object = b"",
    ) -> Answered:
        """Answers any request. Who may ask for what is under /_lab is for the caller to say."""
        try:
            return await self._answer(method, path, body)
        except msgspec.DecodeError as error:
            return refused(error)

    def told(self) -> Answered:
        """Status and body of an answer, as the behaviour has it."""
        match self.behaviour.mode:
            case "down":
                return 503, {"error": "down", "message": "The terminal is not connected."}
            case "raises":
                return 500, {"error": "internal", "message": "The terminal raised an exception."}
            case "rubbish":
                return 200, RUBBISH
            case "no_data":
                return 200, {"positions": None}
            case "empty":
                return 200, {"positions": []}
            case mode:
                factor = 0.5 if mode == "mismatch" else 1.0
                return 200, {
                    "positions": [
                        {
                            "ticket": ticket,
                            **msgspec.structs.asdict(position),
                            "volume": position.volume * factor,
                        }
                        for ticket, position in self.positions.items()
                    ]
                }

    async def _answer(self, method: str, path: str, body: object) -> Answered:
        match method, path.strip("/").split("/"):
            case "GET", ["positions"]:
                self.asked += 1
                if self.behaviour.mode == "slow":
                    await asyncio.sleep(min(self.behaviour.delay_s, DELAY_S_MAX))
                self.answered += 1
                return self.told()
            case "GET", ["_lab", "asked"]:
                return 200, {"asked": self.asked, "answered": self.answered}
            case "GET", ["health"]:
                return 200, {"status": "healthy", "positions": len(self.positions)}
            case "PUT", ["_lab", "positions"]:
                self.positions = read(body, dict[int, Position])
                return 200, {"positions": len(self.positions)}
            case "PUT", ["_lab", "positions", text] if (ticket := read_ticket(text)) is not None:
                self.positions[ticket] = read(body, Position)
                return 200, {"open": True}
            case "DELETE", ["_lab", "positions", text] if (ticket := read_ticket(text)) is not None:
                known = self.positions.pop(ticket, None)
                return 200, {"open": False, "known": known is not None}
            case "POST", ["_lab", "behaviour"]:
                self.behaviour = read(body, Behaviour)
                return 200, self.behaviour
            case _:
                return unknown(method, path)


def main() -> int:
    """The broker as a process."""
    return run("simulator.broker", lambda flags: make_app(Broker().request, flags.lab_token))


if __name__ == "__main__":
    sys.exit(main())
