"""The broker and the Universal Manager, as the reference service reaches them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import httpx
import msgspec

from core.errors import NotSent, Unanswered
from core.trade import Trade, normalise

TIMEOUT_S = 2.0

Ask = Callable[[str, str, object], Awaitable[tuple[int, object]]]
"""Method, path and body in, status and decoded body out. Raises `NotSent` or `Unanswered`."""


class UniversalManagerClient:
    """The Universal Manager behind the main API."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def manage(self, trade: Trade) -> bool:
        body = {"ticket": trade.ticket, "strategy_type": trade.strategy_type}
        status, answer = await self._ask("POST", "/universal/trades", body)
        if status == 409:
            return False
        if status != 200 or not isinstance(answer, dict) or answer.get("accepted") is not True:
            raise Unanswered(f"the Universal Manager answered with status {status}")
        return True

    async def owns(self, ticket: int) -> bool:
        path = f"/trade-registry/{ticket}?except=dtms_manager"
        status, answer = await self._ask("GET", path, None)
        if status != 200 or not isinstance(answer, dict):
            raise Unanswered(f"the trade registry answered with status {status}")
        return bool(answer["managed_by"] == "universal_sl_tp_manager")


class PositionsClient:
    """The broker's open positions."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def open_positions(self) -> Mapping[int, Trade] | None:
        status, answer = await self._ask("GET", "/positions", None)
        told = answer.get("positions") if status == 200 and isinstance(answer, dict) else None
        if told is None:
            return None
        return {position["ticket"]: normalise(position["ticket"], position) for position in told}


def over_http(url: str) -> Ask:
    """Asks the server at `url`. Each call uses a connection of its own: such calls are rare, and
    the core's pool is for DTMS."""

    async def ask(method: str, path: str, body: object) -> tuple[int, object]:
        try:
            async with httpx.AsyncClient(
                timeout=TIMEOUT_S, trust_env=False, transport=httpx.AsyncHTTPTransport(verify=False)
            ) as client:
                answer = await client.request(method, f"{url}{path}", json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotSent(str(error)) from error
        except httpx.HTTPError as error:
            raise Unanswered(f"{type(error).__name__}: {error}") from error
        try:
            return answer.status_code, msgspec.json.decode(answer.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return answer.status_code, None

    return ask
