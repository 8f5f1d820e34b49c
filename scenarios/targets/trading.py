"""The broker and the Universal Manager, as the reference service reaches them over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from core.errors import NotSent, Unanswered
from core.trade import Trade, normalise

TIMEOUT_S = 2.0


class HttpUniversalManager:
    """The Universal Manager behind the main API. Each call uses a connection of its own: offers
    are rare, and the core's pool is for DTMS."""

    def __init__(self, main_api_url: str) -> None:
        self._url = main_api_url

    async def manage(self, trade: Trade) -> bool:
        body = {"ticket": trade.ticket, "strategy_type": trade.strategy_type}
        answer = await _call("POST", f"{self._url}/universal/trades", body)
        if answer.status_code == 409:
            return False
        if answer.status_code != 200 or answer.json().get("accepted") is not True:
            raise Unanswered(f"the Universal Manager answered with status {answer.status_code}")
        return True

    async def owns(self, ticket: int) -> bool:
        url = f"{self._url}/trade-registry/{ticket}?except=dtms_manager"
        answer = await _call("GET", url)
        if answer.status_code != 200:
            raise Unanswered(f"the trade registry answered with status {answer.status_code}")
        return bool(answer.json()["managed_by"] == "universal_sl_tp_manager")


class HttpPositions:
    """The broker's open positions."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url

    async def open_positions(self) -> Mapping[int, Trade] | None:
        answer = await _call("GET", f"{self._url}/positions")
        told = answer.json().get("positions") if answer.status_code == 200 else None
        if told is None:
            return None
        return {position["ticket"]: normalise(position["ticket"], position) for position in told}


async def _call(method: str, url: str, body: object = None) -> httpx.Response:
    """Raises `NotSent` or `Unanswered`."""
    try:
        async with httpx.AsyncClient(
            timeout=TIMEOUT_S, trust_env=False, transport=httpx.AsyncHTTPTransport(verify=False)
        ) as client:
            return await client.request(method, url, json=body)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise NotSent(str(error)) from error
    except httpx.HTTPError as error:
        raise Unanswered(f"{type(error).__name__}: {error}") from error
