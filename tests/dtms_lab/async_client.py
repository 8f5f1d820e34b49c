"""A registration client in coroutines: one that is right, and one that forgets to try again."""

import asyncio
import random

import httpx


async def right(ticket, trade, retry_count=3, timeout=5.0, api_url=""):
    async with httpx.AsyncClient(timeout=timeout) as client:
        for attempt in range(retry_count + 1):
            if attempt:
                await asyncio.sleep(random.uniform(0.5, 1.0) * 2**attempt)
            try:
                answer = await client.post(f"{api_url}/dtms/trade/enable", json=wire(ticket, trade))
                if answer.status_code == 200 and answer.json().get("success") is True:
                    return True
            except (httpx.HTTPError, ValueError):
                pass
    return None


async def lost_is_failed(ticket, trade, retry_count=3, timeout=5.0, api_url=""):
    async with httpx.AsyncClient(timeout=timeout) as client:
        try:
            answer = await client.post(f"{api_url}/dtms/trade/enable", json=wire(ticket, trade))
            return answer.json().get("success") is True
        except (httpx.HTTPError, ValueError):
            return False


def wire(ticket, trade):
    """What the API takes, from any spelling that services use."""
    told = {**trade.get("details", {}), **trade}

    def first(*names):
        return next((told[name] for name in names if told.get(name) is not None), None)

    return {
        "ticket": ticket,
        "symbol": told["symbol"],
        "direction": told["direction"].upper(),
        "entry": first("entry_price", "price_executed", "price"),
        "volume": first("volume", "lot"),
        "stop_loss": first("stop_loss", "sl", "final_sl"),
        "take_profit": first("take_profit", "tp", "final_tp"),
    }
