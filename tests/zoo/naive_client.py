"""Planted bug: posts once and takes whatever comes for success, or for failure.

A client as one finds it in the wild: no retry, no look at the answer's body, every error is
"not registered". Claimed by: failure_is_honest, unprotected_time_is_bounded, acknowledged_is_kept.
"""

from __future__ import annotations

import httpx


async def register_trade(
    ticket: int,
    trade_data: dict[str, object],
    retry_count: int = 3,
    timeout: float = 5.0,
    api_url: str = "http://127.0.0.1:8001",
) -> bool:
    details = trade_data.get("details", trade_data)
    assert isinstance(details, dict)

    def first(*names: str) -> object:
        return next((details[name] for name in names if details.get(name) is not None), None)

    payload = {
        "ticket": ticket,
        "symbol": details["symbol"],
        "direction": str(details["direction"]).upper(),
        "entry": first("entry_price", "price_executed", "price"),
        "volume": first("volume", "lot"),
        "stop_loss": first("stop_loss", "sl", "final_sl"),
        "take_profit": first("take_profit", "tp", "final_tp"),
    }
    try:
        async with httpx.AsyncClient(timeout=timeout) as client:
            response = await client.post(f"{api_url}/dtms/trade/enable", json=payload)
        return response.status_code == 200
    except httpx.HTTPError:
        return False
