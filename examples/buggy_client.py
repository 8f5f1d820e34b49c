"""A client as one finds it: it takes an answer that did not come for a no. Needs httpx.

The lab tells: failure_is_honest. The first request was carried out and its answer lost; where that
happens to the last one, "not registered" is said of a trade that is.
"""

import asyncio
import random

import httpx


async def register_trade(
    ticket, trade_data, retry_count=3, timeout=5.0, api_url="http://127.0.0.1:8001"
):
    flat = {**(trade_data.get("details") or {}), **trade_data}

    def first(*names):
        return next((flat[name] for name in names if flat.get(name) is not None), None)

    payload = {
        "ticket": ticket,
        "symbol": flat["symbol"],
        "direction": flat["direction"].upper(),
        "entry": first("entry_price", "price_executed", "price"),
        "volume": first("volume", "lot"),
        "stop_loss": first("stop_loss", "sl", "final_sl"),
        "take_profit": first("take_profit", "tp", "final_tp"),
    }
    async with httpx.AsyncClient(timeout=timeout) as http:
        for attempt in range(retry_count + 1):
            try:
                answer = await http.post(f"{api_url}/dtms/trade/enable", json=payload)
                if answer.status_code < 500:
                    return answer.status_code == 200
            except httpx.TimeoutException:
                return False  # the bug: nobody knows
            except httpx.HTTPError:
                pass
            await asyncio.sleep(random.uniform(0.0, 2.0**attempt))
    return False
