"""Clients as plain functions: a correct one on the standard library alone, and ones with a bug."""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import httpx
from correct import BASE_S, CAP_S, CONFLICT, DEADLINE_S, RETRYABLE, RIDDEN_OUT_S, Client

POLL_S = 0.25


def register_trade(
    ticket: int,
    trade_data: Mapping[str, Any],
    retry_count: int = 3,
    timeout: float = 5.0,
    api_url: str = "http://127.0.0.1:8001",
) -> bool | None:
    """Correct: blocks its thread, never longer than DEADLINE_S and one time-out."""
    payload = Client(api_url, retry_count, timeout).payload(ticket, trade_data)
    if payload is None:
        return False
    end = time.monotonic() + DEADLINE_S
    began, in_doubt, asked_s = time.monotonic(), False, None
    for attempt in range(retry_count + 1):
        if attempt:
            pause_s = random.uniform(0, min(CAP_S, BASE_S * 2 ** (attempt - 1)))
            pause_s = max(pause_s, asked_s or 0.0)
            if attempt == retry_count:
                pause_s = max(pause_s, RIDDEN_OUT_S - (time.monotonic() - began))
            time.sleep(min(pause_s, max(0.0, end - time.monotonic())))
        while ask(api_url, "/dtms/health", None, timeout)[0] != 200 and time.monotonic() < end:
            time.sleep(POLL_S)
        if time.monotonic() >= end:
            break
        status, body, asked_s = ask(api_url, "/dtms/trade/enable", payload, timeout)
        if status == 200 and told(body, payload):
            return True
        if status is not None and 400 <= status < 500 and status not in RETRYABLE:
            if not in_doubt or status == CONFLICT:
                return False
            break
        in_doubt = in_doubt or status not in RETRYABLE
    status, body, _ = ask(api_url, f"/dtms/trade/{ticket}", None, timeout)
    there = status == 200 and told(body, payload) and body.get("state") != "CLOSED"
    return True if there else None


def told(body: Any, payload: Mapping[str, Any]) -> bool:
    """Whether a body is a success about this trade."""
    if not isinstance(body, dict) or body.get("success") is not True:
        return False
    info = body.get("trade_info")
    names = {name: name for name in payload} | {"entry": "entry_price"}
    return isinstance(info, dict) and all(info.get(names[n]) == v for n, v in payload.items())


def ask(
    api_url: str, path: str, payload: Mapping[str, Any] | None, timeout: float
) -> tuple[int | None, Any, float | None]:
    """Status, body and Retry-After in seconds; None where there is no answer, or no JSON."""
    data = None if payload is None else json.dumps(payload).encode()
    request = urllib.request.Request(api_url + path, data, {"Content-Type": "application/json"})
    try:
        with _direct.open(request, timeout=timeout) as response:
            return response.status, decoded(response.read()), None
    except urllib.error.HTTPError as error:
        asked = error.headers.get("Retry-After", "")
        return error.code, decoded(error.read()), float(asked) if asked.isdecimal() else None
    except (OSError, http.client.HTTPException):
        return None, None, None


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


_shared = httpx.AsyncClient(verify=False, trust_env=False)


def one_client_for_all_loops(
    ticket: int,
    trade_data: Mapping[str, Any],
    retry_count: int = 3,
    timeout: float = 5.0,
    api_url: str = "http://127.0.0.1:8001",
) -> bool | None:
    """Runs each call in a loop of its own, all of them with one client and its connections."""

    class Shared(Client):
        def pool(self) -> httpx.AsyncClient:
            return _shared

    return asyncio.run(Shared(api_url, retry_count, timeout).register(ticket, trade_data))
