"""The control plane under `/_lab`: scripts what happens inside the server.

Closed unless the server was started with a token, and then only on loopback.
"""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Callable, Mapping

import msgspec

from simulator.engine import Engine, trade_info
from simulator.ledger import Registration, TransitionRefused
from simulator.messages import Reply
from simulator.request import Problem
from simulator.states import State

FAULTS_MAX = 100
DELAY_S_MAX = 60.0
COUNT_MAX = 1_000_000


class FaultRefused(ValueError):
    """There is no such fault, or not with these parameters."""


class Lab:
    """Inflicts faults on one engine and takes them back."""

    def __init__(self, engine: Engine, token: str) -> None:
        self._engine = engine
        self._token = token.encode()
        self._ids = itertools.count(1)
        self._undo: dict[int, tuple[dict[str, object], Callable[[], None]]] = {}

    def inflict(self, fault: Mapping[str, object]) -> int:
        """Puts a fault in force and returns its number. Raises `FaultRefused`."""
        if len(self._undo) >= FAULTS_MAX:
            raise FaultRefused(f"{FAULTS_MAX} faults are in force already")
        name = fault.get("fault")
        make = _FAULTS.get(name) if isinstance(name, str) else None
        if make is None:
            raise FaultRefused(f"there is no fault {name!r}; there are {', '.join(_FAULTS)}")
        number = next(self._ids)
        self._undo[number] = (dict(fault), make(self._engine, fault))
        return number

    def heal(self, number: int) -> bool:
        """Takes a fault back; False where it is not in force."""
        entry = self._undo.pop(number, None)
        if entry is not None:
            entry[1]()
        return entry is not None

    async def __call__(self, method: str, path: str, token: bytes, body: bytes) -> Reply:
        """Answers one request under /_lab."""
        if not hmac.compare_digest(token, self._token):
            return _reply(401, {"error": "unauthorised", "message": "X-Lab-Token is wrong."})
        try:
            return await self._answer(method, path.removeprefix("/_lab"), body)
        except (FaultRefused, TransitionRefused, msgspec.DecodeError) as error:
            return _reply(422, {"error": "refused", "message": str(error)})

    async def _answer(self, method: str, path: str, body: bytes) -> Reply:
        match method, path.strip("/").split("/"):
            case "GET", ["state"]:
                return self._state()
            case "POST", ["faults"]:
                return _reply(200, {"id": self.inflict(_object(body))})
            case "DELETE", ["faults"]:
                for number in list(self._undo):
                    self.heal(number)
                return _reply(200, {"healed": True})
            case "DELETE", ["faults", number] if number.isdigit():
                return _reply(200 if self.heal(int(number)) else 404, {"id": int(number)})
            case "POST", ["trades", ticket, "state"] if ticket.isdigit():
                return await self._move(int(ticket), _object(body))
            case _:
                message = f"There is no {method} {path}."
                return _reply(404, {"error": "not_found", "message": message})

    def _state(self) -> Reply:
        faults = {str(number): fault for number, (fault, _undo) in self._undo.items()}
        return _reply(200, {"status": self._engine.status, "faults": faults})

    async def _move(self, ticket: int, body: Mapping[str, object]) -> Reply:
        known = await self._engine.find(ticket)
        wanted = body.get("state")
        if not isinstance(wanted, str) or wanted not in State.__members__:
            raise FaultRefused(f"there is no state {wanted!r}")
        if isinstance(known, Problem):
            return _reply(known.status, {"error": known.code, "message": known.message})
        after = await self._engine.move(known, State(wanted), "moved by the lab")
        if isinstance(after, Registration):
            return _reply(200, {"trade_info": trade_info(after)})
        return _reply(after.status, {"error": after.code, "message": after.message})


def _store_fails(engine: Engine, _fault: Mapping[str, object]) -> Callable[[], None]:
    engine.store.faults.fails = True
    return lambda: setattr(engine.store.faults, "fails", False)


def _store_slow(engine: Engine, fault: Mapping[str, object]) -> Callable[[], None]:
    engine.store.faults.slow_s = _number(fault, "delay_s", 0.5, DELAY_S_MAX)
    return lambda: setattr(engine.store.faults, "slow_s", 0.0)


def _store_locked(engine: Engine, _fault: Mapping[str, object]) -> Callable[[], None]:
    _need_open_store(engine)
    engine.store.lock(True)
    return lambda: engine.store.lock(False)


def _store_full(engine: Engine, _fault: Mapping[str, object]) -> Callable[[], None]:
    _need_open_store(engine)
    engine.store.set_full(True)
    return lambda: engine.store.set_full(False)


def _store_read_only(engine: Engine, _fault: Mapping[str, object]) -> Callable[[], None]:
    _need_open_store(engine)
    engine.store.set_read_only(True)
    return lambda: engine.store.set_read_only(False)


def _need_open_store(engine: Engine) -> None:
    if not engine.initialised:
        raise FaultRefused("the store is not open yet; this fault can only come later")


def _crash(engine: Engine, fault: Mapping[str, object]) -> Callable[[], None]:
    """Dies in its `after`-th commit from now on, or in its next recovery."""
    faults = engine.store.faults
    after = int(_number(fault, "after", 1, COUNT_MAX))
    match fault.get("point"):
        case "before-commit":
            faults.crash_before = after
            return lambda: setattr(faults, "crash_before", None)
        case "after-commit":
            faults.crash_after = after
            return lambda: setattr(faults, "crash_after", None)
        case "during-recovery":
            engine.init_faults.crash_in_recovery = engine.die
            return lambda: setattr(engine.init_faults, "crash_in_recovery", None)
        case point:
            raise FaultRefused(
                f"there is no point {point!r}; there are before-commit, after-commit, "
                "during-recovery"
            )


def _init_slow(engine: Engine, fault: Mapping[str, object]) -> Callable[[], None]:
    engine.init_faults.delay_s = _number(fault, "delay_s", 1.0, DELAY_S_MAX)
    return lambda: setattr(engine.init_faults, "delay_s", 0.0)


def _init_fails(engine: Engine, fault: Mapping[str, object]) -> Callable[[], None]:
    engine.init_faults.failures_left = int(_number(fault, "times", 1, COUNT_MAX))
    return lambda: setattr(engine.init_faults, "failures_left", 0)


def _monitor_dies(engine: Engine, _fault: Mapping[str, object]) -> Callable[[], None]:
    engine.monitor.die_next = True
    return lambda: setattr(engine.monitor, "die_next", False)


_FAULTS: dict[str, Callable[[Engine, Mapping[str, object]], Callable[[], None]]] = {
    "store-fails": _store_fails,
    "store-slow": _store_slow,
    "store-locked": _store_locked,
    "store-full": _store_full,
    "store-read-only": _store_read_only,
    "crash": _crash,
    "init-slow": _init_slow,
    "init-fails": _init_fails,
    "monitor-dies": _monitor_dies,
}


def _number(fault: Mapping[str, object], name: str, default: float, most: float) -> float:
    value = fault.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise FaultRefused(f"{name} must be above 0 and at most {most:g}, not {value!r}")
    return value


def _object(body: bytes) -> dict[str, object]:
    return msgspec.json.decode(body, type=dict[str, object])


def _reply(status: int, body: object) -> Reply:
    return Reply(status, body, route="/_lab")
