"""The two functions that trading services call, and the bridges behind them.

Both find the process's bridge for the API they are to use, or make it: settings from the
environment, the outbox in a folder of the user's state.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from core.alerts import Alerts
from core.bridge import Accepted, Bridge, accept
from core.events import Level
from core.outbox import Outbox
from core.outcome import Closed, Outcome, Pending, Registered
from core.production import Core, open_shared_outbox
from core.registrar import Limits
from core.settings import Settings, SettingsError, load
from core.trade import normalise

CONFIG_FILE = "dtms_config.json"
BRIDGES_MAX = 8
"""How many different APIs one process may register with."""

_log = logging.getLogger("dtms.client")
_bridges: dict[str, Bridge] = {}
_making = threading.Lock()


async def register_trade_with_dtms_api(
    ticket: int,
    trade_data: Mapping[str, object],
    retry_count: int = 3,
    timeout: float = 5.0,
    api_url: str = "http://127.0.0.1:8001",
) -> bool | None:
    """Registers one executed trade; never raises.

    True: registered (and read back). False: certainly not registered, and it will not be. None:
    not known yet; the trade is kept and gone on with. `timeout` is for each request, in seconds.
    """
    try:
        limits = Limits(_retries(retry_count), _timeout_s(timeout))
        trade = normalise(ticket, trade_data)
        bridge = await asyncio.to_thread(bridge_for, api_url)
        submitted = await asyncio.to_thread(bridge.submit, trade, limits)
        outcome = await _outcome(bridge, submitted)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - the contract: never into the caller
        _log.error("ticket %r was not registered: %s: %s", ticket, type(error).__name__, error)
        return False
    return _answer(outcome)


def auto_register_dtms(ticket: int, result_dict: Mapping[str, object]) -> bool:
    """Accepts one executed trade; never raises, and returns as soon as the intent is durable.

    True: durably accepted; it will be registered, or alerted. False: it will not, and that was
    logged. May be called from plain code, from inside a running loop and from any thread.
    """
    try:
        accepted = accept(default_bridge(), ticket, result_dict)
    except Exception as error:  # noqa: BLE001 - the contract: never into trade execution
        _log.error("ticket %r was not accepted: %s: %s", ticket, type(error).__name__, error)
        return False
    return isinstance(accepted, Accepted | Registered | Closed)


def default_bridge() -> Bridge:
    """The bridge for the API that the settings name."""
    return bridge_for(load(os.environ, Path(CONFIG_FILE)).api_url)


def bridge_for(api_url: str) -> Bridge:
    """The process's bridge for that API, made at its first use. Raises what starting it raises."""
    with _making:
        bridge = _bridges.get(api_url)
        if bridge is None or bridge.closed:
            _forget_closed()
            if len(_bridges) >= BRIDGES_MAX:
                raise SettingsError(f"one process can register with {BRIDGES_MAX} APIs at most")
            bridge = _bridges[api_url] = _make(api_url)
        return bridge


def install(api_url: str, bridge: Bridge) -> None:
    """Uses `bridge` for that API from now on: for a service that puts its own core together."""
    with _making:
        _bridges[api_url] = bridge


def close_bridges() -> None:
    """Closes every bridge of the process; what is pending stays in the outboxes."""
    with _making:
        for bridge in _bridges.values():
            bridge.close()
        _bridges.clear()


def _make(api_url: str) -> Bridge:
    parts = urlsplit(api_url)
    if parts.scheme != "http" or not parts.hostname:
        raise SettingsError(f"{api_url!r} is no http:// address of a DTMS API")
    settings = replace(
        load(os.environ, Path(CONFIG_FILE)), host=parts.hostname, port=parts.port or 80
    )
    return Bridge(lambda: Core(settings, outbox=_outbox(settings), service=_service()))


def _outbox(settings: Settings) -> Path | Callable[[Alerts], Outbox]:
    """One file for each service and API, since it serves one process at a time; or a place of that
    name in a database."""
    place = re.sub(r"[^A-Za-z0-9.]+", "-", f"{_service()}-{settings.host}-{settings.port}")
    if settings.outbox_url is not None:
        return partial(open_shared_outbox, settings.outbox_url, place)
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(os.environ.get("DTMS_OUTBOX_DIR") or Path(state) / "dtms") / f"{place}.db"


def _service() -> str:
    return os.environ.get("DTMS_SERVICE") or Path(sys.argv[0] or "python").stem or "python"


def _forget_closed() -> None:
    for api_url in [url for url, bridge in _bridges.items() if bridge.closed]:
        del _bridges[api_url]


def _retries(value: int) -> int:
    if type(value) is not int or not 0 <= value <= 100:
        raise SettingsError(f"retry_count is {value!r}; it must be a whole number from 0 to 100")
    return value


def _timeout_s(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 600:
        raise SettingsError(f"timeout is {value!r}; it must be seconds above 0 and at most 600")
    return float(value)


async def _outcome(bridge: Bridge, submitted: Accepted | Outcome) -> Outcome:
    if not isinstance(submitted, Accepted):
        return submitted
    patience_s = bridge.core.policy.deadline_s
    try:
        async with asyncio.timeout(patience_s):
            return await asyncio.shield(asyncio.wrap_future(submitted.outcome))
    except TimeoutError:
        bridge.core.events.emit(Level.WARNING, "still_pending", ticket=submitted.ticket)
        return Pending(submitted.ticket, f"no end within {patience_s:g} s")


def _answer(outcome: Outcome) -> bool | None:
    match outcome:
        case Registered() | Closed():
            return True
        case Pending():
            return None
        case _:
            return False
