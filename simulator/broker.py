"""The simulated broker: the truth about open positions, which it does not always tell.

`python -m simulator.broker --port P` serves `GET /positions`, and, with a token in --lab-token or
DTMS_LAB_TOKEN, a control plane under /_lab that opens and closes positions and sets a behaviour:

    ok        every open position
    slow      the same, `delay_s` later
    down      status 503
    no_data   {"positions": null}
    empty     {"positions": []}, which is a lie
    mismatch  every position, with half its volume
"""

from __future__ import annotations

import asyncio
import hmac
import sys
from typing import Literal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.side_process import run

Mode = Literal["ok", "slow", "down", "no_data", "empty", "mismatch"]
DELAY_S_MAX = 60.0


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
    """Positions by ticket, and how they are told."""

    def __init__(self) -> None:
        self.positions: dict[int, Position] = {}
        self.behaviour = Behaviour()

    def told(self) -> tuple[int, object]:
        """Status and body of an answer, as the behaviour has it."""
        match self.behaviour.mode:
            case "down":
                return 503, {"error": "down", "message": "The terminal is not connected."}
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


def make_app(broker: Broker, token: str | None) -> Starlette:
    """The broker over HTTP."""

    async def positions(_request: Request) -> Response:
        if broker.behaviour.mode == "slow":
            await asyncio.sleep(min(broker.behaviour.delay_s, DELAY_S_MAX))
        return answer(*broker.told())

    async def health(_request: Request) -> Response:
        return answer(200, {"status": "healthy", "positions": len(broker.positions)})

    async def put(request: Request) -> Response:
        position = msgspec.json.decode(await request.body(), type=Position)
        broker.positions[request.path_params["ticket"]] = position
        return answer(200, {"open": True})

    async def delete(request: Request) -> Response:
        known = broker.positions.pop(request.path_params["ticket"], None)
        return answer(200, {"open": False, "known": known is not None})

    async def replace_all(request: Request) -> Response:
        positions = msgspec.json.decode(await request.body(), type=dict[int, Position])
        broker.positions = positions
        return answer(200, {"positions": len(positions)})

    async def behave(request: Request) -> Response:
        broker.behaviour = msgspec.json.decode(await request.body(), type=Behaviour)
        return answer(200, broker.behaviour)

    return Starlette(
        routes=[
            Route("/positions", positions),
            Route("/health", health),
            Route("/_lab/positions", guarded(token, replace_all), methods=["PUT"]),
            Route("/_lab/positions/{ticket:int}", guarded(token, put), methods=["PUT"]),
            Route("/_lab/positions/{ticket:int}", guarded(token, delete), methods=["DELETE"]),
            Route("/_lab/behaviour", guarded(token, behave), methods=["POST"]),
        ]
    )


def answer(status: int, body: object) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def guarded(token: str | None, handler):  # type: ignore[no-untyped-def]
    """The handler for who knows the token; without one the control plane is closed."""

    async def guard(request: Request) -> Response:
        given = request.headers.get("X-Lab-Token", "")
        if not token or not hmac.compare_digest(given.encode(), token.encode()):
            return answer(401, {"error": "unauthorised", "message": "X-Lab-Token is wrong."})
        try:
            reply: Response = await handler(request)
        except msgspec.DecodeError as error:
            return answer(422, {"error": "refused", "message": str(error)})
        return reply

    return guard


def main() -> int:
    """The broker as a process."""
    return run("simulator.broker", lambda flags: make_app(Broker(), flags.lab_token))


if __name__ == "__main__":
    sys.exit(main())
