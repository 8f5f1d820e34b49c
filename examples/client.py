"""A registration client that keeps the contract; something to start from. Needs httpx.

dtms-lab run --client examples/client.py:register_trade
"""

import asyncio
import random
import time

import httpx

BASE_S, FACTOR, CAP_S = 1.0, 2.0, 30.0
DEADLINE_S = 60.0
POLL_S = 0.5

# Our names for what the API calls `entry`, `volume`, `stop_loss` and `take_profit`.
ENTRY = ("entry_price", "price_executed", "price")
VOLUME = ("volume", "lot")
STOP_LOSS = ("stop_loss", "sl", "final_sl")
TAKE_PROFIT = ("take_profit", "tp", "final_tp")


async def register_trade(
    ticket, trade_data, retry_count=3, timeout=5.0, api_url="http://127.0.0.1:8001"
):
    """True: registered. False: certainly not. None: nobody knows yet. Never raises."""
    payload = payload_of(ticket, trade_data)
    deadline = time.monotonic() + DEADLINE_S
    may_be_there, wait_s = False, 0.0
    async with httpx.AsyncClient(base_url=api_url, timeout=timeout) as http:
        api = Api(http, timeout)
        for failures in range(1, retry_count + 2):
            if not await sleep_within(wait_s, deadline) or not await ready(api, deadline):
                break
            try:
                answer = await api.ask("POST", "/dtms/trade/enable", payload)
            except httpx.ConnectError:  # it was not even sent
                answer = None
            except (httpx.HTTPError, asyncio.TimeoutError):
                answer, may_be_there = None, True
            if answer is not None:
                if answer.status_code == 200 and is_registered(answer, payload):
                    return True
                if answer.status_code == 409:  # registered with other data
                    return False
                if definite(answer.status_code):
                    if not may_be_there:
                        return False
                    break
                # A 200 that is no success, or a 5xx: whatever it says, the trade may be there.
                may_be_there = may_be_there or answer.status_code not in (408, 425, 429)
            backoff_s = random.uniform(0.0, min(CAP_S, BASE_S * FACTOR ** (failures - 1)))
            wait_s = max(backoff_s, retry_after_s(answer))
        if not may_be_there:
            return False
        return await read_back(api, payload, deadline)


class Api:
    """Requests that take no longer than `timeout` seconds from beginning to end."""

    def __init__(self, http, timeout):
        self._http, self._timeout = http, timeout

    async def ask(self, method, path, body=None):
        return await asyncio.wait_for(self._http.request(method, path, json=body), self._timeout)


async def ready(api, deadline):
    """Waits until the API takes registrations, so that an outage uses up time and no attempts."""
    while True:
        answer = None
        try:
            answer = await api.ask("GET", "/dtms/health")
            if answer.status_code == 200 and object_of(answer).get("ready") is True:
                return True
        except (httpx.HTTPError, asyncio.TimeoutError):
            pass  # as good as "no"; it is asked again
        if not await sleep_within(max(POLL_S, retry_after_s(answer)), deadline):
            return False


async def read_back(api, payload, deadline):
    """What became of requests whose answers were lost."""
    while True:
        try:
            answer = await api.ask("GET", "/dtms/trade/{}".format(payload["ticket"]))
            if answer.status_code == 200 and echoes(object_of(answer).get("trade_info"), payload):
                return True
            if answer.status_code == 404:
                return None  # not there yet; a request may still be on its way
        except (httpx.HTTPError, asyncio.TimeoutError):
            pass  # asked again
        if not await sleep_within(POLL_S, deadline):
            return None


async def sleep_within(seconds, deadline):
    """Sleeps, unless that would pass the deadline; whether it did."""
    if time.monotonic() + seconds >= deadline:
        return False
    await asyncio.sleep(seconds)
    return True


def definite(status):
    """A refusal that no retry changes."""
    return 400 <= status < 500 and status not in (408, 425, 429)


def retry_after_s(answer):
    """How long the server asked to be left alone."""
    try:
        return max(0.0, float(answer.headers["Retry-After"])) if answer is not None else 0.0
    except (KeyError, ValueError):
        return 0.0


def is_registered(answer, payload):
    told = object_of(answer)
    return told.get("success") is True and echoes(told.get("trade_info"), payload)


def echoes(stored, payload):
    """Whether it is our trade, and as we sent it."""
    names = {name: "entry_price" if name == "entry" else name for name in payload}
    return isinstance(stored, dict) and all(
        name in stored and stored[name] == payload[ours] for ours, name in names.items()
    )


def object_of(answer):
    """The answer's JSON object; an empty one where it holds something else."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def payload_of(ticket, trade_data):
    """Zero is a value, not "missing"."""
    flat = {**(trade_data.get("details") or {}), **trade_data}

    def first(*names):
        return next((flat[name] for name in names if flat.get(name) is not None), None)

    return {
        "ticket": ticket,
        "symbol": flat.get("symbol"),
        "direction": str(flat.get("direction")).upper(),
        "entry": first(*ENTRY),
        "volume": first(*VOLUME),
        "stop_loss": first(*STOP_LOSS),
        "take_profit": first(*TAKE_PROFIT),
    }
